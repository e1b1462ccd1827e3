"""The speed of Ray's actors against that of one process that uses all cores.

    python -m benchmarks.ray_captioning --photos flickr8k/images --pictures 800 --rounds 3

Measures pictures per second, from JPEG to a file of captions, for caption.py without Ray, for one
actor with one core, and for one actor per core. They take turns for several rounds, and the medians
are printed; the ratio is the median of the rounds' ratios. Starting Ray, the actors and their
models is not counted, nor that one actor may end before another: the clock of each actor runs from
the end of its first part to the end of its last. What the process or the actors computed is printed
as well: milliseconds of a core for each picture.
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

PART_SIZE = 100


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
        readings = {}  # process -> (seconds, seconds of a core, pictures) after each of its parts
        for report in caption_parts(job, plan, list(range(plan.parts)), actors):
            with contextlib.suppress(OSError):  # Ray ends an actor that has nothing left to do
                work = cpu_seconds(report.process)
                of_process = readings.setdefault(report.process, [])
                of_process.append((time.perf_counter(), work, report.pictures))
        rate = total_work = total = 0
        for of_process in readings.values():
            (start, work_before, _), *_, (end, work_after, _) = of_process
            pictures = sum(pictures for _, _, pictures in of_process[1:])
            rate += pictures / (end - start)
            total_work, total = total_work + work_after - work_before, total + pictures
        return rate, 1000 * total_work / total


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", required=True, help="folder of pictures")
    parser.add_argument("--pictures", type=int, default=800, help="default: 800")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument(
        "--actors", type=int, nargs="+", default=[1, os.cpu_count()], metavar="N",
        help="how many to measure (default: one, and one per core)",
    )  # fmt: skip
    options = parser.parse_args()
    least = 4 * PART_SIZE * max(options.actors)  # each actor's last report may be lost
    if options.pictures < least:
        parser.error(f"--pictures {options.pictures}: must be {least} or more")
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
