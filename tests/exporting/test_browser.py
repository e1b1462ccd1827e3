"""The exported page: its files, its JavaScript against Python, and captions in a real browser."""

import base64
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import ExifTags, Image

from benchmarks.browser import Engine, serving
from captioner import CaptionerError, decoding, load
from captioner.confidence import Confidence
from captioner.exporting.browser import export_site, list_files, settings_of
from captioner.generation import Generation
from captioner.images import read_image
from captioner.lite_captioner import LiteCaptioner, manifest_of
from captioner.presets import DEFAULT_PRESET, exported_form
from captioner.vocabulary import NEVER, Vocabulary
from tests.exporting import make_model

SAMPLES = ("cat", "coffee", "horses", "photographer", "polar_bear", "rocket")
WORDS = 9  # five words, and the special ones
LENGTH = 6


# The JavaScript modules, by Node


def test_the_modules_do_what_python_does(tmp_path):
    node = shutil.which("node")
    if node is None:
        absent = pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip
        absent("no Node.js on this machine")
    rng = np.random.default_rng(0)
    manifest = manifest_of(exported_form(DEFAULT_PRESET))
    cases = {
        "searches": list(searches(rng)),
        "resize": [resized(rng, *sizes) for sizes in SIZES],
        "shrink": [shrunk(rng, *case) for case in itertools.product((24, 40), (16, 32), (2, 4, 8))],
        "vocabulary": list(texts()),
        "confidence": list(confidences(rng)),
        "table": settings_of(manifest),
        "settings": list(chosen_settings(manifest)),
    }
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(cases))
    modules = sorted((pathlib.Path(__file__).parent / "browser").glob("*.test.mjs"))
    done = subprocess.run(
        [node, "--test", "--test-reporter=tap", *modules],
        env={**os.environ, "CASES": str(path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "# skipped 0" in done.stdout


def searches(rng):
    """Random next-word probabilities, rules, and what Python's search finds with them."""
    for number in range(40):
        # Few different values, so that there are ties.
        table = rng.normal(size=(LENGTH + 2, WORDS, WORDS)).round(number % 2 + 1) * 2
        table = table.astype(np.float32)
        least = [NEVER] * 4 + rng.integers(1, 4, WORDS - 4).tolist()
        rules = {
            "max_length": int(rng.integers(1, LENGTH + 1)),
            "no_repeat_ngram": int(rng.integers(0, 4)),
            "no_repeat_word": least if number % 3 else None,
        }
        beam = {
            "beam_size": int(rng.integers(1, 12)),
            "length_penalty": float(rng.choice([0, 0.7, 1, 2])),
        }
        beam["n_best"] = int(rng.integers(1, beam["beam_size"] + 1))
        for method, more in (("greedy", {}), ("beam", beam)):
            yield {
                "table": table.tolist(),
                "method": method,
                "rules": rules | more,
                "expected": found_by_python(table, method, rules | more),
            }


def found_by_python(table, method, rules):
    def step(words, state):
        [place] = state
        return table[place, words], [place + 1]

    least = rules["no_repeat_word"] and np.array(rules["no_repeat_word"])
    search = getattr(decoding, method)
    [found] = search(step, [np.zeros(1, int)], **rules | {"no_repeat_word": least})
    return [each._asdict() for each in found]


SIZES = [  # (width, height) of a picture, and of what becomes of it
    ((40, 30), (16, 16)), ((31, 47), (16, 16)), ((16, 16), (16, 16)), ((7, 5), (16, 24)),
    ((16, 300), (16, 16)), ((1, 1), (3, 2)), ((3, 200), (8, 8)), ((2100, 900), (9, 9)),
]  # fmt: skip


def resized(rng, old, new):
    pixels = rng.integers(0, 256, (old[1], old[0], 3), np.uint8)
    # Along rows first: since version 13 Pillow begins with the columns of some pictures, which
    # changes values by up to 3.
    expected = Image.fromarray(pixels)
    for size in ((new[0], old[1]), new):
        expected = expected.resize(size, Image.Resampling.BICUBIC)
    return {
        "width": old[0],
        "height": old[1],
        "size": new,
        "pixels": encoded(pixels.tobytes()),
        "expected": encoded(expected.tobytes()),
    }


def shrunk(rng, width, height, factor):
    pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
    return {
        "width": width,
        "height": height,
        "factor": factor,
        "pixels": encoded(pixels.tobytes()),
        "expected": encoded(Image.fromarray(pixels).reduce(factor).tobytes()),
    }


def texts():
    words = ["a", "dog", "été", "一", "只", "狗", "カ", "ก", "\U00020000", "man's", "\u0e01\u0e34"]
    for direction in ("forward", "backward"):
        vocabulary = Vocabulary(words, direction)
        for ids in itertools.permutations(range(4, len(vocabulary)), 3):
            yield {
                "config": vocabulary.to_config(),
                "ids": ids,
                "text": vocabulary.decode(ids),
            }


def confidences(rng):
    for _ in range(50):
        weights = Confidence(*rng.normal(size=3).tolist())
        scores = (-rng.exponential(size=rng.integers(1, 12))).tolist()
        yield {
            "weights": weights.to_config(),
            "scores": scores,
            "confidence": weights.of(scores),
        }


def chosen_settings(manifest):
    model = Generation()
    model.generation = manifest["generation"]
    model.vocabulary = Vocabulary.from_config(manifest["vocabulary"])
    for given in (
        {}, {"method": "greedy"}, {"beam_size": 5, "n_best": 2}, {"n_best": 7},
        {"max_length": None}, {"method": "greedy", "n_best": 1}, {"beam_size": 2, "n_best": 3},
        {"length_penalty": -1, "no_repeat_word": False}, {"method": "greedy", "beam_size": 3},
        {"length_penalty": 11}, {"max_length": 2.5}, {"no_repeat_ngram": -1},
    ):  # fmt: skip
        try:
            found = {"n_best": 1} | model.search_settings(given)
            # Python leaves it out where nobody gave it; the default is the same.
            if found["method"] == "greedy":
                del found["n_best"]
            yield {"given": given, "expected": found}
        except CaptionerError as error:
            yield {"given": given, "error": str(error)}


def encoded(content):
    return base64.b64encode(content).decode()


# The folder


def test_the_files_of_the_page(tmp_path):
    site = tmp_path / "site"
    export_site(DEFAULT_PRESET, site)
    listed = json.loads((site / "files.json").read_text())
    (site / "files.json").unlink()
    assert listed == list_files(site)
    sizes = {each["path"]: each["bytes"] for each in listed["files"]}
    assert {"engine/worker.js", "runtime/litert.wasm", "runtime/LICENSES.txt"} <= set(sizes)
    assert not [path for path in sizes if path.endswith((".xz", ".py", ".pyc"))]
    assert sizes["model/step.tflite"] == os.path.getsize(
        os.path.join(exported_form(DEFAULT_PRESET), "step.tflite")
    )
    manifest = json.loads((site / "model" / "manifest.json").read_text())
    assert (manifest["name"], manifest["about"]) == (DEFAULT_PRESET, {})
    model = LiteCaptioner(site / "model")  # the models of pages can be used like any other
    assert model.generation == load(DEFAULT_PRESET).generation


def test_one_changed_byte_is_another_version(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a")
    first = list_files(tmp_path)["version"]
    (tmp_path / "a.txt").write_bytes(b"b")
    assert list_files(tmp_path)["version"] != first


def test_nothing_in_it_addresses_another_site(tmp_path):
    """Scripts and pages load nothing that is not beside them; comments may name sources."""
    site = tmp_path / "site"
    export_site(DEFAULT_PRESET, site)
    for path in (each for each in site.rglob("*") if each.suffix in (".js", ".html", ".css")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.lstrip().startswith(("//", "*", "/*")):
                assert "http://" not in line, path
                assert "https://" not in line, path


def test_the_settings_are_those_of_the_table():
    manifest = manifest_of(exported_form(DEFAULT_PRESET))
    table = {each["name"]: each for each in settings_of(manifest)}
    assert set(table) == {"method", *decoding.settings_of("greedy"), *decoding.settings_of("beam")}
    assert table["method"]["enum"] == ["greedy", "beam"]
    assert table["length_penalty"]["default"] == manifest["generation"]["length_penalty"]
    assert table["beam_size"]["methods"] == ["beam"]
    sampling = manifest | {"generation": {"method": "sample"}, "vocabulary": {"words": ["a"]}}
    table = {each["name"]: each for each in settings_of(sampling)}
    assert table["method"]["default"] == "beam"
    assert "no_repeat_word" not in table  # it is not known which words people repeat


def test_only_an_older_page_is_replaced(tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    export_site(DEFAULT_PRESET, site)
    (site / "old.txt").write_text("of the older one")
    export_site(exported_form(DEFAULT_PRESET), site, name="mine")
    assert not (site / "old.txt").exists()
    assert json.loads((site / "model" / "manifest.json").read_text())["name"] == "mine"
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CaptionerError, match="exists and is not an exported page"):
        export_site(DEFAULT_PRESET, tmp_path)
    with pytest.raises(CaptionerError, match="storage 'int8': everyday is exported already"):
        export_site(DEFAULT_PRESET, tmp_path / "other", storage="int8")
    with pytest.raises(CaptionerError, match="neither a shipped model nor an exported one"):
        export_site("nothing", tmp_path / "other")
    assert sorted(os.listdir(tmp_path)) == ["notes.txt", "site"]


@pytest.mark.parametrize("damage", [lambda path: os.truncate(path, 1000), os.remove])
def test_a_damaged_model_becomes_no_page(tmp_path, damage):
    model = tmp_path / "model"
    shutil.copytree(exported_form(DEFAULT_PRESET), model)
    damage(model / "step.tflite")
    with pytest.raises(CaptionerError, match=r"step\.tflite"):
        export_site(str(model), tmp_path / "site")
    assert os.listdir(tmp_path) == ["model"]


def test_a_python_without_lzma(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lzma", None)
    with pytest.raises(CaptionerError, match="needs Python's lzma module"):
        export_site(DEFAULT_PRESET, tmp_path / "site")
    assert os.listdir(tmp_path) == []


# In a browser


@pytest.fixture(scope="module")
def engine(browser, tmp_path_factory):
    site = tmp_path_factory.mktemp("pages") / "sub" / "site"
    export_site(DEFAULT_PRESET, site)
    with serving(site.parent) as address:
        yield Engine(browser, f"{address}/site")


def sample(name):
    with open(f"data/samples/{name}.jpg", "rb") as file:
        return file.read()


@pytest.mark.long
def test_captions_are_pythons(engine):
    assert engine.opened["type"] == "opened"
    about = engine.opened["about"]
    assert (about["name"], about["picture_size"], about["has_confidence"]) == (
        "everyday",
        288,
        True,
    )
    last = engine.browser.execute_script("return progress.at(-1)")
    assert last["loaded"] == last["total"] > 30e6
    model = load(DEFAULT_PRESET)
    for settings in ({}, {"method": "greedy"}, {"beam_size": 5, "n_best": 2}):
        wanted = model.generate(
            [f"data/samples/{name}.jpg" for name in SAMPLES], return_details=True, **settings
        )
        messages = [
            {"type": "caption", "id": number, "file": sample(name), "settings": settings}
            for number, name in enumerate(SAMPLES)
        ]
        answers = engine.ask(messages)
        assert [each["id"] for each in answers] == list(range(len(SAMPLES)))
        for answer, captions in zip(answers, wanted, strict=True):
            captions = captions if isinstance(captions, list) else [captions]
            assert [each["text"] for each in answer["captions"]] == [c.text for c in captions]
            for found, caption in zip(answer["captions"], captions, strict=True):
                assert tuple(found["words"]) == caption.words
                assert found["score"] == pytest.approx(caption.score, abs=1e-3)
                assert found["confidence"] == pytest.approx(caption.confidence, abs=1e-3)
                assert found["word_scores"] == pytest.approx(caption.word_scores, abs=5e-3)


@pytest.mark.long
def test_problems_of_a_photo_are_one_line(engine):
    heic = b"\0\0\0\x18ftypheic" + bytes(8)
    messages = [
        {"type": "caption", "id": number, "file": file, "settings": settings}
        for number, (file, settings) in enumerate(
            [(b"", {}), (b"no picture", {}), (heic, {}), (sample("cat"), {"beam_size": 0})]
        )
    ]
    assert [each["error"] for each in engine.ask(messages)] == [
        "file is empty",
        "not a picture, or of a kind that this browser cannot read",
        "this browser cannot read HEIC pictures; convert it to JPEG, or use Safari",
        "beam size 0: must be from 1 to 20",
    ]


@pytest.mark.long
def test_a_cancelled_photo_gets_no_answer(engine):
    photos = [{"type": "caption", "id": n, "file": sample("cat"), "settings": {}} for n in range(3)]
    cancelled = [{"type": "cancel", "id": 0}, {"type": "cancel", "id": 1}]
    [answer] = engine.ask([*photos, *cancelled], answers=1)
    assert (answer["type"], answer["id"]) == ("captioned", 2)


@pytest.mark.long
@pytest.mark.parametrize(
    ("cell", "layers", "attention"),
    [("lstm", 2, "additive"), ("gru", 1, "none"), ("rnn", 1, "none")],
)
def test_every_kind_of_model(browser, tmp_path, cell, layers, attention):
    site = tmp_path / "site"
    export_site(make_model(cell, attention, layers), site, "float32", "mine")
    with serving(site) as address:
        engine = Engine(browser, address)
        assert engine.opened["about"]["name"] == "mine"
        check_against_python(engine, LiteCaptioner(site / "model"), tmp_path)


@pytest.mark.long
def test_browsers_without_relaxed_simd(browser, tmp_path):
    """They take the other build; here it has the name of the first one."""
    site = tmp_path / "site"
    export_site(DEFAULT_PRESET, site)
    for ending in (".js", ".wasm"):
        os.replace(site / f"runtime/litert_compat{ending}", site / f"runtime/litert{ending}")
    (site / "files.json").unlink()
    (site / "files.json").write_text(json.dumps(list_files(site)))
    with serving(site) as address:
        check_against_python(Engine(browser, address), load(DEFAULT_PRESET), tmp_path)


def check_against_python(engine, model, folder):
    photo = folder / "photo.png"  # of which both get the same pixels, unlike of large JPEG files
    Image.open("data/samples/cat.jpg").save(photo)
    settings = {"beam_size": 4, "n_best": 3, "max_length": 5}
    message = {"type": "caption", "id": 1, "file": photo.read_bytes(), "settings": settings}
    [answer] = engine.ask([message])
    wanted = model.generate(photo, return_details=True, **settings)
    assert [each["text"] for each in answer["captions"]] == [each.text for each in wanted]
    for found, caption in zip(answer["captions"], wanted, strict=True):
        assert found["word_scores"] == pytest.approx(caption.word_scores, abs=1e-3)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("model/step.tflite", "model/step.tflite: cannot be fetched (status 404)"),
        ("files.json", "/files.json: cannot be fetched (status 404)"),
    ],
)
def test_a_file_that_is_missing(browser, tmp_path, name, error):
    export_site(DEFAULT_PRESET, tmp_path / "site")
    (tmp_path / "site" / name).unlink()
    with serving(tmp_path / "site") as address:
        opened = Engine(browser, address).opened
    assert (opened["type"], opened["error"]) == ("failed", error)


@pytest.mark.long
def test_a_file_that_is_cut_off(browser, tmp_path):
    export_site(DEFAULT_PRESET, tmp_path / "site")
    os.truncate(tmp_path / "site" / "model" / "start.tflite", 1000)
    with serving(tmp_path / "site") as address:
        opened = Engine(browser, address).opened
    assert opened["error"] == "model/start.tflite: did not arrive whole; reload the page"


@pytest.mark.long
@pytest.mark.parametrize("kind", ["turned", "transparent", "large", "odd"])
def test_pixels_are_pythons(engine, kind, tmp_path):
    path = tmp_path / ("photo.png" if kind == "transparent" else "photo.jpg")
    picture = Image.open("data/samples/horses.jpg")
    if kind == "turned":
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        picture.save(path, exif=exif, quality=95)
    elif kind == "transparent":
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
        picture.save(path)
    else:
        factor = {"large": 4, "odd": 3}[kind]
        picture.resize([factor * side for side in picture.size]).save(path, quality=95)
    difference = engine.pixels(path.read_bytes()).astype(int) - read_image(path, (288, 288))
    # The turned one is so tall that Pillow begins with its columns; the last two are shrunk.
    most, mean = {"turned": (4, 0.2), "transparent": (4, 0.5)}.get(kind, (16, 0.4))
    assert np.abs(difference).max() <= most
    assert np.abs(difference).mean() < mean
