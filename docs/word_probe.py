"""How well can the words of captions be predicted from a CNN's vector of the picture?

    python -m docs.word_probe --data flickr8k --encoder-weights FILE
    python -m docs.word_probe --data flickr8k --model everyday

A network with one hidden layer learns on the train split. From the pooled vector it predicts, for
each word seen with 20 pictures or more, the share of a picture's captions that have it. The mean
average precision over the words on dev is printed. In four minutes this shows whether a CNN is
worth training a captioner on.
"""

import argparse
from collections import Counter

import keras
import numpy as np

from captioner import Decoder, Encoder, Vocabulary, load_dataset
from captioner.captioner import Captioner, load_keras
from captioner.training.features import cached_features
from captioner.vocabulary import tokenize

LEAST_PICTURES = 20


def encoder_of(options):
    """The CNN to test, at the given size."""
    if options.model:
        return load_keras(options.model).encoder.at_size(options.size)
    encoder = Encoder(size=options.size)
    encoder.load_network_weights(options.encoder_weights)
    return encoder


def vectors(encoder, dataset):
    """The pooled vectors (pictures, channels), computed as in training."""
    blank = Decoder(5, encoder.channels, units=1, embedding=1)
    captioner = Captioner(encoder, blank, Vocabulary(["a"]))
    return cached_features(captioner, dataset.image_paths)[0].astype("float32")


def shares(dataset, words):
    """Share of each picture's captions that have each word, (pictures, words)."""
    columns = {word: column for column, word in enumerate(words)}
    found = np.zeros((len(dataset), len(words)), "float32")
    for row, captions in enumerate(dataset.captions):
        for caption in captions:
            for word in set(tokenize(caption)) & columns.keys():
                found[row, columns[word]] += 1 / len(captions)
    return found


def frequent_words(dataset):
    counts = Counter()
    for captions in dataset.captions:
        counts.update({word for caption in captions for word in tokenize(caption)})
    return [word for word, count in counts.items() if count >= LEAST_PICTURES]


def predictions(train, dev):
    """Trains the network on (vectors, shares); returns its predictions for dev's vectors."""
    keras.utils.set_random_seed(0)
    mean, spread = train[0].mean(axis=0), train[0].std(axis=0) + 1e-6
    (x, y), (dev_x, dev_y) = (((x - mean) / spread, y) for x, y in (train, dev))
    layers = keras.layers
    network = keras.Sequential(
        [
            layers.Dropout(0.3),
            layers.Dense(1024, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(y.shape[1], activation="sigmoid"),
        ]
    )
    network.compile(optimizer=keras.optimizers.Adam(3e-4), loss="binary_crossentropy")
    stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    network.fit(x, y, 64, epochs=30, validation_data=(dev_x, dev_y), callbacks=[stop], verbose=0)
    return network.predict(dev_x, verbose=0)


def average_precision(is_there, scores):
    ranked = is_there[np.argsort(-scores)]
    return (np.cumsum(ranked) / np.arange(1, len(ranked) + 1))[ranked].mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", help="take the CNN of this captioner")
    parser.add_argument("--encoder-weights", default="imagenet", help="or of this file")
    parser.add_argument("--size", type=int, default=224, help="pixels (default: 224)")
    options = parser.parse_args()
    train, dev = (load_dataset(options.data, split=split) for split in ("train", "val"))
    words = frequent_words(train)
    encoder = encoder_of(options)
    pairs = [(vectors(encoder, each), shares(each, words)) for each in (train, dev)]
    found, wanted = predictions(*pairs), pairs[1][1] > 0
    known = np.flatnonzero(wanted.any(axis=0))
    precision = np.mean([average_precision(wanted[:, n], found[:, n]) for n in known])
    print(f"{len(words)} words, mean average precision {precision:.4f}")


if __name__ == "__main__":
    main()
