"""Training on several devices or machines, by tf.distribute: each has its share of every batch.

A replica is a copy of the model on one device. Every replica holds the same weights, and takes
`batch_size` captions of a batch, which n replicas make n times as large; the gradients of all are
averaged before they are clipped and applied. So n replicas learn as one device would from such
batches, but for dropout, whose masks are the same in every replica. A worker is a process with one
or more replicas; the chief, the first of them, alone writes the run folder.
"""

import contextlib
import json
import os

import keras
import numpy as np

from captioner.compiled import XLA
from captioner.errors import CaptionerError, require
from captioner.keras_internals import GradientsAsGiven
from captioner.training.jax_steps import JaxSteps
from captioner.training.steps import CompiledSteps

EXAMPLE = (
    '\'{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, '
    '"task": {"type": "worker", "index": 0}}\''
)


def devices_for(distribute):
    """Where a run trains.

    Call it before TensorFlow has computed anything: only then can workers find each other.

    Args:
        distribute: `"none"`, one device; `"mirrored"`, all GPUs of this machine; or
            `"multiworker"`, the processes that the environment variable TF_CONFIG names, on one
            machine or many.

    Returns:
        OneDevice or Replicas.

    Raises:
        CaptionerError: A backend other than TensorFlow, no usable TF_CONFIG, or workers that do not
            find each other.

    Reference: https://www.tensorflow.org/guide/distributed_training
    """
    if distribute == "none":
        return OneDevice()
    backend = keras.backend.backend()
    require(
        backend == "tensorflow",
        f"--distribute {distribute}: needs KERAS_BACKEND=tensorflow, and it is {backend}",
    )
    return Replicas(_mirrored() if distribute == "mirrored" else _multiworker())


def mean_over_replicas(value):
    """The mean of a tensor over the replicas, in a step of several; elsewhere the tensor itself.

    A loss divided by the mean number of words, instead of by a replica's own, has the loss of the
    whole batch as its mean over the replicas.

    Args:
        value: tensor, or list of tensors.
    """
    if keras.backend.backend() != "tensorflow":
        return value
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, value)


class OneDevice:
    """All on one device. What `Replicas` share out is here one's own.

    Attributes:
        replicas: int. By how much a batch grows.
        workers: int. Number of processes.
        index: int. Which of them this is.
    """

    replicas, workers, index = 1, 1, 0

    @property
    def is_chief(self):
        """Whether this process writes the files of the run."""
        return self.index == 0

    def scope(self):
        """The block in which weights and optimizers are made."""
        return contextlib.nullcontext()

    def optimizer(self, kind, **settings):
        """An optimizer of a Keras class."""
        return kind(**settings)

    def steps(self, model):
        """The compiled steps of a compiled model."""
        return JaxSteps(model) if XLA else CompiledSteps(model)

    def own(self, rows):
        """Those rows of a whole batch, an array or list, that are this worker's."""
        return rows

    def gather(self, value):
        """What each worker gave, which is anything that JSON can hold: a list, in their order."""
        return [value]

    def require_same(self, mine):
        """Raises CaptionerError if a worker has something else than this one.

        Args:
            mine: dict from what it is, in words, to its value, anything that JSON can hold.
        """
        for worker, theirs in enumerate(self.gather(mine)):
            for what, value in theirs.items():
                if isinstance(value, dict):  # say only which of its parts differ
                    names = {**mine[what], **value}
                    different = [name for name in names if value.get(name) != mine[what].get(name)]
                else:
                    different = value
                require(
                    value == mine[what],
                    f"worker {worker} has different {what} from worker {self.index}: {different}",
                )

    @contextlib.contextmanager
    def together(self):
        """A block at whose end all workers wait, and which fails for all if it fails for one."""
        yield

    def describe(self):
        """A line for the log; empty if there is nothing to report."""
        return ""


class Replicas(OneDevice):
    """Copies of the model, in this process and perhaps in more processes, that learn as one.

    Args:
        strategy: tf.distribute.Strategy.
    """

    def __init__(self, strategy):
        self.strategy = strategy
        self.replicas = strategy.num_replicas_in_sync
        resolver = strategy.cluster_resolver
        if resolver and resolver.cluster_spec():
            cluster = resolver.cluster_spec().as_dict()
            self.workers = sum(map(len, cluster.values()))
            # A chief, where there is one, comes before the workers.
            is_after_chief = resolver.task_type == "worker" and "chief" in cluster
            self.index = resolver.task_id + is_after_chief

    def scope(self):
        return self.strategy.scope()

    def optimizer(self, kind, **settings):
        return type(f"Replicated{kind.__name__}", (_MeanFirst, kind), {})(**settings)

    def steps(self, model):
        return ReplicatedSteps(model, self)

    def own(self, rows):
        return self._part(rows, self.index, self.workers)

    def split(self, rows):
        """This worker's rows, shared out to its replicas."""
        import tensorflow as tf

        here = self.replicas // self.workers
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(
                self._part(rows, context.replica_id_in_sync_group % here, here)
            )
        )

    def _part(self, rows, number, parts):
        each = len(rows) // parts
        return rows[number * each : (number + 1) * each]

    def gather(self, value):
        if self.workers == 1:
            return [value]
        import tensorflow as tf

        # A line a replica; only the first of each worker has something to say. Collectives take no
        # bytes, so four of them go as one number.
        text = json.dumps(value)
        line = np.frombuffer((text + "\n" * (4 - len(text) % 4)).encode(), np.int32)
        silence = np.frombuffer(b"\n" * 4, np.int32)
        here = self.replicas // self.workers
        with self.in_touch():
            lines = self.strategy.gather(
                self.strategy.experimental_distribute_values_from_function(
                    lambda context: tf.constant(
                        line if context.replica_id_in_sync_group % here == 0 else silence
                    )
                ),
                axis=0,
            )
        return [json.loads(line) for line in lines.numpy().tobytes().split(b"\n") if line]

    @contextlib.contextmanager
    def together(self):
        failure = None
        try:
            yield
        except Exception as error:  # whatever it is: the other workers must not wait for this one
            failure = error
        try:
            told = self.gather(failure and (str(failure) or type(failure).__name__))
        except CaptionerError:
            if not failure:
                raise
        if failure:
            raise failure
        for worker, problem in enumerate(told):
            require(not problem, f"worker {worker}: {problem}")

    @contextlib.contextmanager
    def in_touch(self):
        """A block that waits for other workers, and reports in one line if one of them is gone."""
        import tensorflow as tf

        try:
            yield
        except (
            tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError,
        ) as error:  # fmt: skip
            if self.workers == 1:
                raise
            raise CaptionerError(
                "another worker has stopped, or cannot be reached; the last finished epoch is "
                "kept; continue by starting all workers with --resume"
            ) from error

    def describe(self):
        devices = self.strategy.extended.worker_devices
        kinds = ", ".join(device.split("device:")[-1] for device in devices)
        return (
            f"{self.replicas} replicas in {self.workers} worker(s), here on {kinds}; each takes "
            "the batch size of every batch"
        )


class ReplicatedSteps:
    """Compiled steps on replicas, each with its share of the batch; they learn as one.

    Keras' own step functions cannot do it: they would clip each replica's gradients before these
    are joined, and fail where a loss is one number for several workers (Keras 3.15).

    Args:
        model: keras.Model with an optimizer made by `Replicas.optimizer`.
        replicas: Replicas.
    """

    def __init__(self, model, replicas):
        import tensorflow as tf  # tf.distribute is TensorFlow's own

        self.model, self.replicas = model, replicas
        strategy = replicas.strategy

        @tf.function(jit_compile=False)  # as Keras' step is, see `captioner.compiled`
        def train(inputs, targets, weights):
            def learn(inputs, targets, weights):
                with tf.GradientTape() as tape:
                    outputs = model(inputs, training=True)
                    loss = model.compute_loss(inputs, targets, outputs, weights, training=True)
                variables = model.trainable_variables
                model.optimizer.apply(tape.gradient(loss, variables), variables)
                return loss

            losses = strategy.run(learn, args=(inputs, targets, weights))
            return strategy.reduce("MEAN", losses, axis=None)

        @tf.function(jit_compile=False)
        def test(inputs, targets):
            return model.compute_loss(
                inputs, targets, model(inputs, training=False), training=False
            )

        self._train, self._test = train, test

    def train(self, inputs, targets, weights=None):
        """Learns from a batch, of which this worker gives its rows; returns the loss of all."""
        split = self.replicas.split
        with self.replicas.in_touch():
            inputs = {name: split(value) for name, value in inputs.items()}
            weights = None if weights is None else split(weights)
            return float(self._train(inputs, split(targets), weights))

    def test(self, inputs, targets):
        """The loss of a batch of this worker's own, a float."""
        return float(self._test(inputs, targets))


class _MeanFirst(GradientsAsGiven):
    """Makes an optimizer average the gradients of all replicas first, and then clip them.

    Keras clips each replica's own, and sums: n replicas would not learn as one.
    """

    def apply(self, grads, trainable_variables=None):
        known = mean_over_replicas([grad for grad in grads if grad is not None])
        joined = iter(known)
        grads = [None if grad is None else next(joined) for grad in grads]
        super().apply(grads, trainable_variables)


def _mirrored():
    import tensorflow as tf

    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    devices = [device.name for device in tf.config.list_logical_devices(kind)]
    return tf.distribute.MirroredStrategy(devices)


def _multiworker():
    import tensorflow as tf

    _require_cluster()
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise CaptionerError(
            "--distribute multiworker: TensorFlow was in use already; train in a new process "
            f"({error})"
        ) from error
    except (tf.errors.OpError, ValueError) as error:
        raise CaptionerError(
            "--distribute multiworker: the workers of TF_CONFIG do not find each other "
            f"({str(error).strip().splitlines()[0][:200]})"
        ) from error


def _require_cluster():
    """Raises CaptionerError where TF_CONFIG does not say who the workers are, and which is this."""
    text = os.environ.get("TF_CONFIG", "")
    require(text, f"--distribute multiworker: set TF_CONFIG for each worker, such as {EXAMPLE}")
    try:
        stated = json.loads(text)
        cluster, task = stated["cluster"], stated["task"]
        addresses = cluster[task["type"]]
        is_there = 0 <= int(task["index"]) < len(addresses)
        is_known = set(cluster) <= {"chief", "worker"} and len(cluster.get("chief", [1])) == 1
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CaptionerError(
            f"--distribute multiworker: TF_CONFIG is not understood ({error}); an example is "
            f"{EXAMPLE}"
        ) from error
    require(
        is_there and is_known,
        "--distribute multiworker: TF_CONFIG: give one or no chief, workers, and the task's place "
        f"among them, such as {EXAMPLE}",
    )
