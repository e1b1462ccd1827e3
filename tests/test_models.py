"""Opening captioners: what runs them, and what shows that they are the same."""

import os
import sys

import pytest

from captioner import Captioner, Ensemble, LiteCaptioner, Reranked, load
from captioner.errors import CaptionerError, CaptionerWarning
from captioner.models import ModelChoice, load_models, opened
from captioner.presets import DEFAULT_PRESET, REPLACED, exported_form, find_model
from tests.test_reranked import model as model_of


def test_one_several_and_one_that_is_re_ranked(model, tmp_path):
    assert isinstance(load_models([model]), Captioner)
    assert isinstance(load_models([model, model]), Ensemble)
    paths = [str(tmp_path / f"{direction}.keras") for direction in ("forward", "backward")]
    for seed, path in enumerate(paths):
        model_of(seed, os.path.basename(path)[:-6]).save(path)
    reranked = ModelChoice(paths[0], rerank=paths[1]).open()
    assert isinstance(reranked, Reranked)
    assert reranked.weight == 0.5
    assert ModelChoice(paths[0], rerank=paths[1], rerank_weight=0.2).open().weight == 0.2


def test_what_is_loaded_is_run_by_litert_where_it_can(model):
    lite = load(DEFAULT_PRESET)
    assert isinstance(lite, LiteCaptioner)
    assert load(DEFAULT_PRESET, runtime="litert").about == lite.about
    assert isinstance(load(exported_form(DEFAULT_PRESET)), LiteCaptioner)
    assert isinstance(load(model), Captioner)
    assert isinstance(load(model, runtime="keras"), Captioner)
    with pytest.raises(AttributeError, match=r"no encoder; captioner.load\(..., runtime='keras'\)"):
        lite.encoder  # noqa: B018 - the error says how to have one


@pytest.mark.long
def test_a_shipped_model_is_run_by_keras_on_request():
    photo = "data/samples/horses.jpg"
    for opened_by_keras in (
        load(DEFAULT_PRESET, runtime="keras"),
        load(DEFAULT_PRESET, "keras"),
        Captioner.from_preset(DEFAULT_PRESET),
    ):
        assert isinstance(opened_by_keras, Captioner)
        assert opened_by_keras.encoder.channels
        assert opened_by_keras.generate(photo) == load(DEFAULT_PRESET).generate(photo)
    assert load(DEFAULT_PRESET, "keras").decoder.implementation == "keras"


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("nonsense", {}, "nonsense: no such model"),
        (DEFAULT_PRESET, {"runtime": "onnx"}, "runtime 'onnx': choose one of auto, litert, keras"),
        (DEFAULT_PRESET, {"runtime": "litert", "implementation": "keras"}, "is for Keras"),
        (exported_form(DEFAULT_PRESET), {"runtime": "keras"}, "Keras needs the .keras file"),
        (exported_form(DEFAULT_PRESET), {"implementation": "custom"}, "needs the .keras file"),
        (find_model(DEFAULT_PRESET), {"runtime": "litert"}, "run `python -m captioner export"),
    ],
)
def test_what_cannot_be_loaded(name, settings, message):
    with pytest.raises(CaptionerError, match=message):
        load(name, **settings)


def test_a_captioner_that_is_open_stays_as_it_is(tiny_captioner, model):
    assert opened(tiny_captioner) is tiny_captioner
    assert isinstance(opened(ModelChoice(model)), Captioner)


def test_without_litert_a_warning_says_that_keras_is_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.warns(CaptionerWarning, match="LiteRT cannot be imported.*; Keras is used"):
        model = load_models([DEFAULT_PRESET])
    assert isinstance(model, Captioner)
    with pytest.raises(CaptionerError, match="pip install ai-edge-litert"):
        load_models([DEFAULT_PRESET], "litert")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (ModelChoice("nonsense"), "nonsense: no such model"),
        (ModelChoice("nonsense", runtime="keras"), "nonsense: no such model"),
        (ModelChoice(rerank_weight=0.5), "--rerank-weight 0.5: is for --rerank"),
    ],
)
def test_mistakes(choice, message):
    with pytest.raises(CaptionerError, match=message):
        choice.open()


def test_threads_are_litert_s(monkeypatch):
    given = []

    def noting(folder, threads):
        given.append(threads)
        return LiteCaptioner(folder, threads)

    monkeypatch.setattr("captioner.models.LiteCaptioner", noting)
    ModelChoice().open(threads=1)
    ModelChoice(threads=2).open()
    ModelChoice(threads=2).open(threads=1)
    assert given == [1, 2, 1]


@pytest.mark.parametrize(
    ("choice", "runtimes"),
    [
        (ModelChoice(), {"litert"}),
        (ModelChoice(runtime="keras"), {"keras"}),
        (ModelChoice(("everyday", "mine.keras")), {"litert", "keras"}),
        (ModelChoice(rerank="mine.keras"), {"litert", "keras"}),
        (ModelChoice("mine.keras"), {"keras"}),
    ],
)
def test_what_will_run_the_models(choice, runtimes):
    assert choice.runtimes() == runtimes


@pytest.mark.filterwarnings("ignore::captioner.errors.ReplacedModelWarning")
def test_the_identity_is_that_of_the_files(model):
    choice = ModelChoice(model)
    before = choice.identity()
    assert ModelChoice(model, runtime="keras").identity() == before
    assert ModelChoice(model, rerank=model).identity() != before
    os.utime(model, (1e9, 1e9))  # replaced by another one
    assert choice.identity() != before
    [(old, new), *_] = REPLACED.items()
    assert ModelChoice([old]).identity() == ModelChoice(new).identity()
    assert ModelChoice().identity() == {
        "model": [DEFAULT_PRESET], "rerank": None, "rerank_weight": None, "files": [None],
    }  # fmt: skip


def test_an_implementation_that_there_is_not():
    with pytest.raises(CaptionerError, match="implementation 'nix': choose one of custom, keras"):
        load(DEFAULT_PRESET, implementation="nix")
