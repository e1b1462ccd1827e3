"""Training: the loss, the batches, and a whole run on a few drawn scenes."""

import csv
import itertools
import json
import math
import os
from collections import Counter
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

from captioner import Captioner, Encoder, TrainConfig, load, train
from captioner.cli import main
from captioner.decoder import Decoder
from captioner.errors import CaptionerError
from captioner.generation import Caption
from captioner.presets import DEFAULT_PRESET
from captioner.training.batches import EncodedCaptions, caption_batches, picture_batches
from captioner.training.config import read_config_file
from captioner.training.distribution import OneDevice
from captioner.training.optimizers import TwoRateAdam, learning_rate_at, plateau_factor
from captioner.training.stages import _Stage, read_lines
from captioner.training.starting_point import extended, new_captioner
from captioner.training.teacher_forcing import TeacherForcing, word_loss
from captioner.vocabulary import END, START, Vocabulary
from tests.by_heart import learn_by_heart
from tests.conftest import make_captioner
from tests.datasets import SMALL, coco_document, make_colours, write_json

rng = np.random.default_rng(0)


def test_loss_is_the_mean_over_real_words():
    logits = rng.normal(size=(2, 3, 5)).astype("float32")
    targets = np.array([[4, 2, 0], [3, 0, 0]])
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = -(log_probs[0, 0, 4] + log_probs[0, 1, 2] + log_probs[1, 0, 3]) / 3
    np.testing.assert_allclose(word_loss(targets, logits), wanted, rtol=1e-5)
    everywhere = -(log_probs[0, 0] + log_probs[0, 1] + log_probs[1, 0]).mean() / 3
    smoothed = word_loss(targets, logits, label_smoothing=0.2)
    np.testing.assert_allclose(smoothed, 0.8 * wanted + 0.2 * everywhere, rtol=1e-5)


def test_penalties_and_smoothing_are_of_training_only(tiny_captioner):
    decoder = Decoder(11, tiny_captioner.encoder.channels, units=8, embedding=6, l2=0.1)
    captioner = Captioner(tiny_captioner.encoder, decoder, tiny_captioner.vocabulary)
    model = TeacherForcing(captioner, label_smoothing=0.2)
    words = np.array([[1, 4, 5]])
    targets = np.array([[4, 5, 2]])
    image = rng.normal(size=(1, decoder.image_features)).astype("float32")
    output = model({"words": words, "image": image}, training=True)
    logits = output["logits"]
    penalty = float(sum(model.losses))
    assert penalty > 0.1
    found = model.compute_loss(y=targets, y_pred=output, training=True)
    smoothed = word_loss(targets, logits, 0.2)
    np.testing.assert_allclose(found, smoothed + penalty, rtol=1e-5)
    found = model.compute_loss(y=targets, y_pred=logits, training=False)
    np.testing.assert_allclose(found, word_loss(targets, logits), rtol=1e-5)


def test_an_untrained_decoder_knows_nothing():
    decoder = Decoder(vocabulary_size=500, image_features=8, units=16, embedding=8)
    words = rng.integers(4, 500, size=(6, 7))
    image = rng.normal(size=(6, 8)).astype("float32")
    assert float(word_loss(words, decoder(words, image))) == pytest.approx(np.log(500), abs=0.1)


@pytest.mark.parametrize(
    ("cell", "implementation"),
    [("rnn", "custom"), ("lstm", "keras"), pytest.param("gru", "custom", marks=pytest.mark.long)],
)
def test_a_few_captions_are_learned_by_heart(cell, implementation):
    keras.utils.set_random_seed(0)
    decoder = Decoder(9, 6, units=32, embedding=16, cell=cell, implementation=implementation)
    learn_by_heart(decoder, rng.normal(size=(4, 6)).astype("float32"))


def test_what_comes_later_does_not_change_what_came_before():
    decoder = Decoder(20, 6, units=8, embedding=8, layers=2)
    words = rng.integers(4, 20, size=(2, 6))
    image = rng.normal(size=(2, 6)).astype("float32")
    changed = words.copy()
    changed[:, 4:] = 7
    before, after = (np.asarray(decoder(each, image)) for each in (words, changed))
    np.testing.assert_allclose(before[:, :4], after[:, :4], atol=1e-6)
    assert np.abs(before[:, 4:] - after[:, 4:]).max() > 1e-4


@pytest.mark.parametrize("better", [0, 2])
def test_the_rule_about_repeats_that_suits_the_data_is_stored(tmp_path, monkeypatch, better):
    make_colours(tmp_path)

    def decode(self, image, no_repeat_ngram=0, **search):
        text = "a red field" if no_repeat_ngram == better else "nothing of the kind"
        return [[Caption(text, 0.0, (), ())] for _ in image]

    monkeypatch.setattr(Captioner, "decode", decode)
    settings = dict(SMALL, data=str(tmp_path), units=4, epochs=1)
    settings["cache"] = str(tmp_path / "cache")
    model = train(TrainConfig(**settings), log=lambda line: None, progress=False)
    assert model.generation["no_repeat_ngram"] == better
    assert model.generation["no_repeat_word"] is False  # no better
    assert model.about["validation"]["CIDEr"] > 0.5


@pytest.mark.parametrize("better", [False, True])
def test_the_rule_about_words_is_stored_where_it_helps(tmp_path, monkeypatch, better):
    """Whichever of the two is better by the rule about ngrams that is chosen first, 2."""
    make_colours(tmp_path)

    def decode(self, image, no_repeat_ngram=0, no_repeat_word=False, **search):
        text = "red" if no_repeat_ngram else "nothing of the kind"
        text = "a red field" if (no_repeat_ngram, no_repeat_word) == (2, better) else text
        return [[Caption(text, 0.0, (), ())] for _ in image]

    monkeypatch.setattr(Captioner, "decode", decode)
    settings = dict(SMALL, data=str(tmp_path), units=4, epochs=1)
    settings["cache"] = str(tmp_path / "cache")
    model = train(TrainConfig(**settings), log=lambda line: None, progress=False)
    rules = {name: model.generation[name] for name in ("no_repeat_ngram", "no_repeat_word")}
    assert rules == {"no_repeat_ngram": 2, "no_repeat_word": better}
    assert model.about["validation"]["CIDEr"] > 0.5
    assert model.vocabulary.repeatable is not None


def test_in_memory_the_rule_of_the_best_epoch_is_kept(tmp_path, monkeypatch):
    """The first epoch is best, by one rule; in the second, worse one the other rule wins."""
    make_colours(tmp_path)
    calls = []

    def decode(self, image, no_repeat_ngram=0, no_repeat_word=False, **search):
        calls.append((no_repeat_ngram, no_repeat_word))
        texts = {1: "a red field", 2: "nothing", 3: "red", 4: "nothing", 5: "red", 6: "red field"}
        return [[Caption(texts[len(calls)], 0.0, (), ())] for _ in image]

    monkeypatch.setattr(Captioner, "decode", decode)
    settings = dict(SMALL, data=str(tmp_path), units=4, epochs=2, cache=str(tmp_path / "cache"))
    model = train(TrainConfig(**settings), log=lambda line: None, progress=False)
    tried = [(0, False), (2, False)]
    assert calls == [*tried, (0, True), *tried, (2, True)]
    assert model.about["epoch"] == 1
    assert model.generation["no_repeat_ngram"] == 0
    assert model.generation["no_repeat_word"] is False


def test_without_a_folder_the_best_captioner_is_kept_in_memory(tmp_path):
    make_colours(tmp_path)
    settings = dict(SMALL, data=str(tmp_path), units=16, epochs=5, learning_rate=0.02,
                    cache=str(tmp_path / "cache"))  # fmt: skip
    in_memory, on_disk = [], []
    quiet = {"log": lambda line: None, "progress": False}
    model = train(TrainConfig(**settings), after_epoch=in_memory.append, **quiet)
    out = str(tmp_path / "run")
    stored = train(TrainConfig(**settings, out=out), after_epoch=on_disk.append, **quiet)

    assert [row["CIDEr"] for row in in_memory] == [row["CIDEr"] for row in on_disk]
    assert model.about["epoch"] == stored.about["epoch"]
    for mine, theirs in zip(model.get_weights(), stored.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert model.generation == stored.generation
    with pytest.raises(CaptionerError, match="no run folder given to go on with"):
        train(TrainConfig(**settings), resume=True, **quiet)

    # One CNN for several runs; it stays as it is.
    before = stored.encoder.get_weights()
    again = train(TrainConfig(**settings), encoder=stored.encoder, **quiet)
    assert again.encoder is stored.encoder
    for old, new in zip(before, again.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_batches_hold_every_caption_once():
    vocabulary = Vocabulary(["a", "b"])
    texts = [["a " * n, "b a"] for n in range(1, 12)]
    encoded = EncodedCaptions(texts, vocabulary, max_length=8)
    assert encoded.cut == 3
    batches = caption_batches(encoded, 4, np.random.default_rng(0))
    assert sorted(n for numbers, _ in batches for n in numbers) == list(range(22))
    for numbers, length in batches:
        words, targets = encoded.matrix(numbers, 4, length)
        assert words.shape == targets.shape == (4, length)
        assert (words[: len(numbers), 0] == START).all()
        for row, number in enumerate(numbers):
            real = targets[row][targets[row] != 0]
            assert len(real) == encoded.lengths[number]
            is_cut = number % 2 == 0 and number // 2 + 1 > 8
            assert (real[-1] == END) != is_cut
            np.testing.assert_array_equal(words[row, 1 : len(real)], real[:-1])


def test_a_bucket_of_a_few_batches_joins_the_next_longer_one():
    counts = [2] * 40 + [6] * 6 + [10] * 30 + [14] * 2 + [22] + [26]
    texts = [["a " * length] for length in counts]
    encoded = EncodedCaptions(texts, Vocabulary(["a"]), max_length=30)
    batches = caption_batches(encoded, 4)  # a bucket is worth it from 8 batches of 4 on
    lengths = Counter(length for numbers, length in batches for _ in numbers)
    assert lengths == {4: 40, 12: 36, 24: 3, 28: 1}
    assert sorted(n for numbers, _ in batches for n in numbers) == list(range(len(texts)))
    batches = caption_batches(encoded, 4, most_lengths=2)
    lengths = Counter(length for numbers, length in batches for _ in numbers)
    assert lengths == {4: 40, 28: 40}
    assert sorted(n for numbers, _ in batches for n in numbers) == list(range(len(texts)))


def test_picture_batches_hold_every_picture_once_with_its_captions():
    texts = [["a"] * (1 + n % 3) for n in range(10)]
    encoded = EncodedCaptions(texts, Vocabulary(["a"]), max_length=8)
    batches = picture_batches(encoded, 4, 2, np.random.default_rng(0))
    assert sorted(n for pictures, _, _ in batches for n in pictures) == list(range(10))
    for pictures, captions, _ in batches:
        for picture, pair in zip(pictures, captions.reshape(-1, 2), strict=True):
            real = [n for n in pair if n >= 0]
            assert len(real) == min(2, len(texts[picture]))
            assert {encoded.pictures[n] for n in real} == {picture}


def test_learning_rate_rises_then_falls():
    rates = [learning_rate_at(step, 100, 1.0, "cosine", 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.001
    assert learning_rate_at(90, 100, 1.0, "constant", 0.1) == 1.0


def test_the_learning_rate_halves_on_a_plateau():
    assert plateau_factor([]) == plateau_factor([0.1, 0.2, 0.1]) == 1
    assert plateau_factor([0.1, 0.2, 0.1, 0.2]) == 0.5  # equal is no better
    assert plateau_factor([0.1, 0.2, 0.1, 0.2, 0.1]) == 0.5  # the wait begins anew
    assert plateau_factor([0.2, 0.1, 0.1, 0.3, 0.1, 0.1]) == 0.25
    assert learning_rate_at(90, 100, 1.0, "plateau", 0.1) == 1.0


@pytest.mark.parametrize("attention", ["none", "additive"])
@pytest.mark.parametrize("part", ["word_dropout", "image_dropout", "dropout"])
def test_dropout_hides_a_part_in_training_only(part, attention):
    settings = {"units": 8, "embedding": 8, "image_units": 5, "attention": attention}
    decoder = Decoder(20, 6, **settings, **{part: 1 - 1e-6}, seed=0)  # all of it, for once
    words = rng.integers(4, 20, size=(2, 3))
    shape = (2, 6) if attention == "none" else (2, 4, 6)
    image = rng.normal(size=shape).astype("float32")
    changes = {
        "word_dropout": (words[::-1], image),
        "image_dropout": (words, image[::-1]),
        "dropout": (words[::-1], image[::-1]),
    }
    for training in (True, False):
        whole, changed = (
            np.asarray(decoder(*inputs, training=training))
            for inputs in ((words, image), changes[part])
        )
        assert np.allclose(whole, changed) is training


def test_l2_is_part_of_the_loss_of_a_step(tiny_captioner):
    encoder, vocabulary = tiny_captioner.encoder, tiny_captioner.vocabulary
    decoder = Decoder(len(vocabulary), encoder.channels, units=8, embedding=6, l2=0.5)
    captioner = Captioner(encoder, decoder, vocabulary)
    inputs, targets = an_example(captioner)
    weights = decoder.recurrent[0].equation_weights()
    norm = sum((weights[name] ** 2).sum() for name in ("w_xh", "w_ih", "w_hh"))
    words = float(word_loss(targets, decoder(**inputs), label_smoothing=0.1))
    loss = stage_of(captioner).compiled.train(inputs, targets)
    assert loss == pytest.approx(words + 0.5 * norm, rel=1e-4)


def stage_of(captioner, **settings):
    """A stage that is ready to train a captioner from features, with no run around it."""
    config = TrainConfig(**settings)
    stage = _Stage(SimpleNamespace(captioner=captioner, config=config, devices=OneDevice(),
                                   train_captions=None))  # fmt: skip
    captioner.encoder.freeze()
    stage.compile(stage.teacher, learning_rate=0.01)
    return stage


def an_example(captioner, pictures=4, time=5):
    words = rng.integers(4, len(captioner.vocabulary), size=(pictures, time)).astype("int32")
    image = rng.normal(size=(pictures, *captioner.image_shape)).astype("float32")
    return {"words": words, "image": image}, np.roll(words, -1, axis=1)


def test_weight_averaging_keeps_the_moving_average(tiny_captioner):
    stage = stage_of(tiny_captioner, ema=0.75)
    variable = tiny_captioner.decoder.logits.kernel
    inputs, targets = an_example(tiny_captioner)
    passed = []
    for _ in range(3):
        stage.compiled.train(inputs, targets)
        passed.append(ops.convert_to_numpy(variable).copy())
    weights = stage.average_weights()
    wanted = 0.75 * (0.75 * passed[0] + 0.25 * passed[1]) + 0.25 * passed[2]
    np.testing.assert_allclose(variable, wanted, atol=1e-6)
    stage.put_back(weights)
    np.testing.assert_array_equal(variable, passed[-1])


def test_without_averaging_the_weights_stay(tiny_captioner):
    stage = stage_of(tiny_captioner)
    before = tiny_captioner.decoder.get_weights()
    stage.put_back(stage.average_weights())
    for one, other in zip(before, tiny_captioner.decoder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_scheduled_sampling_replaces_a_share_of_the_words(tiny_captioner):
    model = TeacherForcing(tiny_captioner, scheduled_sampling=0.8, seed=1)
    words = np.full((64, 12), 4, "int32")
    words[:, 0], words[:, 9:] = START, 0
    image = rng.normal(size=(64, *tiny_captioner.image_shape)).astype("float32")
    model.set_sampling(0.0)
    np.testing.assert_array_equal(model._partly_sampled(words, image), words)
    model.set_sampling(0.5)
    mixed = np.asarray(model._partly_sampled(words, image))
    np.testing.assert_array_equal(mixed[:, [0, 9, 10, 11]], words[:, [0, 9, 10, 11]])
    # Of 0.4 drawn anew, the words being about equally likely, one in eight is what it was: 0.35.
    assert (mixed[:, 1:9] != 4).mean() == pytest.approx(0.35, abs=0.06)
    assert not np.isin(mixed[:, 1:9], [0, START, 3]).any()


def test_scheduled_sampling_draws_without_dropout(tiny_captioner):
    encoder, vocabulary = tiny_captioner.encoder, tiny_captioner.vocabulary
    settings = {"units": 8, "embedding": 6, "attention": "additive", "attention_penalty": 1.0}
    decoder = Decoder(len(vocabulary), encoder.channels, **settings, dropout=0.9)
    captioner = Captioner(encoder, decoder, vocabulary)
    inputs, _ = an_example(captioner)
    model = TeacherForcing(captioner, scheduled_sampling=0.5, seed=0)
    asked = []  # how the decoder is called

    def call(*arguments, call=decoder.call, **settings):
        asked.append(settings["training"])
        return call(*arguments, **settings)

    decoder.call = call
    model(inputs, training=True)
    assert asked == [False, True]


def test_a_loss_that_is_no_number_names_the_rate_to_lower(tiny_captioner):
    with pytest.raises(CaptionerError, match=r"step 3: the loss is nan.*lower --learning-rate"):
        stage_of(tiny_captioner).require_finite(float("nan"), 3)


def test_scheduled_sampling_acts_in_training_only(tiny_captioner):
    model = TeacherForcing(tiny_captioner, scheduled_sampling=0.9, seed=1)
    model.set_sampling(1.0)
    inputs, _ = an_example(tiny_captioner, 16, 8)
    plain = np.asarray(model(inputs))
    np.testing.assert_array_equal(plain, tiny_captioner.decoder(inputs["words"], inputs["image"]))
    sampled = np.asarray(model(inputs, training=True)["logits"])
    assert np.abs(sampled - plain).max() > 1e-5


@pytest.mark.parametrize("attention", ["none", "additive"])
def test_a_captioner_goes_on_with_new_words(attention):
    keras.utils.set_random_seed(0)
    decoder = Decoder(6, 1280, units=8, embedding=6, attention=attention, layers=2)
    source = Captioner(Encoder("mobilenet_v2", size=32), decoder, Vocabulary(["a", "dog"]))
    made = extended(source, Vocabulary(["un", "a", "chien"]), TrainConfig(dropout=0.4))
    assert made.vocabulary.words == ["a", "dog", "un", "chien"]
    assert made.decoder.dropout == 0.4
    inputs, _ = an_example(source)
    before, after = (each.decoder(inputs["words"], inputs["image"]) for each in (source, made))
    np.testing.assert_allclose(np.asarray(after)[..., :6], before, atol=1e-6)
    assert after.shape[-1] == 8


def test_going_on_from_a_captioner_settles_what_it_is(tiny_captioner, tmp_path):
    path = str(tmp_path / "tiny.keras")
    tiny_captioner.save(path)
    training = SimpleNamespace(captions=[["a dog runs"]])
    config = TrainConfig(init_from=path, min_count=1)
    new_captioner(config, training)
    assert (config.units, config.embedding, config.encoder) == (8, 6, "mobilenet_v2")
    assert config.picture_size == tiny_captioner.picture_size
    for given in ({"units": 9}, {"attention": "additive"}, {"direction": "backward"}):
        with pytest.raises(CaptionerError, match="leave the flag out, or leave out --init-from"):
            new_captioner(TrainConfig(init_from=path, **given), training)


def test_going_on_with_larger_pictures(tiny_captioner, tmp_path):
    path = str(tmp_path / "tiny.keras")
    tiny_captioner.save(path)
    training = SimpleNamespace(captions=[["a dog runs"]])
    larger = tiny_captioner.picture_size + 32
    config = TrainConfig(init_from=path, picture_size=larger, min_count=1)
    made = new_captioner(config, training)
    assert made.picture_size == config.picture_size == larger
    for before, after in zip(
        tiny_captioner.encoder.get_weights(), made.encoder.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(before, after)


def test_the_cnn_and_the_size_of_its_pictures_are_chosen(tiny_captioner, tmp_path):
    path = str(tmp_path / "tiny.keras")
    tiny_captioner.save(path)
    training = SimpleNamespace(captions=[["a dog runs"]])
    small = new_captioner(TrainConfig(picture_size=64, min_count=1), training)
    assert small.picture_size == 64
    assert small.image_shape == (1280,)
    shipped = load(DEFAULT_PRESET).encoder
    for one, two in zip(small.encoder.get_weights(), shipped.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    of_a_model = {"encoder": "mobilenet_v2", "encoder_weights": path, "min_count": 1}
    taken = new_captioner(TrainConfig(**of_a_model), training)
    assert taken.picture_size == tiny_captioner.picture_size
    np.testing.assert_array_equal(
        taken.encoder.get_weights()[0], tiny_captioner.encoder.get_weights()[0]
    )
    with pytest.raises(CaptionerError, match=r"tiny\.keras has none for it"):
        new_captioner(TrainConfig(encoder_weights=path, min_count=1), training)
    fresh = TrainConfig(picture_size=64, encoder_weights="none", min_count=1)
    assert new_captioner(fresh, training).picture_size == 64
    made = new_captioner(TrainConfig(min_count=1), training)
    assert made.picture_size == shipped.size
    with pytest.raises(CaptionerError, match="picture size 20: efficientnet_v2_b0 wants 32"):
        new_captioner(TrainConfig(picture_size=20, min_count=1), training)


@pytest.mark.parametrize(
    "wrong",
    [{"encoder": "bogus"}, {"fine_tune_from": "bogus"}, {"text": "bogus"}, {"epochs": 0}],
)
def test_a_wrong_setting_leaves_no_run_behind(run, tmp_path, wrong):
    settings = run[0] | {"out": str(tmp_path / "run"), "fine_tune_from": "none"} | wrong
    with pytest.raises(CaptionerError, match=r"bogus|0 epochs"):
        train(TrainConfig(**settings), progress=False)
    assert not os.path.exists(settings["out"])


def test_slow_variables_move_less():
    slow, fast = keras.Variable([1.0]), keras.Variable([1.0])
    optimizer = TwoRateAdam([slow], 0.1, learning_rate=0.01)
    optimizer.apply([np.ones(1, "float32")] * 2, [slow, fast])
    assert 1 - float(fast[0]) == pytest.approx(0.01, rel=1e-3)
    assert 1 - float(slow[0]) == pytest.approx(0.001, rel=1e-3)


def test_no_gradient_reaches_a_frozen_encoder(tiny_captioner):
    tiny_captioner.encoder.freeze()
    model = TeacherForcing(tiny_captioner)
    assert {v.path for v in model.trainable_variables} == {
        v.path for v in tiny_captioner.decoder.trainable_variables
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of both stages on eight pictures of two colours."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("data")
    for split in ("train", "val"):
        captions = {}
        for n in range(8):
            colour = ("red", "blue")[n % 2]
            name = f"{split}{n}.png"
            Image.new("RGB", (224, 224), colour).save(folder / name)
            captions[name] = [f"a {colour} field", f"{colour} everywhere"]
        first_id = 1 if split == "train" else 101
        write_json(folder / f"captions_{split}.json", coco_document(captions, first_id))
    settings = {
        "data": str(folder), "out": str(folder / "run"), "cache": str(folder / "cache"),
        "encoder": "mobilenet_v2", "encoder_weights": "none", "units": 16, "embedding": 8,
        "image_units": 8, "epochs": 2, "batch_size": 8, "min_count": 1, "views": 2,
        "fine_tune_from": "block_16_project", "fine_tune_epochs": 1, "fine_tune_batch_size": 4,
    }  # fmt: skip
    lines = []
    model = train(TrainConfig(**settings), log=lines.append, progress=False)
    return settings, lines, model


def history(folder):
    with open(os.path.join(folder, "history.csv"), encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_what_it_should(run):
    settings, lines, model = run
    names = os.listdir(settings["out"])
    for name in ("config.json", "history.csv", "curves.png", "tensorboard", "last.keras"):
        assert name in names
    assert {"best-features.keras", "best-pixels.keras"} < set(names)
    caches = [name for name in os.listdir(settings["cache"]) if name.endswith(".npy")]
    assert len(caches) == 3  # training pictures in two views, validation pictures in one
    rows = history(settings["out"])
    assert [row["stage"] for row in rows] == ["features", "features", "pixels"]
    assert all(np.isfinite(float(row["val_loss"])) for row in rows)
    assert any("epoch 3 (pixels)" in line for line in lines)
    best = max(float(row["CIDEr"]) for row in rows)
    assert model.about["validation"]["CIDEr"] == pytest.approx(best)


def test_a_run_is_not_overwritten_but_goes_on(run):
    settings, _, _ = run
    with pytest.raises(CaptionerError, match="holds a run already"):
        train(TrainConfig(**settings), progress=False)
    for name, before, after in (
        ("units", 16, 17), ("text_weight", 0.5, 0.0), ("imagined_noise", 0.6, 1.0),
        ("word_targets", 1000, 10), ("word_weight", 0.1, 0.2), ("smallest_crop", 0.6, 0.8),
    ):  # fmt: skip
        with pytest.raises(CaptionerError, match=f"{name} was {before}, is {after}"):
            train(TrainConfig(**{**settings, name: after}), resume=True, progress=False)
    lines = []
    longer = TrainConfig(**{**settings, "fine_tune_epochs": 2})
    train(longer, resume=True, log=lines.append, progress=False)
    assert any("going on after epoch 3" in line for line in lines)
    first = next(line for line in lines if line.startswith("epoch"))
    assert first.startswith("epoch 4 (pixels)")


def stop_in(epoch):
    """A log that stops the run after this epoch, before it is saved."""

    def log(line):
        if line.startswith(f"epoch {epoch} "):
            raise KeyboardInterrupt

    return log


@pytest.fixture(scope="module")
def whole(run):
    """Settings of a run of all four stages, and what it came to."""
    text = run[0]["out"] + ".txt"
    with open(text, "w", encoding="utf-8") as file:
        file.write("a red field\nblue everywhere\n" * 8)
    settings = run[0] | {
        "out": run[0]["out"] + "-whole", "text": text, "text_epochs": 1, "epochs": 1,
        "attention": "additive", "attention_units": 8, "self_critical": 2, "teacher_weight": 0.5,
        "ema": 0.9, "schedule": "plateau", "scheduled_sampling": 0.5, "recurrent_dropout": 0.2,
    }  # fmt: skip
    lines = []
    model = train(TrainConfig(**settings), log=lines.append, progress=False)
    return settings, lines, model


def test_a_run_of_all_stages(whole):
    settings, lines, model = whole
    rows = history(settings["out"])
    assert [row["stage"] for row in rows] == ["text", "features", "pixels", "rewards", "rewards"]
    assert [row["reward"] == "" for row in rows] == [True, True, True, False, False]
    assert [row["train_loss"] == "" for row in rows] == [False, False, False, True, True]
    assert "features: from the weights of epoch 1" in lines
    assert any("samples for" in line for line in lines)
    assert "features" not in os.listdir(settings["out"])
    picture = os.path.join(settings["data"], "train0.png")
    caption = model.generate(picture, return_details=True)
    assert caption.attention.shape == (len(caption.words), 7, 7)


@pytest.mark.long  # test_killed_runs.py and test_distribution.py have the like of it
def test_a_stopped_run_ends_as_if_it_had_not_been_stopped(whole, tmp_path):
    settings = {**whole[0], "out": str(tmp_path / "run")}
    for resume, epoch in enumerate((2, 5)):  # after the text, amid the rewards
        with pytest.raises(KeyboardInterrupt):
            train(TrainConfig(**settings), bool(resume), log=stop_in(epoch), progress=False)
    train(TrainConfig(**settings), resume=True, progress=False)
    wanted, found = (history(folder) for folder in (whole[0]["out"], settings["out"]))
    assert len(found) == len(wanted)
    for one, other in zip(wanted, found, strict=True):
        for name in ("train_loss", "reward", "val_loss", "CIDEr", "learning_rate"):
            assert (one[name] == "") == (other[name] == "")
            assert float(other[name] or 0) == pytest.approx(float(one[name] or 0), rel=1e-5)
    wanted, found = (
        load(os.path.join(folder, "last.keras")) for folder in (whole[0]["out"], settings["out"])
    )
    for one, other in zip(wanted.weights, found.weights, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)


def test_a_run_goes_on_with_the_cnn_it_began_with(tmp_path):
    """Whatever has become of the file that it came from: another version of a shipped model."""
    make_colours(tmp_path)
    ends = []
    for name in ("whole", "stopped"):
        cnn = str(tmp_path / f"{name}.keras")
        settings = {**SMALL, "encoder_weights": cnn, "picture_size": 0, "data": str(tmp_path)}
        settings |= {"out": str(tmp_path / name), "cache": str(tmp_path / "cache"), "units": 8}
        make_captioner().save(cnn)
        config = TrainConfig(**settings, epochs=2)
        if name == "stopped":
            with pytest.raises(KeyboardInterrupt):
                train(config, log=stop_in(2), progress=False)
            keras.utils.set_random_seed(5)
            model = make_captioner()
            Captioner(Encoder("mobilenet_v2", 64), model.decoder, model.vocabulary).save(cnn)
        train(config, resume=name == "stopped", progress=False)
        ends.append(load(os.path.join(settings["out"], "last.keras")))
    assert ends[1].picture_size == 32
    for one, other in zip(ends[0].weights, ends[1].weights, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)


def test_a_run_whose_start_has_other_words_now_does_not_go_on(tmp_path):
    make_colours(tmp_path)
    start = str(tmp_path / "start.keras")
    make_captioner().save(start)
    settings = {"data": str(tmp_path), "out": str(tmp_path / "run"), "init_from": start}
    settings |= {"min_count": 1, "cache": str(tmp_path / "cache")}
    train(TrainConfig(**settings, epochs=1), progress=False)
    model = make_captioner()
    words = [*model.vocabulary.words[:-1], "snow"]
    Captioner(model.encoder, model.decoder, Vocabulary(words)).save(start)
    with pytest.raises(CaptionerError, match=r"start\.keras: has other words or sizes than when"):
        train(TrainConfig(**settings, epochs=2), resume=True, progress=False)


def test_a_stage_that_has_begun_cannot_be_left_out(whole):
    with pytest.raises(CaptionerError, match="is in its stage of rewards, which these settings"):
        train(TrainConfig(**whole[0] | {"self_critical": 0}), resume=True, progress=False)


def test_the_best_model_is_a_captioner(run):
    settings, _, _ = run
    model = load(os.path.join(settings["out"], "best.keras"))
    image = os.path.join(settings["data"], "train0.png")
    assert set(model.generate(image).split()) <= {"a", "red", "blue", "field", "everywhere"}


def test_a_run_tells_what_it_started_from(run, tmp_path):
    first = os.path.join(run[0]["out"], "best.keras")
    kept = ("data", "cache", "batch_size", "min_count")
    settings = {name: run[0][name] for name in kept} | {"epochs": 1, "init_from": first}
    settings |= {"out": str(tmp_path / "run"), "encoder": "mobilenet_v2"}
    train(TrainConfig(**settings), log=lambda line: None, progress=False)
    about = load(tmp_path / "run" / "last.keras").about
    assert about["trained_with"]["init_from"] == "best.keras"
    assert about["epoch"] == 1
    assert about["started_from"] == load(first).about


def test_another_data_set_is_learned_from_too(run):
    both = run[0] | {"out": run[0]["out"] + "-both", "more_data": run[0]["data"]}
    both |= {"epochs": 1, "fine_tune_from": "none", "views": 1}
    lines = []
    train(TrainConfig(**both), log=lines.append, progress=False)
    assert lines[0].startswith("16 pictures with 32 captions to learn from, 8 pictures to choose")
    missing = TrainConfig(**both | {"out": both["out"] + "2", "more_data": "nowhere"})
    with pytest.raises(CaptionerError, match="nowhere: no such file or folder"):
        train(missing, progress=False)


def test_a_stage_ends_early_where_scores_do_not_rise(run, tmp_path):
    settings = run[0] | {"out": str(tmp_path / "run"), "fine_tune_from": "none", "views": 1}
    settings |= {"learning_rate": 0.0, "epochs": 9, "patience": 1}
    lines = []
    train(TrainConfig(**settings), log=lines.append, progress=False)
    assert len(history(settings["out"])) == 2
    assert any("no better score for 1 epochs" in line for line in lines)


def test_captions_without_pictures_are_learned_first(run, tmp_path, real_mobilenet):
    text = tmp_path / "captions.txt"
    text.write_text("a red field\n\nblue everywhere\n" * 20, encoding="utf-8")
    settings = {
        **run[0], "out": str(tmp_path / "run"), "text": str(text), "text_epochs": 3, "epochs": 1,
        "fine_tune_from": "none", "learning_rate": 0.02,
    }  # fmt: skip
    train(TrainConfig(**settings), log=lambda line: None, progress=False)
    model = load(os.path.join(settings["out"], "last.keras"))
    assert np.ptp(model.decoder.image_norm.beta.numpy()) > 0  # learned once there were pictures
    rows = history(settings["out"])
    assert [row["stage"] for row in rows] == ["text", "text", "text", "features"]
    losses = [float(row["val_loss"]) for row in rows]
    assert all(
        one > other for one, other in itertools.pairwise(losses)
    )  # words learned without pictures are kept
    epochs = [
        load(os.path.join(settings["out"], name)).about["epoch"]
        for name in ("best-text.keras", "best.keras")
    ]
    assert epochs == [3, 4]  # the least loss; and any caption of a picture before none
    assert [float(row["CIDEr"]) for row in rows[:3]] == [0, 0, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b"\n \n", "no captions"), (b"\xff\xfe a", "not UTF-8"),
     (b"...\n!?\n\0\0\n", "no captions")],
)  # fmt: skip
def test_a_text_file_that_cannot_serve(tmp_path, content, message):
    path, other = tmp_path / "captions.txt", tmp_path / "other.txt"
    other.write_text("a red field")
    if content is not None:
        path.write_bytes(content)
    for paths in (str(path), [str(other), str(path)]):
        with pytest.raises(CaptionerError, match=rf"captions\.txt: .*{message}"):
            read_lines(paths)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_text_file_from_any_system(tmp_path, end):
    path = tmp_path / "captions.txt"
    path.write_bytes(f"\ufeffa red field{end}--{end}{end}blue{end}".encode())
    assert read_lines(str(path)) == ["a red field", "blue"]


def test_text_in_another_language_leaves_no_run_behind(tmp_path):
    make_colours(tmp_path)
    for name, line in (("known", "a red field"), ("strange", "un campo rojo")):
        (tmp_path / f"{name}.txt").write_text(f"{line}\n")
    paths = [str(tmp_path / f"{name}.txt") for name in ("known", "strange")]
    config = TrainConfig(**SMALL, data=str(tmp_path), out=str(tmp_path / "run"), text=paths)
    with pytest.raises(CaptionerError, match=r"strange\.txt: none of its words are in the vocab"):
        train(config, progress=False)
    assert not (tmp_path / "run").exists()


def test_text_files_are_learned_from_together(tmp_path):
    """In training with their first pass left out, or without imagined pictures."""
    make_colours(tmp_path)
    files = [tmp_path / "one.txt", tmp_path / "two.txt"]
    files[0].write_text("a red field\n\n a green field \n", encoding="utf-8")
    files[1].write_text("blue everywhere\n", encoding="utf-8")
    settings = dict(SMALL, data=str(tmp_path), units=4, epochs=1, cache=str(tmp_path / "cache"),
                    text=[str(file) for file in files])  # fmt: skip
    assert read_lines(settings["text"]) == ["a red field", "a green field", "blue everywhere"]
    losses = {}
    for text_epochs, text_weight in ((1, 0.0), (0, 0.5), (0, 0.0)):
        lines, out = [], str(tmp_path / f"{text_epochs}-{text_weight}")
        given = {**settings, "text_epochs": text_epochs, "text_weight": text_weight, "out": out}
        train(TrainConfig(**given), log=lines.append, progress=False)
        rows = history(out)
        assert [row["stage"] for row in rows] == ["text"] * text_epochs + ["features"]
        losses[text_epochs, text_weight] = float(rows[-1]["train_loss"])
        told = "3 captions without pictures; 12.5 % of their words are not in the vocabulary"
        assert told in lines  # green is not
        unused = "note: no stage learns from --text; give --text-epochs, or --text-weight"
        assert (unused in lines) == (text_epochs == text_weight == 0)
    assert losses[0, 0.5] > 1.3 * losses[0, 0.0]  # half of the loss of the text is in it

    files[1].write_text("blue nowhere\n", encoding="utf-8")
    changed = r"one\.txt, .*two\.txt: has changed .* text had 3 captions, has 3 captions \(others\)"
    with pytest.raises(CaptionerError, match=changed):
        train(TrainConfig(**given), resume=True, progress=False)
    with pytest.raises(CaptionerError, match="text was"):
        train(TrainConfig(**{**given, "text": str(files[0])}), resume=True, progress=False)


def test_a_run_of_before_goes_on_as_it_began(run, tmp_path, capsys):
    """Its config.json lacks newer settings: they are what was done before there were these."""
    out = str(tmp_path / "run")
    before = {"smallest_crop": 0.8, "text_weight": 0.0, "word_targets": 0}
    settings = {**run[0], **before, "out": out, "epochs": 1, "fine_tune_from": "none", "views": 1}
    train(TrainConfig(**settings), log=lambda line: None, progress=False)
    path = os.path.join(out, "config.json")
    with open(path, encoding="utf-8") as file:
        stored = json.load(file)
    newer = [*before, "imagined_noise", "word_weight"]
    write_json(tmp_path / "run" / "config.json",
               {name: value for name, value in stored.items() if name not in newer})  # fmt: skip
    assert main(["train", "--out", out, "--epochs", "2", "--resume"]) == 0
    assert "epoch 2 (features)" in capsys.readouterr().out
    with open(path, encoding="utf-8") as file:
        assert json.load(file) == {**stored, "epochs": 2}
    with pytest.raises(CaptionerError, match="word_targets was 0, is 1000"):
        train(TrainConfig(**{**settings, "word_targets": 1000}), resume=True, progress=False)


@pytest.mark.parametrize("attention", ["none", "additive"])
def test_without_a_picture_i_is_zero(attention):
    settings = {"units": 8, "embedding": 8, "image_units": 5, "layers": 2, "attention": attention}
    decoder = Decoder(20, 6, **settings)
    words = rng.integers(4, 20, size=(2, 6))
    wanted = np.asarray(decoder(words, None))
    for layer in decoder.recurrent:  # whatever w_ih is, 0 times it is 0
        weights = layer.equation_weights()
        layer.set_equation_weights({**weights, "w_ih": weights["w_ih"] + 1})
    np.testing.assert_allclose(decoder(words, None), wanted, atol=1e-6)


def test_nothing_to_train(run):
    settings = {**run[0], "epochs": 0, "fine_tune_from": "none", "out": run[0]["out"] + "2"}
    with pytest.raises(CaptionerError, match="nothing to train"):
        train(TrainConfig(**settings), log=lambda line: None, progress=False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "broken JSON"),
        ("[]", "expected a JSON object"),
        ('{"unit": 3}', "unknown setting unit"),
    ],
)
def test_broken_config_files(tmp_path, content, message):
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(CaptionerError, match=message):
        read_config_file(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"units": 0}, {"units": "many"}, {"cell": "x"}, {"dropout": 1}, {"smallest_crop": 0},
        {"smallest_crop": 1.1}, {"text_weight": -0.1}, {"imagined_noise": -1},
        {"word_targets": -1}, {"word_weight": -1}, {"text_weight": math.inf},
        {"learning_rate": math.nan}, {"clip_norm": 10**400}, {"data_weights": [math.inf]},
    ],
)  # fmt: skip
def test_settings_out_of_range(wrong):
    [name] = wrong
    with pytest.raises(CaptionerError, match=f"--{name.replace('_', '-')}"):
        TrainConfig(**wrong)


def test_config_round_trip(tmp_path):
    config = TrainConfig(data="d", units=7, dropout=0)
    path = tmp_path / "config.json"
    path.write_text(config.to_json())
    assert TrainConfig.from_file(path) == config
    assert json.loads(config.to_json())["dropout"] == 0.0
