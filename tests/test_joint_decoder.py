"""Several decoders in one captioner: the mean of their probabilities, one picture encoded."""

import numpy as np
import pytest

from captioner import (
    Captioner,
    CaptionerError,
    Decoder,
    Encoder,
    Ensemble,
    TrainConfig,
    Vocabulary,
    export,
    join,
    load,
    train,
)
from captioner.cli import main
from captioner.images import read_image

WORDS = ["a", "dog", "cat", "runs", "on", "grass"]


@pytest.fixture(scope="module")
def encoder():
    return Encoder("mobilenet_v2", size=64)


def captioner(encoder, seed, words=WORDS, **settings):
    sizes = {"units": 8, "embedding": 6, "image_units": 5, "attention_units": 4}
    decoder = Decoder(len(words) + 4, encoder.channels, **{**sizes, **settings})
    rng = np.random.default_rng(seed)
    for weight in decoder.weights:  # far from zero, so that members have opinions
        weight.assign(rng.normal(scale=0.4, size=weight.shape))
    vocabulary = Vocabulary(words, repeatable={words[0]: 2})
    return Captioner(encoder, decoder, vocabulary, {"max_length": 7}, {"epoch": seed})


@pytest.fixture
def pictures():
    return [np.random.default_rng(n).integers(0, 255, (50, 40, 3), np.uint8) for n in range(4)]


@pytest.mark.parametrize("attention", ["additive", pytest.param("none", marks=pytest.mark.long)])
def test_it_captions_as_the_ensemble_of_its_members(encoder, pictures, attention, tmp_path):
    members = [
        captioner(encoder, 1, attention=attention, layers=2),
        captioner(encoder, 2, attention=attention, cell="gru", units=5),
        captioner(encoder, 3, attention=attention, cell="rnn", implementation="keras"),
    ]
    ensemble = Ensemble(members)
    joint = join([join(members[:2]), members[2]])
    joint.save(tmp_path / "joint.keras")
    export(joint, tmp_path / "exported", storage="float32")
    searches = {"method": "greedy", "no_repeat_word": True}, {"beam_size": 3}, {"method": "sample"}
    for search in searches:
        texts, scores = details(ensemble, pictures, search)
        for each in members:
            assert not np.allclose(details(each, pictures, search)[1], scores, atol=1e-2)
        for model in (joint, load(tmp_path / "joint.keras"), load(tmp_path / "exported")):
            found = details(model, pictures, search)
            assert found[0] == texts
            np.testing.assert_allclose(found[1], scores, atol=1e-4)


def details(model, pictures, search):
    captions = model.generate(pictures, return_details=True, **search)
    return [each.text for each in captions], [each.score for each in captions]


def test_what_is_kept(encoder, tmp_path):
    joint = join([captioner(encoder, 1), captioner(encoder, 2, cell="gru")])
    assert joint.generation["max_length"] == 7
    assert joint.about == {"epoch": 1, "joined_with": [{"epoch": 2}]}
    joint.save(tmp_path / "joint.keras")
    other = load(tmp_path / "joint.keras", implementation="keras")
    assert other.decoder.implementation == "keras"
    picture = np.zeros((9, 9, 3), np.uint8)
    assert other.generate(picture) == joint.generate(picture)


def test_it_tells_where_its_members_looked(encoder, pictures):
    members = [captioner(encoder, n, attention="additive") for n in (1, 2)]
    joint = join(members)
    words = np.array([[1, 4, 5]])
    image = joint.encode(read_image(pictures[0], (64, 64))[None])
    found = joint.decoder(words, image, return_attention=True)[1]
    each = [member.decoder(words, image, return_attention=True)[1] for member in members]
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-6)
    assert joint.generate(pictures[0], return_details=True).attention.shape[1:] == (2, 2)


def test_what_cannot_be_joined(encoder):
    one = captioner(encoder, 1)
    other_cnn = captioner(Encoder("mobilenet_v2", size=64), 2)
    at_another_size = Encoder("mobilenet_v2", size=32)
    at_another_size.set_weights(encoder.get_weights())
    for other, message in (
        (captioner(encoder, 2, words=[*WORDS[:-1], "lawn"]), "different vocabularies"),
        (other_cnn, "different CNNs; joined are models"),
        (captioner(at_another_size, 2), "different CNNs; joined are models"),
        (captioner(encoder, 2, attention="additive"), "attention none and additive"),
    ):
        with pytest.raises(CaptionerError, match=message):
            join([one, other])


def test_it_does_not_learn(encoder, tmp_path):
    path = str(tmp_path / "joint.keras")
    join([captioner(encoder, 1), captioner(encoder, 2)]).save(path)
    config = TrainConfig(data="data/shapes", out=str(tmp_path / "run"), init_from=path)
    with pytest.raises(CaptionerError, match="joined models do not learn"):
        train(config, progress=False)


def test_the_command(encoder, photos, tmp_path, capsys):
    paths = [str(tmp_path / name) for name in ("a.keras", "b.keras", "joint.keras")]
    for seed, path in enumerate(paths[:2]):
        captioner(encoder, seed).save(path)
    flags = ["--model", paths[0], "--model", paths[1]]
    assert main(["join", *flags, "--out", paths[2]]) == 0
    assert main(["caption", str(photos), *flags]) == 0
    averaged = capsys.readouterr().out
    assert main(["caption", str(photos), "--model", paths[2]]) == 0
    assert capsys.readouterr().out == averaged
    assert main(["join", *flags[:2], "--out", paths[2]]) == 2
    assert "give --model twice or more" in capsys.readouterr().err
