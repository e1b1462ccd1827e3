"""Does a data set of COCO's size fit? The time to read it, and the memory to train on it.

    python -m benchmarks.coco_size

Makes 118,000 pictures with 590,000 captions of random words in a temporary folder. The pictures are
empty files and their features random numbers, because only sizes matter here. Runs a few training
steps at each caption length, with train.py's defaults. Takes about 3 minutes and 700 MB of disk.
Linux only.
"""

import json
import pathlib
import tempfile
import time

import numpy as np

PICTURES, CAPTIONS_EACH, WORDS = 118_000, 5, 9_000


def make_annotations(folder):
    """Writes a captions_train.json of COCO's size, and the empty pictures."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.poisson(9.5, PICTURES * CAPTIONS_EACH), 5, 45)
    words = np.minimum(rng.zipf(1.3, lengths.sum()), WORDS)
    captions = [
        " ".join(f"word{word}" for word in part) for part in np.split(words, lengths.cumsum()[:-1])
    ]
    images = [{"id": n, "file_name": f"{n:012}.jpg"} for n in range(PICTURES)]
    annotations = [
        {"id": n, "image_id": n // CAPTIONS_EACH, "caption": text}
        for n, text in enumerate(captions)
    ]
    path = folder / "captions_train.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    (folder / "images").mkdir()
    for image in images:
        (folder / "images" / image["file_name"]).touch()
    return path


def make_features(path, channels):
    """Features in the form of the cache: a memory-mapped array on disk."""
    features = np.lib.format.open_memmap(path, "w+", np.float16, (PICTURES, channels))
    rng = np.random.default_rng(0)
    for start in range(0, PICTURES, 1000):
        features[start : start + 1000] = rng.random((1000, channels))
    features.flush()
    return np.load(path, mmap_mode="r")


def memory():
    """Memory of this process in GB: its own, and that with mapped files (libraries, features)."""
    with open("/proc/self/status", encoding="utf-8") as file:
        values = dict(line.split(":") for line in file if line.startswith("Rss"))
    kilobytes = {name: int(value.split()[0]) for name, value in values.items()}
    return kilobytes["RssAnon"] / 1e6, sum(kilobytes.values()) / 1e6


def report(what, start):
    own, whole = memory()
    print(f"{what:32} {time.time() - start:6.1f} s   {own:.2f} GB   {whole:.2f} GB", flush=True)


def main():
    from captioner import TrainConfig, load_dataset
    from captioner.training.batches import EncodedCaptions, caption_batches
    from captioner.training.starting_point import new_captioner
    from captioner.training.steps import CompiledSteps
    from captioner.training.teacher_forcing import TeacherForcing

    print(f"{'':32} {'time':>8}   {'own':7}   with files")
    report("libraries", time.time())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_annotations(folder)
        start = time.time()
        dataset = load_dataset(folder, split="train")
        report(f"{len(dataset):,} pictures read", start)
        start, config = time.time(), TrainConfig()
        captioner = new_captioner(config, dataset)
        encoded = EncodedCaptions(dataset.captions, captioner.vocabulary, config.max_length)
        report(f"{len(encoded):,} captions as ids", start)
        features = make_features(folder / "features.npy", captioner.encoder.channels)
        model = TeacherForcing(captioner, config.label_smoothing)
        model.compile(optimizer="adam", jit_compile=False)
        steps = CompiledSteps(model)
        batches = caption_batches(encoded, config.batch_size, np.random.default_rng(0))
        first = {length: captions for captions, length in batches}
        start = time.time()
        for length, captions in sorted(first.items()):
            words, targets = encoded.matrix(captions, config.batch_size, length)
            image = np.zeros((config.batch_size, features.shape[1]), "float32")
            image[: len(captions)] = features[encoded.pictures[captions]]
            steps.train({"words": words, "image": image}, targets)
        report(f"steps of {min(first)} to {max(first)} words", start)


if __name__ == "__main__":
    main()
