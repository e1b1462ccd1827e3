"""Words per second in teacher-forced training, against PyTorch and Keras' own LSTM.

    pip install -r benchmarks/requirements.txt
    python -m benchmarks.training_speed --data flickr8k
    python -m benchmarks.training_speed --data flickr8k --attention

All train on captions of Flickr8k's train split with random numbers as features, 128 captions per
step. Real target words are counted, including the end word but not padding. Ours is what train.py
does in an epoch with a frozen CNN. PyTorch is in its fastest form: packed sequences, logits of real
words only, fused Adam. Keras, under compile() and fit(), pads all captions to the longest of all.
They take turns, each in a process of its own, because TensorFlow and PyTorch in one process compete
for the cores. Compiling and the first steps are not counted. The medians of the rounds are printed.
bfloat16 is --precision bfloat16 of train.py, and autocast of PyTorch.
"""

import argparse
import time
from statistics import median

import numpy as np

from benchmarks.processes import in_a_process_of_its_own

PICTURES, CHANNELS, REGIONS, BATCH = 1000, 1280, 49, 128


def captions_of(data):
    """The encoded captions of some pictures, and the vocabulary of all pictures."""
    from captioner import Vocabulary, load_dataset
    from captioner.training.batches import EncodedCaptions

    train = load_dataset(data, split="train")
    vocabulary = Vocabulary.build(text for texts in train.captions for text in texts)
    return EncodedCaptions(train.captions[:PICTURES], vocabulary, max_length=40), vocabulary


def features(attention):
    shape = (PICTURES, REGIONS, CHANNELS) if attention else (PICTURES, CHANNELS)
    return np.random.default_rng(0).random(shape, dtype="float32")


def our_model(vocabulary, run_eagerly=False, **settings):
    """The model that train.py trains, with these settings."""
    from captioner import Captioner, Decoder, Encoder, TrainConfig
    from captioner.decoder_settings import DECODER_SETTINGS
    from captioner.training.optimizers import Adam
    from captioner.training.teacher_forcing import TeacherForcing

    config = TrainConfig(**settings)
    chosen = {name: getattr(config, name) for name in DECODER_SETTINGS}
    decoder = Decoder(len(vocabulary), CHANNELS, **chosen)
    captioner = Captioner(Encoder("mobilenet_v2", size=32), decoder, vocabulary)
    model = TeacherForcing(captioner, config.label_smoothing)
    optimizer = Adam(config.learning_rate, global_clipnorm=config.clip_norm)
    model.compile(optimizer=optimizer, jit_compile=False, run_eagerly=run_eagerly)
    return model


def ours(data, attention, steps, precision="float32"):
    from captioner.compiled import products_in
    from captioner.training.batches import batches_of, filled
    from captioner.training.steps import CompiledSteps

    encoded, vocabulary = captions_of(data)
    model = our_model(vocabulary, attention="additive" if attention else "none")
    compiled, image = CompiledSteps(model), features(attention)
    captions_each = 5 if attention else 1
    pictures = BATCH // captions_each

    def step(batch):
        words, targets = encoded.matrix(batch.captions, batch.rows, batch.length)
        inputs = {"words": words, "image": filled(image[batch.pictures], pictures)}
        with products_in(precision):
            compiled.train(inputs, targets)
        return np.count_nonzero(targets)

    batches = batches_of(encoded, pictures, captions_each, np.random.default_rng(0))
    for batch in {batch.length: batch for batch in batches}.values():  # each shape is compiled
        step(batch)
    return timed(step, batches[:steps])


def with_torch(data, attention, steps, precision="float32"):
    from benchmarks.torch_peers import trainer

    encoded, vocabulary = captions_of(data)
    train = trainer(len(vocabulary), CHANNELS, attention, precision == "bfloat16")
    image = features(attention)

    def step(captions):
        length = encoded.lengths[captions].max()
        words, targets = encoded.matrix(captions, len(captions), length)
        train(words, targets, image[encoded.pictures[captions]])
        return np.count_nonzero(targets)

    order = np.random.default_rng(0).permutation(len(encoded))
    batches = [order[start : start + BATCH] for start in range(0, len(order) - BATCH, BATCH)]
    for batch in batches[-3:]:
        step(batch)
    return timed(step, batches[:steps])


def with_keras_lstm(data, attention, steps):
    import keras
    from keras import layers

    encoded, vocabulary = captions_of(data)
    chosen = np.random.default_rng(0).permutation(len(encoded))[: steps * BATCH]
    words, targets = encoded.matrix(chosen, len(chosen), encoded.lengths.max())
    image = features(attention)[encoded.pictures[chosen]]

    word_input = layers.Input((None,), dtype="int32")
    image_input = layers.Input((CHANNELS,))
    vectors = layers.Embedding(len(vocabulary), 256)(word_input)
    seen = layers.RepeatVector(words.shape[1])(layers.Dense(512)(image_input))
    mask = layers.Embedding(len(vocabulary), 1, mask_zero=True).compute_mask(word_input)
    hidden = layers.LSTM(512, return_sequences=True)(
        layers.Concatenate()([vectors, seen]), mask=mask
    )
    logits = layers.Dense(len(vocabulary))(layers.Dropout(0.5)(hidden))
    model = keras.Model([word_input, image_input], logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    model.compile(optimizer=keras.optimizers.Adam(2e-3, global_clipnorm=5.0), loss=loss)
    model.fit([words, image], targets, BATCH, epochs=1, verbose=0)
    start = time.perf_counter()
    model.fit([words, image], targets, BATCH, epochs=1, verbose=0)
    return np.count_nonzero(targets) / (time.perf_counter() - start)


def timed(step, batches):
    """Words a second of the steps."""
    start = time.perf_counter()
    words = sum(step(batch) for batch in batches)
    return words / (time.perf_counter() - start)


CONTESTANTS = {
    "ours": ours,
    "ours, bfloat16": lambda *given: ours(*given, precision="bfloat16"),
    "PyTorch": with_torch,
    "PyTorch, bfloat16": lambda *given: with_torch(*given, precision="bfloat16"),
    "keras.layers.LSTM": with_keras_lstm,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder of Flickr8k")
    parser.add_argument("--attention", action="store_true", help="on 49 regions")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        print(CONTESTANTS[options.contestant](options.data, options.attention, options.steps))
        return
    names = [name for name in CONTESTANTS if not (options.attention and "keras" in name)]
    arguments = ["--data", options.data, "--steps", str(options.steps)]
    arguments += ["--attention"] * options.attention
    found = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in names:
            found[name].append(
                in_a_process_of_its_own("benchmarks.training_speed", name, arguments)
            )
    print("| what | words/s | ours is faster by a factor of | ours, bfloat16 |\n|---|---|---|---|")
    rates = {name: median(each) for name, each in found.items()}
    for name, rate in rates.items():
        shown = " | ".join(f"{rates[mine] / rate:.2f}" for mine in names[:2])
        print(f"| {name} | {rate:,.0f} | {shown} |")


if __name__ == "__main__":
    main()
