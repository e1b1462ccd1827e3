"""The journal: whatever a killed run leaves is read, and nothing of anyone else's is touched."""

import os

import pytest

from captioner.bulk.journal import Journal
from captioner.errors import CaptionerError
from captioner.generation import Caption

SETTINGS = {"model": None, "beam_size": 3}


@pytest.mark.parametrize("cut", range(1, 400, 7))
def test_a_journal_that_ends_anywhere(tmp_path, cut):
    output = str(tmp_path / "o")
    captions = [Caption("a dog", -1.5, ("a", "dog"), (-0.5, -0.5, -0.5), confidence=0.5)]
    journal = Journal(output, SETTINGS, resume=False)
    names = ["a.jpg", "\udcff.jpg", "b\n.jpg"]
    for name in names:
        journal.add(name, captions)
    journal.close()
    with open(journal.path, "rb") as file:
        content = file.read()
    with open(journal.path, "wb") as file:
        file.write(content[:-cut])
    journal = Journal(output, SETTINGS, resume=True)
    kept = [name for name in names if name in journal]
    assert kept == names[: max(0, content[:-cut].count(b"\n") - 1)]
    for name in names[len(kept) :]:
        journal.add(name, captions)
    assert [journal.captions(name) for name in names] == [captions] * 3
    journal.close()
    with open(journal.path, "rb") as file:
        assert file.read() == content


def test_what_is_read_in_between_is_not_written_over(tmp_path):
    journal = Journal(str(tmp_path / "o"), SETTINGS, resume=False)
    said = {name: [Caption(name, -1.0, (name,), (-1.0, -1.0))] for name in ("one", "two", "three")}
    for name, captions in said.items():
        journal.add(name, captions)
        assert journal.captions("one") == said["one"]
    assert {name: journal.captions(name) for name in said} == said
    journal.close()


def test_what_is_no_journal_is_left_alone(tmp_path):
    path = tmp_path / "o.part"
    for content in (b"my diary", b"my diary\nand more\n", b'{"a": 1}\n', b"[]\n"):
        path.write_bytes(content)
        with pytest.raises(CaptionerError, match="not what an unfinished run leaves"):
            Journal(str(tmp_path / "o"), SETTINGS, resume=True)
        assert path.read_bytes() == content


def test_two_processes_cannot_write_one_output(tmp_path):
    first = Journal(str(tmp_path / "o"), SETTINGS, resume=False)
    with pytest.raises(CaptionerError, match="another process is writing it"):
        Journal(str(tmp_path / "o"), SETTINGS, resume=True)
    first.close()
    assert os.listdir(tmp_path) == []


def test_a_journal_of_before_captions_had_a_confidence(tmp_path):
    output = str(tmp_path / "o")
    journal = Journal(output, SETTINGS, resume=False)
    journal.add("a.jpg", [Caption("a dog", -1.5, ("a", "dog"), (-0.5, -0.5, -0.5))])
    journal.close()
    with open(journal.path, encoding="utf-8") as file:
        content = file.read()
    assert content.endswith(", null, null]]}\n")
    with open(journal.path, "w", encoding="utf-8") as file:
        file.write(content.replace(", null, null]", ", null]"))
    journal = Journal(output, SETTINGS, resume=True)
    assert journal.captions("a.jpg")[0].confidence is None
    journal.remove()
