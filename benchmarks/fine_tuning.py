"""Fine-tuning from pixels in train.py, against the same model under Keras' compile() and fit().

    python -m benchmarks.fine_tuning --data flickr8k

All train the same captioner on the same photos and captions, EfficientNetV2-B0 at 224 pixels, from
the same layer on, batch normalisation frozen, by Adam, without augmentation. 16 rows are a step:

- ours, what train.py --fine-tune-from does in an epoch: a row is a picture with its 5 captions;
- fit() as tutorials write it: a row is a (picture, caption) pair, all settings of compile() as they
  are, captions padded to the longest of all, a tf.data pipeline that reads and prefetches in
  parallel. 16 pictures with 5 captions each, as pairs, would be a batch of 80 pictures, which takes
  5 times the memory;
- the best form of fit(): a row is a picture with its 5 captions there too, and XLA is off.

They take turns, each in a process of its own. The first epoch, which compiles, is not counted. The
medians of the rounds are printed.
"""

import argparse
import time
from statistics import median

import numpy as np

from benchmarks.processes import in_a_process_of_its_own

CAPTIONS, ROWS = 5, 16


def parts_of(data, pictures, layer):
    """(config, captioner, training set) that all contestants share."""
    import keras

    from captioner import TrainConfig, load_dataset
    from captioner.training.starting_point import new_captioner

    keras.utils.set_random_seed(0)
    config = TrainConfig(
        data=data, encoder_weights="none", fine_tune_from=layer, fine_tune_epochs=2, augment=False,
        word_targets=0, cache="", fine_tune_batch_size=ROWS,
    )  # fmt: skip
    training = load_dataset(data, split="train").subset(range(pictures))
    return config, new_captioner(config, training), training


def ours(data, pictures, layer):
    from captioner.training.data import TrainingData
    from captioner.training.distribution import OneDevice
    from captioner.training.stages import PixelStage

    config, captioner, training = parts_of(data, pictures, layer)
    prepared = TrainingData(config, captioner, training, training.subset([0]), print, False)
    stage = PixelStage(config, captioner, prepared, OneDevice(), print, False)
    stage.prepare(None)
    stage.run_epoch(0, [])
    return pictures * CAPTIONS / seconds(lambda: stage.run_epoch(1, []))


def with_fit(data, pictures, layer, together, **settings):
    """Captions a second of fit(), a picture with its captions `together` in a row or in pairs."""
    import keras
    import tensorflow as tf

    from captioner.training.batches import EncodedCaptions

    _, captioner, training = parts_of(data, pictures, layer)
    captioner.encoder.unfreeze_from(layer)
    encoded = EncodedCaptions(training.captions, captioner.vocabulary, max_length=40)
    words, targets = encoded.matrix(range(len(encoded)), len(encoded), encoded.lengths.max())
    paths = np.repeat(training.image_paths, 1 if together else CAPTIONS)
    each, length = CAPTIONS if together else 1, words.shape[1]
    size = (captioner.encoder.size,) * 2

    def read(path, words, targets):
        pixels = tf.image.resize(tf.io.decode_jpeg(tf.io.read_file(path), 3), size)
        return pixels, words, targets

    def as_inputs(pixels, words, targets):
        words, targets = (tf.reshape(ids, (ROWS * each, length)) for ids in (words, targets))
        return {"pixels": pixels, "words": words}, targets

    ids = [values.reshape(len(paths), each, length) for values in (words, targets)]
    rows = tf.data.Dataset.from_tensor_slices((paths, *ids)).shuffle(len(paths))
    rows = rows.map(read, tf.data.AUTOTUNE).batch(ROWS, drop_remainder=True).map(as_inputs)
    rows = rows.prefetch(tf.data.AUTOTUNE)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    captioner.compile(keras.optimizers.Adam(3e-4, global_clipnorm=5.0), loss, **settings)
    captioner.fit(rows, verbose=0)
    taken = seconds(lambda: captioner.fit(rows, verbose=0))
    return len(paths) // ROWS * ROWS * each / taken


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


CONTESTANTS = {
    "ours": ours,
    "fit(), a row a pair": lambda *given: with_fit(*given, together=False),
    "fit(), a row a picture with its captions": lambda *given: with_fit(
        *given, together=True, jit_compile=False
    ),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder of Flickr8k")
    parser.add_argument("--pictures", type=int, default=160)
    parser.add_argument("--fine-tune-from", default="all", help="layer, as for train.py")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        run = CONTESTANTS[options.contestant]
        print(run(options.data, options.pictures, options.fine_tune_from))
        return
    arguments = ["--data", options.data, "--pictures", str(options.pictures)]
    arguments += ["--fine-tune-from", options.fine_tune_from]
    found = {name: [] for name in CONTESTANTS}
    for _ in range(options.rounds):
        for name, rates in found.items():
            rates.append(in_a_process_of_its_own("benchmarks.fine_tuning", name, arguments))
    rates = {name: median(each) for name, each in found.items()}
    print("| what | captions/s | pictures/s | ours is faster by a factor of |\n|---|---|---|---|")
    for name, rate in rates.items():
        print(f"| {name} | {rate:.1f} | {rate / CAPTIONS:.1f} | {rates['ours'] / rate:.2f} |")


if __name__ == "__main__":
    main()
