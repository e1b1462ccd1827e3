"""The speed of Ray's actors against that of one process that uses all cores.

    python -m benchmarks.ray_captioning --photos flickr8k/images --pictures 600 --rounds 3

Measures pictures per second, from JPEG to a file of captions, for caption.py without Ray, for one
actor with one core, and for one actor per core. They take turns for several rounds, and the medians
are printed; the ratio is the median of the rounds' ratios. Starting Ray, the actors and their
models is not counted: the clock starts when each actor has finished a part. What the process or the
actors computed is printed as well: milliseconds of a core for each picture.
"""

import argparse
import contextlib
import functools
import glob
import os
import tempfile
import time
from statistics import median

from benchmarks.processes import cpu_seconds
from captioner.bulk.model_files import ModelFiles
from captioner.bulk.object_stores import ObjectStores
from captioner.bulk.part_formats import FORMATS
from captioner.bulk.parts_folder import PartsFolder
from captioner.bulk.ray_actors import Job, caption_parts
from captioner.bulk.ray_cluster import connected
from captioner.lite_captioner import LiteCaptioner
from captioner.models import ModelChoice
from captioner.presets import DEFAULT_PRESET, exported_form

PART_SIZE = 50


def without_ray(model, paths):
    """Pictures per second, and milliseconds of a core for each."""
    start, work = time.perf_counter(), time.process_time()
    count = sum(1 for _ in model.generate_all(paths, 32))
    taken = time.perf_counter() - start
    return count / taken, 1000 * (time.process_time() - work) / count


def by_actors(actors, paths):
    """The same, for actors of Ray."""
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
        begun, count = set(), 0
        for report in caption_parts(job, plan, list(range(plan.parts)), actors):
            if len(begun) < actors:
                begun.add(report.process)
                start, before = time.perf_counter(), sum(map(cpu_seconds, begun))
                continue
            count += report.pictures
            end = time.perf_counter()
            with contextlib.suppress(OSError):  # Ray ends an actor that has nothing left to do
                work, done = sum(map(cpu_seconds, begun)) - before, count
        return count / (end - start), 1000 * work / done


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", required=True, help="folder of pictures")
    parser.add_argument("--pictures", type=int, default=600, help="default: 600")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument(
        "--actors", type=int, nargs="+", default=[1, os.cpu_count()], metavar="N",
        help="how many to measure (default: one, and one per core)",
    )  # fmt: skip
    options = parser.parse_args()
    paths = sorted(glob.glob(os.path.join(options.photos, "*.jpg")))[: options.pictures]
    paths = [os.path.abspath(path) for path in paths]
    model = LiteCaptioner(exported_form(DEFAULT_PRESET))
    alone = "caption.py, one process"
    contestants = {alone: lambda: without_ray(model, paths)}
    for actors in options.actors:
        contestants[f"--engine ray --actors {actors}"] = functools.partial(by_actors, actors, paths)
    found = {name: [] for name in contestants}
    with connected(max(options.actors)):
        for _ in range(options.rounds):
            for name, run in contestants.items():
                found[name].append(run())
    print("| what | pictures/s | times one process | CPU ms |\n|---|---|---|---|")
    for name, readings in found.items():
        ratios = [one / other for (one, _), (other, _) in zip(readings, found[alone], strict=True)]
        rate, work = (median(each) for each in zip(*readings, strict=True))
        print(f"| {name} | {rate:.1f} | {median(ratios):.2f} | {work:.1f} |")


if __name__ == "__main__":
    main()
