"""train.py with the tests' small CNN, in a process of its own that a test can kill.

  python -m tests.training.train_small REPLACES FLAGS...

Before it gives the file number REPLACES (from 1; 0 for none) of the run its name, it kills itself.
With LOGICAL_CPUS=N in the environment TensorFlow takes the CPU for N devices; what WITHOUT names
cannot be imported.
"""

import os
import signal
import sys

from captioner.backend import start_backend
from captioner.cli import main
from tests.conftest import make_small_mobilenet


def die_before(number):
    """Makes the process kill itself before the file of that number is put in place."""
    replace, count = os.replace, 0

    def replace_or_die(*arguments, **options):
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*arguments, **options)

    os.replace = replace_or_die


if __name__ == "__main__":
    for name in os.environ.get("WITHOUT", "").split():
        sys.modules[name] = None
    start_backend("train")
    import keras

    if "LOGICAL_CPUS" in os.environ:
        import tensorflow as tf

        device = tf.config.LogicalDeviceConfiguration()
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0], [device] * int(os.environ["LOGICAL_CPUS"])
        )
    keras.applications.MobileNetV2 = make_small_mobilenet
    die_before(int(sys.argv[1]))
    sys.exit(main(["train", *sys.argv[2:]]))
