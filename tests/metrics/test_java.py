import os
import sys
import textwrap

import pytest

from captioner.metrics import java

REFERENCES = [[["a", "dog"], ["x|||y", "z"]]]
CAPTIONS = [["a", "dog\nruns"]]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A stand-in for pycocoevalcap that scores nothing but tells what it was given."""
    package = tmp_path / "pycocoevalcap"
    for metric in ("meteor", "spice"):
        (package / metric).mkdir(parents=True)
        (package / metric / "__init__.py").touch()
        text = f"""
            import os

            told = []

            class {metric.title()}:
                def compute_score(self, references, captions):
                    told.append((references, captions, os.environ["LC_ALL"]))
                    if captions[0] == ["fail"]:
                        raise BrokenPipeError("gone")
                    return 0.25, [0.25]
            """
        (package / metric / f"{metric}.py").write_text(textwrap.dedent(text))
    (package / "__init__.py").touch()
    for name in [name for name in sys.modules if name.split(".")[0] == "pycocoevalcap"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(java.shutil, "which", lambda name: f"/usr/bin/{name}")
    yield package
    for name in [name for name in sys.modules if name.split(".")[0] == "pycocoevalcap"]:
        del sys.modules[name]


def test_without_java(monkeypatch):
    monkeypatch.setattr(java.shutil, "which", lambda name: None)

    assert java.meteor(REFERENCES, CAPTIONS) == "n/a (needs Java)"
    assert java.spice(REFERENCES, CAPTIONS) == "n/a (needs Java)"


def test_without_pycocoevalcap(monkeypatch):
    monkeypatch.setattr(java.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(java.importlib.util, "find_spec", lambda name: None)

    assert java.meteor(REFERENCES, CAPTIONS) == "n/a (needs pycocoevalcap)"


def test_meteor_gets_one_line_a_text_and_english_numbers(package, monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")

    assert java.meteor(REFERENCES, CAPTIONS) == 0.25

    from pycocoevalcap.meteor import meteor

    assert meteor.told == [({0: ["a dog", "x|y z"]}, {0: ["a dog runs"]}, "C.UTF-8")]
    assert os.environ["LC_ALL"] == "de_DE.UTF-8"


def test_a_locale_that_was_not_set_is_not_set_after(package, monkeypatch):
    monkeypatch.delenv("LC_ALL", raising=False)

    java.meteor(REFERENCES, CAPTIONS)

    assert "LC_ALL" not in os.environ


def test_a_scorer_that_stops_is_reported_in_its_place(package):
    value = java.meteor(REFERENCES, [["fail"]])

    assert value == "n/a (Meteor stopped: BrokenPipeError: gone)"


def test_spice_never_downloads_its_models(package):
    value = java.spice(REFERENCES, CAPTIONS)

    assert value.startswith("n/a (needs stanford-corenlp-3.6.0.jar")
    (package / "spice" / "lib").mkdir()
    for name in ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar"):
        (package / "spice" / "lib" / name).touch()
    assert java.spice(REFERENCES, CAPTIONS) == 0.25
