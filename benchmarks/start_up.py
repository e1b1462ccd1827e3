"""The time from process start to a caption, against a process that only imports TensorFlow.

    python -m benchmarks.start_up

The two commands take turns, each in a process of its own, and the medians of time and peak memory
are printed. The first round is not counted: it brings the files into the system's cache.
"""

import argparse
import os
import subprocess
import sys
import time
from statistics import median

COMMANDS = {
    "python caption.py data/samples/coffee.jpg": ["caption.py", "data/samples/coffee.jpg"],
    'python -c "import tensorflow"': ["-c", "import tensorflow"],
}


def measure(arguments):
    """(seconds, megabytes) of a Python process."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"python {' '.join(arguments)} failed")
    return seconds, usage.ru_maxrss / 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    found = {name: [] for name in COMMANDS}
    for _ in range(options.rounds + 1):
        for name, arguments in COMMANDS.items():
            found[name].append(measure(arguments))
    print("| command | seconds | MB |\n|---|---|---|")
    medians = []
    for name, rounds in found.items():
        seconds, memory = (median(values) for values in zip(*rounds[1:], strict=True))
        medians.append((seconds, memory))
        print(f"| `{name}` | {seconds:.2f} | {memory:.0f} |")
    (ours, our_memory), (theirs, their_memory) = medians
    print(f"| ratio | {ours / theirs:.2f} | {our_memory / their_memory:.2f} |")


if __name__ == "__main__":
    main()
