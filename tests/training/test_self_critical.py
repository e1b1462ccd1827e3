"""Self-critical training: what is drawn, what it is worth, and that the worth rises."""

import keras
import numpy as np
import pytest

from captioner import Captioner, Decoder, Encoder, Vocabulary
from captioner.metrics.cider import CiderD
from captioner.training.batches import EncodedCaptions
from captioner.training.self_critical import (
    Reward,
    Sampler,
    SelfCritical,
    advantages,
    as_inputs,
    draw,
)
from captioner.training.steps import CompiledSteps
from captioner.training.teacher_forcing import TeacherForcing, forbid, word_loss
from captioner.vocabulary import END, PAD, START, UNKNOWN

SAYINGS = ["a red dog runs", "two cats", "a boy with a ball", "one blue bus"]


def test_a_word_is_drawn_as_often_as_it_is_probable():
    probabilities = np.array([0.1, 0.2, 0.0, 0.3, 0.4], "float32")
    chances = (np.arange(1000, dtype="float32") + 0.5) / 1000
    logits = np.log(np.maximum(probabilities, 1e-12))[None].repeat(1000, axis=0)
    drawn = np.bincount(np.asarray(draw(logits, chances)), minlength=5)
    np.testing.assert_allclose(drawn / 1000, probabilities, atol=0.0015)


def test_the_ends_of_chance_are_words_too():
    logits = np.zeros((2, 3), "float32")
    assert list(np.asarray(draw(logits, np.array([0, 1], "float32")))) == [0, 2]


def test_padding_start_and_unknown_are_never_drawn():
    logits = forbid(np.zeros((50, 6), "float32"))
    chance = np.linspace(0, 1, 50, dtype="float32")
    assert set(np.asarray(draw(logits, chance)).tolist()) == {END, 4, 5}


@pytest.fixture(params=["none", "additive"])
def learner(request, real_mobilenet):
    """An untrained captioner of the sayings' words."""
    keras.utils.set_random_seed(0)
    vocabulary = Vocabulary.build(SAYINGS, min_count=1)
    encoder = Encoder("mobilenet_v2", size=32)
    decoder = Decoder(
        len(vocabulary), encoder.channels, units=32, embedding=16, image_units=16,
        attention=request.param, attention_units=8,
    )  # fmt: skip
    return Captioner(encoder, decoder, vocabulary)


def images(learner, count):
    shape = (count, *learner.image_shape)
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.long
def test_samples_are_what_the_steps_make_probable(learner):
    image, chance = images(learner, 2), np.random.default_rng(1).random((6, 5), dtype="float32")
    words = Sampler(learner).run({"image": image, "chance": chance})
    context, state = learner.decoder.start(np.repeat(image, 3, axis=0))
    last = np.full(6, START)
    ended = np.zeros(6, bool)
    for t in range(5):
        log_probs, state = learner.decoder.step(last, context, state)
        probabilities = np.exp(np.asarray(log_probs, "float64"))
        probabilities[:, [PAD, START, UNKNOWN]] = 0
        cumulated = np.cumsum(probabilities, axis=1) / probabilities.sum(axis=1, keepdims=True)
        wanted = (cumulated < chance[:, t, None]).sum(axis=1)
        np.testing.assert_array_equal(words[:, t], np.where(ended, PAD, wanted))
        last = words[:, t]
        ended |= last == END


def test_the_reward_is_cider_d_with_the_end_as_a_word():
    captions = [["A red dog runs.", "a dog"], ["two cats", "cats asleep"], ["a bus"]]
    vocabulary = Vocabulary(["a", "red", "dog", "runs", "two", "cats"])
    reward = Reward(captions, vocabulary)
    words = np.array(
        [[*vocabulary.encode("a red dog"), END], [*vocabulary.encode("two cats"), 0, 0]]
    )
    references = {
        0: [["a", "red", "dog", "runs", "<end>"], ["a", "dog", "<end>"]],
        1: [["two", "cats", "<end>"], ["cats", "asleep", "<end>"]],
        2: [["a", "bus", "<end>"]],
    }
    wanted = CiderD(references).score([(0, ["a", "red", "dog", "<end>"]), (1, ["two", "cats"])])
    np.testing.assert_allclose(reward(np.array([0, 1]), words), wanted)


def test_a_caption_that_breaks_off_is_worth_less():
    vocabulary = Vocabulary.build(SAYINGS, min_count=1)
    reward = Reward([[text] for text in SAYINGS], vocabulary)
    [ended, broken] = [[*vocabulary.encode(SAYINGS[2]), END], [*vocabulary.encode(SAYINGS[2]), 0]]
    worth = reward(np.array([2, 2]), np.array([ended, broken]))
    assert worth[0] == pytest.approx(10)
    assert worth[1] < 9


def test_the_advantage_is_over_the_mean_of_the_others():
    gain = advantages(np.array([[1.0, 2.0, 6.0], [3.0, 3.0, 3.0]]))
    np.testing.assert_allclose(gain, [[1 - 4, 2 - 3.5, 6 - 1.5], [0, 0, 0]])


def test_samples_as_inputs():
    inputs, targets = as_inputs(np.array([[4, 5, END, PAD], [4, 4, 5, 4]]), 4)
    np.testing.assert_array_equal(inputs, [[START, 4, 5, PAD], [START, 4, 4, 5]])
    np.testing.assert_array_equal(targets, [[4, 5, END, PAD], [4, 4, 5, 4]])


def test_the_loss_weighs_each_captions_log_probability_by_its_advantage():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, 6)).astype("float32")
    targets = np.array([[4, 5, END], [5, END, PAD]])
    gain = np.array([0.5, -2.0], "float32")
    said = np.where(np.isin(np.arange(6), [PAD, START, UNKNOWN]), -np.inf, logits)
    log_probs = said - np.log(np.exp(said).sum(-1, keepdims=True))
    first = log_probs[0, 0, 4] + log_probs[0, 1, 5] + log_probs[0, 2, END]
    second = log_probs[1, 0, 5] + log_probs[1, 1, END]
    learner = Captioner(
        Encoder("mobilenet_v2", size=32), Decoder(6, 1280, units=4), Vocabulary(["a", "b"])
    )
    loss = SelfCritical(learner).compute_loss(
        y=targets, y_pred={"logits": logits}, sample_weight=gain
    )
    assert float(loss) == pytest.approx(-(0.5 * first - 2 * second) / 5, rel=1e-5)
    people = {
        "teacher_words": np.array([[START, 4, UNKNOWN]]),
        "teacher_targets": np.array([[4, UNKNOWN, END]]),
        "image": rng.normal(size=(1, 1280)).astype("float32"),
    }
    taught = word_loss(
        people["teacher_targets"], learner.decoder(people["teacher_words"], people["image"]), 0.1
    )
    both = SelfCritical(learner, teacher_weight=0.5, label_smoothing=0.1)
    total = both.compute_loss(people, targets, {"logits": logits}, gain)
    assert float(total) == pytest.approx(float(loss) + 0.5 * float(taught), rel=1e-5)
    targets[0, 0] = UNKNOWN  # people's captions, in validation, have words it does not know
    plain = SelfCritical(learner).compute_loss(y=targets, y_pred=logits, training=False)
    assert float(plain) == pytest.approx(float(word_loss(targets, logits)))


@pytest.mark.long
def test_the_reward_rises(learner):
    """The decoder first learns every saying for every picture: a quarter of what it says is right.
    Which saying belongs to which picture, only the rewards tell."""
    image, samples, longest = images(learner, 4), 8, 6
    learner.encoder.freeze()
    encoded = EncodedCaptions([SAYINGS] * 4, learner.vocabulary, longest)
    words, targets = encoded.matrix(range(16), 16, longest)
    teacher = CompiledSteps(compiled(TeacherForcing(learner), 0.01))
    for _ in range(60):
        teacher.train({"words": words, "image": image}, targets)
    reward = Reward([[text] for text in SAYINGS], learner.vocabulary)
    steps, sampler = CompiledSteps(compiled(SelfCritical(learner), 0.003)), Sampler(learner)
    rng = np.random.default_rng(0)
    means = []
    for _ in range(100):
        chance = rng.random((4 * samples, longest), dtype="float32")
        words = sampler.run({"image": image, "chance": chance})
        scores = reward(np.repeat(np.arange(4), samples), words).reshape(4, samples)
        means.append(scores.mean())
        inputs, targets = as_inputs(words, longest)
        gain = advantages(scores).reshape(-1).astype("float32")
        steps.train({"words": inputs, "image": image}, targets, gain)
    # With no look at the picture no more than a quarter of the full 10 can be had.
    assert np.mean(means[:5]) < 2.5
    assert np.mean(means[-5:]) > 2.8


def compiled(model, learning_rate):
    model.compile(optimizer=keras.optimizers.Adam(learning_rate), jit_compile=False)
    return model
