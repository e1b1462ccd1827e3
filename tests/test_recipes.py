"""The recipes: settings that training takes, and a script whose decoder is the captioner's own."""

import argparse
import glob
import os
import pathlib
import re

import jax
import numpy as np
import pytest

from captioner import CaptionDataset, Decoder
from captioner.cli.train import add_arguments, settings_given
from captioner.training.batches import EncodedCaptions
from captioner.training.config import TrainConfig
from captioner.training.optimizers import learning_rate_at
from captioner.training.teacher_forcing import word_loss
from captioner.vocabulary import Vocabulary
from recipes import on_gpu

CONFIGS = sorted(glob.glob("recipes/*.json"))


@pytest.mark.parametrize("path", CONFIGS)
def test_a_recipe_is_a_whole_run_that_training_takes(path):
    config = TrainConfig.from_file(path)
    assert config.data
    assert config.out
    assert os.path.basename(path) in pathlib.Path("recipes/README.md").read_text("utf-8")


@pytest.mark.parametrize("path", CONFIGS)
def test_a_recipe_that_starts_from_a_run_names_that_of_another_recipe(path):
    config = TrainConfig.from_file(path)
    models = [f"{TrainConfig.from_file(each).out}/best.keras" for each in CONFIGS if each != path]
    for start in (config.init_from, config.encoder_weights):
        assert not start.startswith("runs/") or start in models


def test_the_recipe_for_shapes_is_the_command_of_the_readme():
    text = pathlib.Path("README.md").read_text("utf-8")
    [flags] = re.findall(r"^    python train\.py (--data data/shapes .*)$", text, re.M)
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    given = settings_given(parser.parse_args(flags.split()))
    assert TrainConfig.from_file("recipes/shapes.json") == TrainConfig(**given)


@pytest.fixture
def decoder():
    return Decoder(vocabulary_size=20, image_features=12, units=16, embedding=8, image_units=10)


def test_its_decoder_is_the_captioners(decoder):
    rng = np.random.default_rng(0)
    for variable in decoder.variables:  # biases at zero would hide a mistake
        variable.assign(rng.normal(0, 0.5, variable.shape))
    words = rng.integers(3, 20, (4, 7))
    vectors = rng.normal(size=(4, 12)).astype("float32")
    weights = on_gpu.weights_of(decoder)
    logits = on_gpu.logits_of(weights, on_gpu.image_vector(weights, vectors), words)
    np.testing.assert_allclose(logits, decoder(words, vectors), atol=1e-4)
    targets = np.where(rng.random((4, 7)) < 0.7, words, 0)
    theirs = word_loss(targets, decoder(words, vectors), label_smoothing=on_gpu.SMOOTHING)
    assert float(on_gpu.word_loss(logits, targets)) == pytest.approx(float(theirs), rel=1e-5)


def test_weights_go_there_and_back(decoder):
    before = on_gpu.weights_of(decoder)
    on_gpu.give_weights(decoder, {name: 2 * value for name, value in before.items()})
    for name, value in on_gpu.weights_of(decoder).items():
        np.testing.assert_allclose(value, 2 * before[name])


@pytest.mark.parametrize("step", [0, 3, 4, 5, 50, 99])
def test_its_learning_rate_is_trainings(step):
    ours = float(on_gpu.cosine(np.float32(step), np.float32(100), 2e-3))
    # float32: near the end of the cosine the difference of two numbers close to 1
    assert ours == pytest.approx(learning_rate_at(step, 100, 2e-3), abs=1e-9)


@pytest.mark.long
def test_changed_pictures_keep_their_size_and_range(monkeypatch):
    monkeypatch.setattr(on_gpu, "SIZE", 16)
    pixels = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3)).astype(np.uint8)
    key = jax.random.PRNGKey(0)
    changed = np.asarray(on_gpu.augmented(pixels, key, np.zeros(6, bool)))
    assert changed.shape == pixels.shape
    assert changed.min() >= 0
    assert changed.max() <= 255
    mirrored = np.asarray(on_gpu.augmented(pixels, key, np.ones(6, bool)))
    turned = [not np.allclose(one, two) for one, two in zip(changed, mirrored, strict=True)]
    assert any(turned)
    assert not all(turned)
    for one, two, is_turned in zip(changed, mirrored, turned, strict=True):
        np.testing.assert_allclose(one[:, ::-1] if is_turned else one, two, atol=1e-3)


class Colours:
    """In the place of a CNN: a picture's vector is a product of its mean colour."""

    channels = 12

    def __init__(self):
        self.weights = [np.random.default_rng(0).normal(size=(3, 12)).astype("float32")]

    def see(self, weights, pixels):
        return (pixels / 255).mean(axis=(1, 2)) @ weights[0]

    def take(self, weights):
        self.weights = weights


@pytest.mark.long
def test_cnn_and_decoder_learn_together(decoder, monkeypatch, capsys):
    monkeypatch.setattr(on_gpu, "SIZE", 8)
    monkeypatch.setattr(on_gpu, "PICTURES", 4)
    texts = [["a red picture"], ["a blue picture", "all blue"]] * 8
    dataset = CaptionDataset(list(range(16)), ["-"] * 16, texts)
    vocabulary = Vocabulary.build([text for each in texts for text in each], 1)
    captions = EncodedCaptions(texts, vocabulary, on_gpu.LENGTH - 1)
    known = on_gpu.Known(captions, captions, dataset, len(vocabulary), seed=0)
    pixels = np.zeros((16, 8, 8, 3), np.uint8)
    pixels[::2, :, :, 0], pixels[1::2, :, :, 2] = 250, 250
    cnn, before = Colours(), on_gpu.weights_of(decoder)
    first = cnn.weights[0].copy()
    after = on_gpu.fine_tune(cnn, known, pixels, before, 40, cnn_rate=0.01, rate=0.01)
    losses = [line.split() for line in capsys.readouterr().out.splitlines()]
    for column in (1, 4):  # of captions, and of the question for words
        assert float(losses[-1][column].strip(",")) < 0.7 * float(losses[0][column].strip(","))
    assert not np.allclose(cnn.weights[0], first)
    assert not np.allclose(after["w_hh"], before["w_hh"])


def test_a_caption_is_kept_whole_from_start_to_end():
    captions = EncodedCaptions([["a dog", "a"]], Vocabulary(["a", "dog"]), 5)
    rows = np.asarray(on_gpu.whole(captions))
    assert rows.shape == (2, on_gpu.LENGTH + 1)
    assert rows[0, :5].tolist() == [1, 4, 5, 2, 0]
    assert on_gpu.five_each(captions).tolist() == [[0, 1, 0, 1, 0]]
