"""Ensembles: the mean of the members' probabilities, word by word."""

import keras
import numpy as np
import pytest

from captioner import Captioner, CaptionerError, Decoder, Encoder, Ensemble, Vocabulary
from captioner.cli import main
from captioner.confidence import Confidence
from captioner.vocabulary import START

WORDS = ["a", "dog", "cat", "runs", "on", "grass"]


def member(seed, words=WORDS, **settings):
    keras.utils.set_random_seed(seed)
    encoder = Encoder("mobilenet_v2", size=32)
    decoder = Decoder(len(words) + 4, encoder.channels, units=8, embedding=6, **settings)
    for weight in decoder.weights:  # far from zero, so that members have opinions
        weight.assign(weight * 4)
    return Captioner(encoder, decoder, Vocabulary(words))


@pytest.fixture(scope="module")
def members():
    return [member(1), member(2, attention="additive", attention_units=4), member(3, cell="gru")]


def pictures(count):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, size=(32, 32, 3)).astype("uint8") for _ in range(count)]


def test_a_step_is_the_mean_of_the_members_steps(members):
    ensemble = Ensemble(members)
    pixels = np.stack(pictures(2))
    context, state = ensemble.start(ensemble.encode(pixels))
    own = [each.start(each.encode(pixels)) for each in members]
    words = np.full(2, START)
    for _ in range(3):
        log_probs, state = ensemble.step(words, context, state)
        found = [each.step(words, *parts) for each, parts in zip(members, own, strict=True)]
        wanted = np.mean([np.exp(part[0]) for part in found], axis=0)
        np.testing.assert_allclose(np.exp(log_probs), wanted, atol=1e-5)
        own = [(parts[0], part[1]) for parts, part in zip(own, found, strict=True)]
        words = np.argmax(log_probs, axis=-1)


@pytest.mark.parametrize("method", ["greedy", "beam", "sample"])
def test_one_captioner_twice_is_itself(members, method):
    for each in members:
        wanted = each.generate(pictures(3), method=method, max_length=6)
        assert Ensemble([each, each]).generate(pictures(3), method=method, max_length=6) == wanted


def test_members_must_know_the_same_words(members):
    with pytest.raises(CaptionerError, match="model 2 have different vocabularies"):
        Ensemble([members[0], member(1, [*WORDS[:-1], "lawn"])])
    backward = Captioner(members[0].encoder, members[0].decoder, Vocabulary(WORDS, "backward"))
    assert backward.vocabulary != members[0].vocabulary
    with pytest.raises(CaptionerError, match="model 2 have different directions"):
        Ensemble([members[0], backward])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_one_that_knows_which_words_are_repeatable_is_enough(members, order):
    """Models of before the rule among others, in any order."""
    known = Vocabulary(WORDS, repeatable={"a": 2})
    model = members[0]
    both = [model, Captioner(model.encoder, model.decoder, known)]
    pair = [both[number] for number in order]
    together = Ensemble(pair)
    assert together.vocabulary.repeatable == {"a": 2}
    for text in together.generate(pictures(3), no_repeat_word=True):
        words = [word for word in text.split() if word != "a"]
        assert len(words) == len(set(words))
    assert Ensemble([model, model]).vocabulary.repeatable is None


def test_the_command_line_takes_several_models(members, tmp_path, photos, capsys):
    paths = [str(tmp_path / f"{n}.keras") for n in range(2)]
    for each, path in zip(members, paths, strict=False):
        each.save(path)
    models = [part for path in paths for part in ("--model", path)]
    assert main(["caption", str(photos), *models]) == 0
    said = [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()]
    files = [str(photos / name) for name in ("a.png", "b.jpg", "c.webp")]
    assert said == Ensemble(members[:2]).generate(files)


def test_captions_of_an_ensemble_have_no_confidence(members, monkeypatch):
    for each in members:
        monkeypatch.setattr(each, "confidence", Confidence(0.0, 1.0, -0.1))
    assert Ensemble(members).confidence is None
    [caption] = Ensemble(members).generate(pictures(1), return_details=True)
    assert caption.confidence is None
