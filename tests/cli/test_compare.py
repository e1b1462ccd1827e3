"""The command: its flags become a plan, and the table is printed."""

import pytest

from captioner.cli import main
from captioner.study import comparison
from captioner.study.comparison import Plan


@pytest.mark.parametrize(
    ("flags", "plan", "folder"),
    [
        ([], Plan("pets", "", 10, 512, (0, 1, 2)), "runs/compare"),
        (
            ["--images", "photos", "--epochs", "3", "--units", "8", "--seeds", "1", "--out", "x"],
            Plan("pets", "photos", 3, 8, (0,)),
            "x",
        ),
        (["--quick"], Plan("pets", "", 10, 512, (0, 1, 2)).quick(), "runs/compare"),
    ],
)
def test_the_command(monkeypatch, capsys, flags, plan, folder):
    given = []
    monkeypatch.setattr(comparison, "compare", lambda *each: given.append(each) or [])
    monkeypatch.setattr(comparison, "as_markdown", lambda rows: f"table of {rows}")
    assert main(["compare", "--data", "pets", *flags]) == 0
    assert given == [(plan, folder)]
    assert capsys.readouterr().out == "table of []\n"


def test_data_must_be_given(capsys):
    with pytest.raises(SystemExit):
        main(["compare"])
    assert "--data" in capsys.readouterr().err
