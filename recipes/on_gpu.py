"""Trains the shipped model `everyday` on one GPU, in minutes.

With recipes/everyday_1_pixels.json and everyday_2_captions.json train.py does the same in hours on
2 cores. The CNN is fine-tuned on all photographs. The decoder first learns from captions without
pictures, then from photographs and from captions with imagined pictures. Here all photographs are
in the GPU's memory and an epoch is one program, so the GPU never waits. Needs jax[cuda12] and
optax, but no TensorFlow:

    KERAS_BACKEND=jax python -m recipes.on_gpu --data flickr8k coco \
        --cnn runs/flickr8k_2/best.keras --out runs/everyday.keras \
        --text coco/captions_text_only.txt flickr30k/captions_text_only.txt
"""

import argparse
import functools
import time

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax

import captioner
from captioner.encoder import Encoder
from captioner.images import read_images
from captioner.training.about import base_names
from captioner.training.augmentation import may_mirror
from captioner.training.batches import EncodedCaptions
from captioner.training.config import TrainConfig
from captioner.training.imagined import ImaginedPictures
from captioner.training.set_scores import scores_line, set_scores
from captioner.training.sources import load_sources, read_lines
from captioner.training.word_layer import frequent_words, word_shares
from captioner.vocabulary import Vocabulary

SIZE = 288  # pixels
LENGTH = 24  # words of a caption, including the end
BATCH = 128  # captions per step, and as many without pictures
PICTURES = 64  # per step of fine-tuning, each with 5 captions
WORDS = 1000  # that the CNN predicts while it learns
SMALLEST_CROP, COLOUR_CHANGE = 0.6, 0.2
WORD_DROPOUT, IMAGE_DROPOUT, DROPOUT, SMOOTHING = 0.2, 0.2, 0.5, 0.1
TEXT_WEIGHT, NOISE, WORD_WEIGHT = 0.5, 0.6, 0.1
MOST_RESIDUALS = 12000


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", required=True, metavar="DIR")
    parser.add_argument("--text", nargs="+", required=True, metavar="FILE")
    parser.add_argument("--cnn", required=True, metavar="FILE", help="captioner whose CNN is used")
    parser.add_argument("--out", required=True, metavar="FILE")
    parser.add_argument("--text-epochs", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--pixel-epochs", type=int, default=12)
    parser.add_argument("--decoders", type=int, default=3, help="number to train; the best is kept")
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


def train(options):
    log = Log()
    training, validation = load_sources(TrainConfig(data=options.data))
    vocabulary = Vocabulary.build((text for texts in training.captions for text in texts), 4)
    captions = EncodedCaptions(training.captions, vocabulary, LENGTH - 1)
    text = EncodedCaptions([[line] for line in read_lines(options.text)], vocabulary, LENGTH - 1)
    pixels = jnp.asarray(read_pixels(training.image_paths + validation.image_paths))
    log(f"{len(training)} pictures, {len(captions)} captions, {len(text)} captions without")

    cnn = CNN(captioner.load(options.cnn, runtime="keras").encoder)
    settings = {"vocabulary_size": len(vocabulary), "image_features": cnn.channels}
    decoder = captioner.Decoder(**settings, seed=options.seed)
    known = Known(captions, text, training, len(vocabulary), options.seed)
    network = captioner.Captioner(cnn.encoder, decoder, vocabulary)
    network.about = {"trained_with": {"recipe": "on_gpu.py", **without_folders(vars(options))}}
    judge = Judge(network, validation, log)

    read = learn(known, text_loss, weights_of(decoder), options.text_epochs, rate=2e-3, rows=256,
                 of=text)  # fmt: skip
    log("text first")
    known.see(cnn, pixels)
    weights = learn(known, caption_loss, read, options.epochs, rate=2e-3)
    if options.pixel_epochs:
        weights = fine_tune(cnn, known, pixels, weights, options.pixel_epochs)
        known.see(cnn, pixels)
    best = judge(weights, known.unseen, "before the last decoders")
    network.save(options.out, storage="float16")
    for number in range(options.decoders):
        weights = learn(known, caption_loss, read, options.epochs, rate=2e-3)
        score = judge(weights, known.unseen, f"decoder {number + 1}, learned anew")
        if score > best:
            best = score
            network.save(options.out, storage="float16")
    log(f"best CIDEr {best:.4f}: {options.out}")


def without_folders(settings):
    """The settings, with only the last part of each path."""
    paths = ("data", "text", "cnn", "out")
    return {**settings, **{name: base_names(settings[name]) for name in paths}}


class Log:
    """Prints lines with the time in seconds since the start."""

    def __init__(self):
        self._start = time.time()

    def __call__(self, line):
        print(f"{time.time() - self._start:5.0f} s  {line}", flush=True)


def read_pixels(paths):
    """uint8 array (pictures, size, size, 3)."""
    found = np.empty((len(paths), SIZE, SIZE, 3), np.uint8)
    for number, _, result in read_images(paths, (SIZE, SIZE)):
        if isinstance(result, Exception):
            raise result
        found[number] = result
    return found


class CNN:
    """The encoder as functions of its weights, exact and in half precision for training.

    Args:
        encoder: Encoder.
    """

    def __init__(self, encoder):
        self.encoder = encoder.at_size(SIZE)
        self.channels = encoder.channels
        keras.config.set_dtype_policy("mixed_bfloat16")
        half = Encoder(encoder.backbone, SIZE)
        keras.config.set_dtype_policy("float32")
        half.network.set_weights(self.encoder.network.get_weights())
        self._exact, self._half = self.encoder.network, half.network
        for each in (self.encoder, half):
            each.unfreeze_from("all")
        self._fixed = [variable.value for variable in self._exact.non_trainable_variables]
        self._see = jax.jit(functools.partial(self.see, exact=True))

    @property
    def weights(self):
        return [variable.value for variable in self._exact.trainable_variables]

    def take(self, weights):
        for variable, value in zip(self._exact.trainable_variables, weights, strict=True):
            variable.assign(value)

    def see(self, weights, pixels, exact=False):
        """The vectors (pictures, channels) of pixels 0 to 255."""
        network = self._exact if exact else self._half
        grid, _ = network.stateless_call(weights, self._fixed, pixels, training=False)
        return jnp.mean(grid.astype(jnp.float32), axis=(1, 2))

    def see_all(self, pixels, mirrored=False):
        """The vectors of all pictures, as the CNN is now."""
        weights, found = self.weights, []
        for start in range(0, len(pixels), 256):
            part = pixels[start : start + 256]
            missing = 256 - len(part)
            part = jnp.pad(part, ((0, missing), (0, 0), (0, 0), (0, 0)))
            part = part[:, :, ::-1] if mirrored else part
            found.append(self._see(weights, part.astype(jnp.float32))[: 256 - missing])
        return jnp.concatenate(found)


class Known:
    """The training data, as arrays on the device.

    Attributes:
        captions, pictures: (captions, time) and (captions,), word ids and the picture of each.
        text: (captions, time), captions without pictures.
        views: (2, pictures, channels), vectors of the pictures and of their mirror images.
        unseen: (pictures, channels), vectors of the validation pictures.
        imagined: dict, the arrays from which pictures are imagined.
    """

    def __init__(self, captions, text, training, vocabulary_size, seed):
        self.rng = np.random.default_rng(seed)
        self.key = jax.random.PRNGKey(seed)
        self._encoded, self._words = captions, vocabulary_size
        self.captions, self.pictures = whole(captions), jnp.asarray(captions.pictures)
        self.text = whole(text)
        self.of_picture = five_each(captions)
        self.may_mirror = jnp.asarray([may_mirror(texts) for texts in training.captions])
        frequent = frequent_words(captions, WORDS)
        self.shares = jnp.asarray(word_shares(captions, len(training), frequent))

    def see(self, cnn, pixels):
        """Encodes the pictures with the CNN as it is now, and fits vectors to words."""
        count = len(self.may_mirror)
        vectors, mirrored = cnn.see_all(pixels), cnn.see_all(pixels[:count], mirrored=True)
        self.views = jnp.stack([vectors[:count], mirrored]).astype(jnp.float16)
        self.unseen = vectors[count:]
        fit = ImaginedPictures(self._encoded, np.asarray(vectors[:count]), self._words, NOISE)
        some = self.rng.permutation(len(self.captions))[:MOST_RESIDUALS]
        real = vectors[:count][self.pictures[some]]
        predicted = fit.mean + jnp.asarray(fit.word_vectors)[self.captions[some]].sum(axis=1)
        self.imagined = {"mean": jnp.asarray(fit.mean), "words": jnp.asarray(fit.word_vectors),
                         "missed": (real - predicted).astype(jnp.float16)}  # fmt: skip

    def steps(self, items, rows):
        """The items of an epoch's steps, (steps, rows), in a new order; only whole steps."""
        order = self.rng.permutation(items)
        return order[: len(order) // rows * rows].reshape(-1, rows)

    def next_key(self):
        self.key, key = jax.random.split(self.key)
        return key


def whole(encoded):
    """All captions as (captions, LENGTH + 1) word ids from start to end, on the device."""
    words, targets = encoded.matrix(range(len(encoded)), len(encoded), LENGTH)
    return jnp.asarray(np.concatenate([words[:, :1], targets], axis=1))


def five_each(captions):
    """The numbers of five captions of each picture, (pictures, 5); some may repeat."""
    return np.stack([np.resize(numbers, 5) for numbers in captions.by_picture()])


def weights_of(decoder):
    """The weights of a Decoder under the names of the equations."""
    recurrent = decoder.recurrent[0].equation_weights()
    norm, projection = decoder.image_norm.get_weights(), decoder.image_projection.get_weights()
    logits = decoder.logits.get_weights()
    names = {"words": decoder.word_vectors.get_weights()[0], "scale": norm[0], "shift": norm[1],
             "image": projection[0], "image_bias": projection[1], "logits": logits[0],
             "logits_bias": logits[1], **recurrent}  # fmt: skip
    return {name: jnp.asarray(value) for name, value in names.items()}


def give_weights(decoder, weights):
    """Sets the weights of a Decoder; the inverse of `weights_of`."""
    value = {name: np.asarray(each) for name, each in weights.items()}
    decoder.word_vectors.set_weights([value["words"]])
    decoder.image_norm.set_weights([value["scale"], value["shift"]])
    decoder.image_projection.set_weights([value["image"], value["image_bias"]])
    decoder.logits.set_weights([value["logits"], value["logits_bias"]])
    names = ("w_xh", "w_ih", "w_hh", "bias")
    decoder.recurrent[0].set_equation_weights({name: value[name] for name in names})


def dropped(key, values, share):
    """Dropout, or the values unchanged if there is no key."""
    if key is None:
        return values
    return jnp.where(jax.random.uniform(key, values.shape) < share, 0.0, values / (1 - share))


def image_vector(w, vectors, key=None):
    """i of the equations from the CNN's vectors, as `Decoder` computes it."""
    vectors = dropped(key, vectors.astype(jnp.float32), IMAGE_DROPOUT)
    mean = vectors.mean(axis=-1, keepdims=True)
    spread = jnp.sqrt(vectors.var(axis=-1, keepdims=True) + 1e-3)
    return ((vectors - mean) / spread * w["scale"] + w["shift"]) @ w["image"] + w["image_bias"]


def logits_of(w, image, words, key=None):
    """The LSTM of `captioner.cells`, equations (6) to (10), with i at every step.

    Args:
        w: dict, from `weights_of`.
        image: (captions, features), from `image_vector`.
        words: (captions, time).
        key: JAX's random key for dropout, or None.

    Returns:
        (captions, time, vocabulary).
    """
    keys = (None, None) if key is None else jax.random.split(key)
    embedded = dropped(keys[0], w["words"][words], WORD_DROPOUT)
    inputs = embedded @ w["w_xh"] + (image @ w["w_ih"] + w["bias"])[:, None]

    def step(state, projected):
        hidden, memory = state
        gates = jnp.split(projected + hidden @ w["w_hh"], 4, axis=-1)
        input_gate, forget_gate, candidate, output_gate = gates
        memory = jax.nn.sigmoid(forget_gate) * memory
        memory += jax.nn.sigmoid(input_gate) * jnp.tanh(candidate)
        hidden = jax.nn.sigmoid(output_gate) * jnp.tanh(memory)
        return (hidden, memory), hidden

    zeros = jnp.zeros((len(words), len(w["w_hh"])))
    _, hidden = jax.lax.scan(step, (zeros, zeros), jnp.swapaxes(inputs, 0, 1), unroll=4)
    return dropped(keys[1], jnp.swapaxes(hidden, 0, 1), DROPOUT) @ w["logits"] + w["logits_bias"]


def word_loss(logits, targets):
    """The loss of `captioner.training.teacher_forcing.word_loss`."""
    chances = jax.nn.log_softmax(logits)
    right = jnp.take_along_axis(chances, targets[..., None], axis=-1)[..., 0]
    losses = -(1 - SMOOTHING) * right - SMOOTHING * chances.mean(axis=-1)
    return jnp.sum(losses * (targets > 0)) / jnp.sum(targets > 0)


def text_loss(w, known, rows, key):
    """The loss of captions without a picture: i = 0."""
    captions = known["text"][rows]
    nothing = jnp.zeros((len(rows), len(w["w_ih"])))
    return word_loss(logits_of(w, nothing, captions[:, :-1], key), captions[:, 1:])


def caption_loss(w, known, rows, key):
    """The loss of captions with their pictures, and of as many with imagined pictures."""
    keys = jax.random.split(key, 6)
    captions = known["captions"][rows]
    view = jax.random.randint(keys[0], rows.shape, 0, 2)
    vectors = known["views"][view, known["pictures"][rows]]
    others = known["text"][jax.random.randint(keys[1], rows.shape, 0, len(known["text"]))]
    imagined = known["mean"] + known["words"][others].sum(axis=1)
    missed = jax.random.randint(keys[2], rows.shape, 0, len(known["missed"]))
    imagined += NOISE * known["missed"][missed].astype(jnp.float32)
    both = image_vector(w, jnp.concatenate([vectors.astype(jnp.float32), imagined]), keys[3])
    read = jnp.concatenate([captions, others])
    logits, count = logits_of(w, both, read[:, :-1], keys[4]), len(rows)
    of_pictures = word_loss(logits[:count], captions[:, 1:])
    return of_pictures + TEXT_WEIGHT * word_loss(logits[count:], others[:, 1:])


def cosine(step, steps, peak):
    """The learning rate of `captioner.training.optimizers.learning_rate_at`."""
    warm = jnp.maximum(1, jnp.round(0.05 * steps))
    fall = 0.5 * (1 + jnp.cos(jnp.pi * (step - warm) / jnp.maximum(1, steps - warm)))
    return peak * jnp.where(step < warm, (step + 1) / warm, fall)


@functools.partial(jax.jit, static_argnames=("loss",))
def epoch_of(loss, w, state, known, order, key, step, steps, rate):
    """An epoch of Adam, with a step for each row of `order`."""
    adam = optax.chain(optax.clip_by_global_norm(5.0), optax.scale_by_adam(eps=1e-7))

    def one(carry, rows):
        w, state, key, step = carry
        key, own = jax.random.split(key)
        value, gradient = jax.value_and_grad(loss)(w, known, rows, own)
        update, state = adam.update(gradient, state, w)
        w = jax.tree.map(lambda a, b: a - cosine(step, steps, rate) * b, w, update)
        return (w, state, key, step + 1), value

    (w, state, _, step), losses = jax.lax.scan(one, (w, state, key, step), order)
    return w, state, step, losses.mean()


def learn(known, loss, w, epochs, rate, rows=BATCH, of=None):
    """The decoder learns from captions for some epochs; returns its weights."""
    arrays = {"captions": known.captions, "pictures": known.pictures, "text": known.text}
    if of is None:
        arrays |= {"views": known.views, **known.imagined}
    count = len(known.captions if of is None else of)
    state = optax.chain(optax.clip_by_global_norm(5.0), optax.scale_by_adam(eps=1e-7)).init(w)
    step, steps = jnp.zeros(()), jnp.asarray(count // rows * epochs, jnp.float32)
    for _ in range(epochs):
        order = jnp.asarray(known.steps(count, rows))
        w, state, step, value = epoch_of(loss, w, state, arrays, order, known.next_key(), step,
                                         steps, rate)  # fmt: skip
        print(f"         loss {float(value):.3f}", flush=True)
    return w


def augmented(pixels, key, may_mirror):
    """`captioner.training.augmentation.augment` for a batch (pictures, size, size, 3)."""
    count, keys = len(pixels), jax.random.split(key, 4)
    kept = jax.random.uniform(keys[0], (count, 2), minval=SMALLEST_CROP, maxval=1.0)
    scale = 1 / kept
    shift = -jax.random.uniform(keys[1], (count, 2)) * (1 - kept) * SIZE * scale

    def cropped(image, scale, shift):
        shape = (SIZE, SIZE, 3)
        return jax.image.scale_and_translate(image, shape, (0, 1), scale, shift, "linear",
                                             antialias=False)  # fmt: skip

    image = jax.vmap(cropped)(pixels.astype(jnp.float32), scale, shift)
    change = (3, count, 1, 1, 1)
    low, high = 1 - COLOUR_CHANGE, 1 + COLOUR_CHANGE
    light, contrast, colour = jax.random.uniform(keys[2], change, minval=low, maxval=high)
    image = jnp.clip(image * light, 0, 255)
    mean = grey(image).mean(axis=(1, 2), keepdims=True)
    image = jnp.clip(mean + (image - mean) * contrast, 0, 255)
    pale = grey(image)
    image = jnp.clip(pale + (image - pale) * colour, 0, 255)
    turned = may_mirror & (jax.random.uniform(keys[3], (count,)) < 0.5)
    return jnp.where(turned[:, None, None, None], image[:, :, ::-1], image)


def grey(image):
    return (image @ jnp.array([0.299, 0.587, 0.114]))[..., None]


def fine_tune(cnn, known, pixels, w, epochs, cnn_rate=3e-4, rate=5e-4):
    """CNN and decoder learn together from pixels; returns the decoder's weights."""
    usual = jnp.clip(known.shares.astype(jnp.float32).mean(axis=0), 1e-5, 1 - 1e-5)
    word_layer = {
        "scale": jnp.ones(cnn.channels),
        "shift": jnp.zeros(cnn.channels),
        "words": jnp.zeros((cnn.channels, len(usual))),
        "bias": jnp.log(usual / (1 - usual)),
    }
    adam = optax.scale_by_adam(eps=1e-7)

    def loss(weights, data, pictures, captions, key):
        keys = jax.random.split(key, 3)
        seen = augmented(data["pixels"][pictures], keys[0], data["may_mirror"][pictures])
        vectors = cnn.see(weights["cnn"], seen)
        read = data["captions"][captions].reshape(-1, LENGTH + 1)
        image = jnp.repeat(image_vector(weights["decoder"], vectors, keys[1]), 5, axis=0)
        of_captions = word_loss(
            logits_of(weights["decoder"], image, read[:, :-1], keys[2]), read[:, 1:]
        )
        layer = weights["word_layer"]
        mean, spread = vectors.mean(-1, keepdims=True), vectors.var(-1, keepdims=True)
        norm = (vectors - mean) / jnp.sqrt(spread + 1e-3) * layer["scale"] + layer["shift"]
        logits, shares = norm @ layer["words"] + layer["bias"], data["shares"][pictures]
        of_words = jnp.sum(jax.nn.softplus(logits) - logits * shares, axis=1).mean()
        return of_captions + WORD_WEIGHT * of_words, (of_captions, of_words)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def epoch_of_pixels(weights, state, data, order, key, step, steps):
        def one(carry, rows):
            weights, state, key, step = carry
            key, own = jax.random.split(key)
            pictures, captions = rows
            gradient, losses = jax.grad(loss, has_aux=True)(weights, data, pictures, captions, own)
            size = jnp.sqrt(sum(jnp.sum(each**2) for each in jax.tree.leaves(gradient)))
            gradient = jax.tree.map(lambda each: each * jnp.minimum(1.0, 5.0 / size), gradient)
            update, state = adam.update(gradient, state)
            weights = {
                name: jax.tree.map(
                    lambda a, b, peak=cnn_rate if name == "cnn" else rate: (
                        a - cosine(step, steps, peak) * b
                    ),
                    weights[name],
                    update[name],
                )
                for name in weights
            }
            return (weights, state, key, step + 1), losses

        (weights, state, _, step), losses = jax.lax.scan(one, (weights, state, key, step), order)
        return weights, state, step, jax.tree.map(jnp.mean, losses)

    count = len(known.may_mirror)
    data = {"pixels": pixels[:count], "may_mirror": known.may_mirror, "shares": known.shares,
            "captions": known.captions}  # fmt: skip
    weights = {"cnn": cnn.weights, "decoder": w, "word_layer": word_layer}
    weights = jax.tree.map(jnp.copy, weights)
    state, step = adam.init(weights), jnp.zeros(())
    steps = jnp.asarray(count // PICTURES * epochs, jnp.float32)
    for _ in range(epochs):
        pictures = known.steps(count, PICTURES)
        captions = known.of_picture[pictures].reshape(len(pictures), -1)
        order = (jnp.asarray(pictures), jnp.asarray(captions))
        weights, state, step, losses = epoch_of_pixels(weights, state, data, order,
                                                       known.next_key(), step, steps)  # fmt: skip
        print("         loss {:.3f}, of words {:.3f}".format(*map(float, losses)), flush=True)
    cnn.take(weights["cnn"])
    return weights["decoder"]


class Judge:
    """Scores captions of the validation pictures, by beam search with both repetition rules."""

    def __init__(self, network, validation, log):
        self._network, self._validation, self._log = network, validation, log

    def __call__(self, weights, vectors, title):
        """Gives the network these weights, and returns its mean CIDEr."""
        network = self._network
        give_weights(network.decoder, weights)
        network.generation |= {"max_length": LENGTH, "no_repeat_ngram": 2, "no_repeat_word": True}
        found = network.decode(np.asarray(vectors), **network.search_settings({}))
        captions = {number: each[0].text for number, each in enumerate(found)}
        scores = set_scores(self._validation, captions)
        network.about["validation"] = scores
        self._log(f"{title}: {scores_line(self._validation, scores)}")
        return scores["CIDEr"]


if __name__ == "__main__":
    main()
