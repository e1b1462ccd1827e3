"""Exported captioners: the same captions by LiteRT, and no Keras needed for them."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from captioner import Captioner, CaptionerError, Decoder, Encoder, Ensemble, Vocabulary, load
from captioner.cli import main
from captioner.confidence import Confidence
from captioner.exporting.formats import export
from captioner.images import READ_AHEAD, read_image
from captioner.lite_captioner import MANIFEST, LiteCaptioner, store_confidence
from captioner.models import load_models
from captioner.presets import DEFAULT_PRESET

WORDS = ["a", "dog", "runs", "été", "犬"]
CONFIDENCE = Confidence(bias=-2.0, probability=5.0, length=-0.1)


@pytest.fixture
def pictures():
    return [np.random.default_rng(n).integers(0, 255, (50, 40, 3), np.uint8) for n in range(5)]


@pytest.fixture
def exported(tiny_captioner, tmp_path):
    folder = str(tmp_path / "exported")
    export(tiny_captioner, folder)
    return folder


@pytest.mark.long
@pytest.mark.parametrize("attention", ["none", "additive"])
@pytest.mark.parametrize(("cell", "layers"), [("rnn", 1), ("lstm", 2), ("gru", 1)])
def test_the_same_captions(tmp_path, pictures, cell, layers, attention):
    encoder = Encoder("mobilenet_v2", size=64)
    sizes = {"units": 8, "embedding": 6, "attention_units": 5, "image_units": 7, "layers": layers}
    decoder = Decoder(9, encoder.channels, cell=cell, attention=attention, **sizes)
    vocabulary = Vocabulary(WORDS, repeatable={WORDS[1]: 2})
    model = Captioner(encoder, decoder, vocabulary, {"max_length": 6}, {"note": "x"}, CONFIDENCE)
    export(model, tmp_path / "exported", storage="float32")
    other = load(tmp_path / "exported")
    assert isinstance(other, LiteCaptioner)
    assert other.vocabulary.to_config() == model.vocabulary.to_config()
    assert other.generation == model.generation
    assert other.about == {"note": "x"}
    assert other.confidence == CONFIDENCE
    pixels = np.stack([read_image(picture, (64, 64)) for picture in pictures])
    seen = model.encode(pixels)
    assert np.abs(seen[0] - seen[1]).max() > 0  # pictures matter
    np.testing.assert_allclose(other.encode(pixels), seen, atol=1e-3 * np.abs(seen).max())
    three = {"beam_size": 3, "n_best": 3, "no_repeat_word": True}
    for search in (three, {"method": "greedy"}, {"method": "sample"}):
        wanted = model.generate(pictures, return_details=True, batch_size=2, **search)
        found = other.generate(pictures, return_details=True, batch_size=2, **search)
        for one, two in zip(np.ravel(_texts(wanted)), np.ravel(_texts(found)), strict=True):
            assert one == two
        np.testing.assert_allclose(_scores(found), _scores(wanted), atol=1e-4)


def _texts(captions):
    return [[c.text for c in each] if isinstance(each, list) else each.text for each in captions]


def _scores(captions):
    return [[c.score for c in each] if isinstance(each, list) else each.score for each in captions]


def test_folders_that_are_no_exported_captioner(exported):
    manifest = os.path.join(exported, "manifest.json")
    with open(manifest, encoding="utf-8") as file:
        whole = json.load(file)
    with open(os.path.join(exported, "step.tflite"), "r+b") as file:
        file.truncate(1000)
    with pytest.raises(CaptionerError, match=r"step\.tflite: damaged"):
        LiteCaptioner(exported)
    del whole["checksums"]
    with open(manifest, "w", encoding="utf-8") as file:
        json.dump(whole, file)
    with pytest.raises(CaptionerError, match=r"step\.tflite: cannot be opened by LiteRT") as caught:
        load(exported)
    assert "\n" not in str(caught.value)
    for content, message in (
        ("{", "broken JSON"),
        ("[]", "not the manifest"),
        (json.dumps(whole | {"format": 99}), "of format 1; export it again"),
        (json.dumps(whole | {"generation": [1]}), "stored search settings: must be names"),
        (json.dumps(whole | {"generation": {"beam_size": 0}}), "stored beam size 0: must be 1 or"),
    ):
        with open(manifest, "w", encoding="utf-8") as file:
            file.write(content)
        with pytest.raises(CaptionerError, match=message):
            load(exported)


def test_a_folder_of_before_there_was_a_rule_about_words(exported, pictures):
    path = os.path.join(exported, MANIFEST)
    with open(path, encoding="utf-8") as file:
        manifest = json.load(file)
    del manifest["vocabulary"]["repeatable"], manifest["generation"]["no_repeat_word"]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(manifest, file)
    model = load(exported)
    assert model.generate(pictures) == model.generate(pictures, no_repeat_word=False)
    with pytest.raises(CaptionerError, match="does not know which words people repeat"):
        model.generate(pictures, no_repeat_word=True)


@pytest.mark.long
def contents(folder):
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_a_confidence_is_stored_beside_the_networks(exported, tmp_path, pictures):
    before = contents(tmp_path / "exported")
    copy = tmp_path / "copy"
    store_confidence(exported, CONFIDENCE, str(copy))
    assert contents(tmp_path / "exported") == before
    assert LiteCaptioner(exported).confidence is None
    store_confidence(exported, CONFIDENCE, exported)  # in place
    after = contents(tmp_path / "exported")
    assert contents(copy) == after
    assert [name for name in before if before[name] != after[name]] == [MANIFEST]
    [caption] = LiteCaptioner(exported).generate(pictures[:1], return_details=True)
    assert caption.confidence == CONFIDENCE.of(caption.word_scores)


def test_exported_captioners_average_with_others(tiny_captioner, tmp_path, pictures):
    export(tiny_captioner, tmp_path / "exported", storage="float32")
    both = Ensemble([tiny_captioner, load(tmp_path / "exported")])
    assert both.generate(pictures) == tiny_captioner.generate(pictures)


@pytest.mark.long
def test_the_command(tiny_captioner, tmp_path, photos, capsys):
    model, folder = str(tmp_path / "model.keras"), str(tmp_path / "exported")
    tiny_captioner.save(model)
    assert main(["export", "--model", model, "--out", folder]) == 0
    assert main(["caption", str(photos), "--model", model]) == 0
    by_keras = capsys.readouterr().out
    for runtime in ("auto", "litert"):
        assert main(["caption", str(photos), "--model", folder, "--runtime", runtime]) == 0
        assert capsys.readouterr().out == by_keras
    for command, message in (
        (["caption", str(photos), "--model", folder, "--runtime", "keras"], "Keras needs the .ke"),
        (["caption", str(photos), "--model", model, "--runtime", "litert"], "captioner export"),
        (["export", "--model", folder, "--out", str(tmp_path / "b")], "is exported already"),
        (["export", "--model", "nothing", "--out", str(tmp_path / "b")], "no such model"),
    ):
        assert main(command) == 2
        assert message in capsys.readouterr().err


def test_no_keras_is_needed(exported, photos):
    command = ["caption", str(photos / "a.png"), "--model", exported]
    program = (
        f"import sys\nfrom captioner.cli import main\nassert main({command!r}) == 0\n"
        "print([name for name in ('keras', 'tensorflow', 'h5py') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == ""
    caption, loaded = done.stdout.splitlines()
    assert caption.startswith(f"{photos / 'a.png'}\t")
    assert loaded == "[]"


def test_each_picture_is_encoded_as_soon_as_it_is_read(monkeypatch):
    model, read_before, taken = load(DEFAULT_PRESET), [], []
    encode = model._encode

    def encode_one(pixels):
        read_before.append(len(taken))
        return encode(pixels=pixels)

    def pictures():
        for shade in range(60):
            taken.append(shade)
            yield np.full((9, 9, 3), shade, np.uint8)

    monkeypatch.setattr(model, "_encode", encode_one)
    assert len(list(model.generate_all(pictures(), batch_size=60, method="greedy"))) == 60
    assert read_before[0] <= READ_AHEAD  # not all 60, whose pixels would have to be kept


def test_all_that_it_has_is_explained():
    model = load(DEFAULT_PRESET)
    names = {name for name in {*dir(LiteCaptioner), *vars(model)} if not name.startswith("_")}
    with open("docs/captioning.md", encoding="utf-8") as page:
        [table] = re.findall(r"all that both have:\n(.*?)\n`encode`", page.read(), re.S)
    assert set(re.findall(r"`(\w+)[(`]", table)) >= names
    assert names <= {*dir(Captioner), "vocabulary", "generation", "about"}  # set by its __init__


@pytest.fixture
def shipped(tiny_captioner, tmp_path, monkeypatch):
    """The folder of shipped models, with `tiny` in both forms."""
    folder = tmp_path / "presets"
    tiny_captioner.save(folder / "tiny.keras")
    export(tiny_captioner, folder / "tiny.litert")
    monkeypatch.setattr("captioner.presets.FOLDER", str(folder))
    return folder


def test_a_shipped_model_is_run_by_litert_unless_told_otherwise(shipped):
    assert isinstance(load_models(["tiny"]), LiteCaptioner)
    assert isinstance(load_models(["tiny"], "litert"), LiteCaptioner)
    assert isinstance(load_models(["tiny"], "keras"), Captioner)
    shutil.rmtree(shipped / "tiny.litert")
    assert isinstance(load_models(["tiny"]), Captioner)


@pytest.mark.long
def test_without_litert_keras_is_used(shipped, monkeypatch, photos, exported, capsys):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    picture = str(photos / "a.png")
    assert main(["caption", picture, "--model", "tiny"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{picture}\t")
    [line] = printed.err.splitlines()
    assert line.startswith("note: LiteRT cannot be imported")
    assert main(["caption", picture, "--model", "tiny", "--runtime", "litert"]) == 2
    assert main(["caption", picture, "--model", exported]) == 2
    assert "pip install ai-edge-litert" in capsys.readouterr().err
