"""The time from process start to a caption, and the memory, against processes that only import.

    python -m benchmarks.start_up
    python -m benchmarks.start_up --photos flickr8k/images

The commands take turns, each in a process of its own, and the medians of time and peak memory are
printed. The first round is not counted: it brings the files into the system's cache. With --photos
a folder of 500 pictures is captioned, too, as lines of text and as JSON Lines; peak memory is also
given as a multiple of the size of the model's files.
"""

import argparse
import glob
import os
import subprocess
import sys
import tempfile
import time
from statistics import median

# No import of captioner: Linux counts the memory of the process that starts another one as the peak
# of that one.
MODEL = "captioner/presets/everyday.litert/*"
CAPTION = "python caption.py data/samples/coffee.jpg"
IMPORTS = 'python -c "import numpy, PIL, ai_edge_litert"'
COMMANDS = {
    CAPTION: ["caption.py", "data/samples/coffee.jpg"],
    IMPORTS: ["-c", "import numpy, PIL, ai_edge_litert"],
    'python -c "import tensorflow"': ["-c", "import tensorflow"],
}
PICTURES = 500


def measure(arguments):
    """(seconds, megabytes) of a Python process."""
    # Empty: Python keeps compiled modules, as it does by default.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"python {' '.join(arguments)} failed")
    return seconds, usage.ru_maxrss / 1e3


def commands_for(photos, folder):
    """Commands that caption the photos, which `folder` gets links to."""
    paths = sorted(glob.glob(os.path.join(photos, "*.jpg")))[:PICTURES]
    if len(paths) < PICTURES:
        raise SystemExit(f"{photos}: {len(paths)} photos; {PICTURES} are needed")
    for path in paths:
        os.symlink(os.path.abspath(path), os.path.join(folder, os.path.basename(path)))
    return {
        f"python caption.py FOLDER, {PICTURES} photos": ["caption.py", folder],
        "the same with --format jsonl": ["caption.py", folder, "--format", "jsonl"],
    }


def compare(commands, rounds):
    """Prints a row for each command, with time and memory as multiples of those of `IMPORTS`."""
    found = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, arguments in commands.items():
            found[name].append(measure(arguments))
    rows = {
        name: [median(values) for values in zip(*each[1:], strict=True)]
        for name, each in found.items()
    }
    model = sum(map(os.path.getsize, glob.glob(MODEL))) / 1e6
    print("| command | seconds | times the imports | MB | times the imports | times the model |")
    print("|---|---|---|---|---|---|")
    for name, (seconds, memory) in rows.items():
        ratios = [each / its for each, its in zip((seconds, memory), rows[IMPORTS], strict=True)]
        print(
            f"| `{name}` | {seconds:.2f} | {ratios[0]:.2f} | {memory:.0f} | {ratios[1]:.1f} | "
            f"{memory / model:.1f} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--photos", help="folder of at least 500 pictures")
    options = parser.parse_args()
    compare(COMMANDS, options.rounds)
    if options.photos:
        with tempfile.TemporaryDirectory() as folder:
            print()
            commands = {IMPORTS: COMMANDS[IMPORTS], **commands_for(options.photos, folder)}
            compare(commands, min(options.rounds, 2))


if __name__ == "__main__":
    main()
