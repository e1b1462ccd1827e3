"""Settings: files, ranges, types."""

import json
import math

import pytest

from captioner import TrainConfig
from captioner.errors import CaptionerError
from captioner.training.config import read_config_file


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
