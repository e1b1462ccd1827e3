"""The settings of training: files, ranges, types, and those of the decoder among them."""

import dataclasses
import json
import math

import pytest

from captioner import TrainConfig
from captioner.decoder_settings import DECODER_SETTINGS
from captioner.errors import CaptionerError
from captioner.training.config import AS_BEFORE, SEARCH_SPACE, read_config_file, read_run_settings


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "broken JSON"),
        ("[]", "expected a JSON object"),
        ('{"unit": 3}', r"unknown setting unit; did you mean units\? see train.py --help"),
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


def test_each_setting_of_a_decoder_is_one_of_training():
    fields = {field.name: field for field in dataclasses.fields(TrainConfig)}
    for name, declared in DECODER_SETTINGS.items():
        assert fields[name].metadata == declared.metadata
    # A decoder by itself drops nothing; these are of a run, and no others differ.
    own = {
        name for name, field in DECODER_SETTINGS.items() if fields[name].default != field.default
    }
    assert own == {"attention_penalty", "dropout", "word_dropout", "image_dropout", "seed"}


EDGES = [
    (field.name, limit, field.metadata[limit])
    for field in dataclasses.fields(TrainConfig)
    for limit in ("least", "above", "most", "below")
    if field.metadata[limit] is not None
]


@pytest.mark.parametrize(("name", "limit", "edge"), EDGES)
def test_a_range_ends_where_it_is_said(name, limit, edge):
    outside, inside = {
        "least": (edge - 1, edge), "above": (edge, edge + 0.1),
        "most": (edge + 0.1, edge), "below": (edge, edge - 0.1),
    }[limit]  # fmt: skip
    assert getattr(TrainConfig(**{name: inside}), name) == inside
    with pytest.raises(CaptionerError, match=f"--{name.replace('_', '-')} {outside}.*: must be"):
        TrainConfig(**{name: outside})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layers": 0}, "--layers 0: must be 1 or more"),
        ({"ema": 1.0}, "--ema 1.0: must be 0 or more and below 1"),
        ({"smallest_crop": 0}, "--smallest-crop 0.0: must be above 0 and at most 1"),
    ],
)
def test_an_error_says_the_range(wrong, message):
    with pytest.raises(CaptionerError, match=message):
        TrainConfig(**wrong)


def test_every_number_has_a_range():
    unlimited = {
        field.name
        for field in dataclasses.fields(TrainConfig)
        if field.type in (int, float) and field.name not in {name for name, _, _ in EDGES}
    }
    assert not unlimited


def test_a_run_of_before_has_what_was_done_then(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"units": 7, "text_weight": 0.25}')
    settings = read_run_settings(path)
    assert settings == {**AS_BEFORE, "units": 7, "text_weight": 0.25}
    TrainConfig(**settings)


def test_what_a_search_draws_can_be_trained_with():
    for name, (kind, values) in SEARCH_SPACE.items():
        assert kind in ("choice", "range", "log")
        for value in values:
            assert getattr(TrainConfig(**{name: value}), name) == value


def test_a_captioner_settles_what_is_not_given_otherwise():
    config = TrainConfig(units=300)
    config.adopt({"units": 300, "cell": "gru", "more": 1}, "a.keras")
    assert (config.units, config.cell) == (300, "gru")
    with pytest.raises(CaptionerError, match=r"--units 300: a\.keras has 200; leave the flag out"):
        config.adopt({"units": 200}, "a.keras")
