"""The speed of Ray's actors against that of one process that uses all cores.

    python -m benchmarks.ray_captioning --photos flickr8k/images --rounds 3

Measures pictures per second, from JPEG to a file of captions, for caption.py without Ray, for one
actor with one core, and for one actor per core. They take turns for several rounds, and the medians
are printed. Starting Ray, the actors and their models is not counted: the clock starts when each
actor has finished a part.
"""

import argparse
import functools
import glob
import os
import tempfile
import time
from statistics import median

from captioner.bulk.model_files import ModelFiles
from captioner.bulk.object_stores import ObjectStores
from captioner.bulk.part_formats import FORMATS
from captioner.bulk.parts_folder import PartsFolder
from captioner.bulk.ray_actors import Job, caption_parts
from captioner.bulk.ray_cluster import connected
from captioner.lite_captioner import LiteCaptioner
from captioner.models import ModelChoice
from captioner.presets import DEFAULT_PRESET, exported_form

PART_SIZE = 100


def without_ray(model, paths):
    start = time.perf_counter()
    count = sum(1 for _ in model.generate_all(paths, 32))
    return count / (time.perf_counter() - start)


def by_actors(actors, paths):
    with tempfile.TemporaryDirectory() as output:
        folder = PartsFolder(output, ObjectStores(), "jsonl")
        plan = folder.begin({}, paths, PART_SIZE, parts=1)
        job = Job(
            folder=output,
            ending="jsonl",
            options={},
            choice=ModelChoice(),
            models=[ModelFiles.of(DEFAULT_PRESET)],
            backward=None,
            search={},
            batch_size=32,
            content_of=functools.partial(FORMATS["jsonl"], with_scores=False),
        )
        begun, start, count = set(), None, 0
        for report in caption_parts(job, plan, list(range(plan.parts)), actors):
            count += report.pictures if start else 0
            begun.add(report.process)
            if len(begun) == actors and not start:
                start = time.perf_counter()
        return count / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", required=True, help="folder of at least 2000 pictures")
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    paths = sorted(glob.glob(os.path.join(options.photos, "*.jpg")))[: options.pictures]
    paths = [os.path.abspath(path) for path in paths]
    cores = os.cpu_count()
    model = LiteCaptioner(exported_form(DEFAULT_PRESET))
    contestants = {
        "caption.py, one process": lambda: without_ray(model, paths),
        "--engine ray --actors 1": lambda: by_actors(1, paths),
        f"--engine ray --actors {cores}": lambda: by_actors(cores, paths),
    }
    found = {name: [] for name in contestants}
    with connected(cores):
        for _ in range(options.rounds):
            for name, run in contestants.items():
                found[name].append(run())
    print("| what | pictures/s | times one process |\n|---|---|---|")
    rates = {name: median(each) for name, each in found.items()}
    for name, rate in rates.items():
        print(f"| {name} | {rate:.1f} | {rate / rates['caption.py, one process']:.2f} |")


if __name__ == "__main__":
    main()
