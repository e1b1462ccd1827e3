"""Captions by many processes: those of one process, each picture once, whatever is killed."""

import json
import os
import re
import signal

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from captioner.bulk import part_formats, ray_captioning
from captioner.bulk.ray_cluster import require_ray
from tests.bulk.conftest import ODD_NAMES, by_one_process, entries_of, parts_of, ray, state_of
from tests.conftest import until
from tests.hostile import photo

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")


@pytest.fixture
def reports(monkeypatch):
    """The actors' reports, and a function called after each."""
    heard, caption_parts = Heard(), ray_captioning.caption_parts

    def listening(*arguments):
        for report in caption_parts(*arguments):
            heard.append(report)
            yield report
            heard.afterwards(report)

    monkeypatch.setattr(ray_captioning, "caption_parts", listening)
    return heard


class Heard(list):
    def afterwards(self, report):
        pass


@pytest.mark.long
def test_the_same_captions_as_one_process(cluster, pictures, tmp_path, capsys, reports):
    """Though one of the processes that write them is killed."""
    killed = []

    def kill(report):
        if not killed:
            killed.append(report.process)
            os.kill(report.process, signal.SIGKILL)

    reports.afterwards = kill
    for name in ODD_NAMES:
        photo().save(pictures / name)
    arguments = [pictures, pictures / "below", tmp_path / "nothing.png"]
    flags = ["--scores", "--n-best", "2"]
    wanted = by_one_process(tmp_path, *arguments, *flags)
    said = capsys.readouterr().err.splitlines()
    output = tmp_path / "out"
    assert ray(*arguments, *flags, "--part-size", 3, output=output) == 1
    assert sorted(capsys.readouterr().err.splitlines()) == sorted(said)
    assert len(said) == 2
    found = [line for part in parts_of(output) for line in part.read_text().splitlines()]
    assert [line for line in found if "error" not in json.loads(line)] == wanted
    assert len(wanted) == 13
    [failure] = [json.loads(line) for line in found if "error" in json.loads(line)]
    assert failure["image"] == str(pictures / "broken.jpg")
    assert "not a picture" in failure["error"]
    assert [len(part.read_text().splitlines()) for part in parts_of(output)] == [3, 3, 3, 3, 2]
    processes = {report.process for report in reports}
    assert len(processes - set(killed)) >= 2  # both, or one and that in place of the killed
    assert os.getpid() not in processes


@pytest.mark.long
def test_an_interrupted_run_goes_on(cluster, pictures, tmp_path, capsys, reports):
    def interrupt(report):
        raise KeyboardInterrupt

    output, command = tmp_path / "out", [pictures, "--format", "parquet"]
    wanted = [json.loads(line) for line in by_one_process(tmp_path, pictures, "--scores")]
    capsys.readouterr()
    reports.afterwards = interrupt
    assert ray(*command, "--part-size", 2, output=output) == 130
    assert "interrupted; continue with --resume" in capsys.readouterr().err
    package = require_ray()
    until(lambda: package.available_resources().get("CPU") == 2)  # the actors have gone
    done = state_of(parts_of(output))
    assert 1 <= len(done) < 5

    assert ray(*command, "--part-size", 2, output=output) == 2
    assert "holds a run already; continue with --resume" in capsys.readouterr().err
    assert ray(*command, "--part-size", 3, "--resume", output=output) == 2
    assert "part_size was 2, is 3" in capsys.readouterr().err

    reports.afterwards = lambda report: None
    reports.clear()
    assert ray(*command, "--part-size", 2, "--resume", output=output) == 1
    assert f"continuing after {2 * len(done)} of 10 pictures" in capsys.readouterr().err
    assert len(reports) == 5 - len(done)
    assert state_of(done) == done

    table = pyarrow.parquet.read_table(output / "captions")
    names = ["image", "caption", "score", "confidence", "captions", "error"]
    assert table.column_names == names
    assert table.schema.field("score").type == pyarrow.float32()
    assert table.schema.field("captions").type == pyarrow.list_(pyarrow.string())
    rows = sorted(table.to_pylist(), key=lambda row: row["image"])
    [broken] = [row for row in rows if row["error"]]
    assert broken["image"] == str(pictures / "broken.jpg")
    assert broken["caption"] is broken["score"] is broken["captions"] is None
    rows.remove(broken)
    wanted.sort(key=lambda entry: entry["image"])
    assert [row["image"] for row in rows] == [entry["image"] for entry in wanted]
    assert [row["caption"] for row in rows] == [entry["caption"] for entry in wanted]
    assert [row["captions"] for row in rows] == [[entry["caption"]] for entry in wanted]
    scores = [entry["score"] for entry in wanted]
    np.testing.assert_allclose([row["score"] for row in rows], scores, atol=1e-4)

    assert ray(*command, "--part-size", 2, "--resume", output=output) == 1  # one has failed
    assert "is complete" in capsys.readouterr().err


def dying(results, with_scores):
    """Writes a part, unless a picture is in it that no process survives."""
    if any(picture.endswith("deadly.png") for picture, _ in results):
        os.kill(os.getpid(), signal.SIGKILL)
    return part_formats.as_json_lines(results, with_scores)


@pytest.mark.long  # a minute: processes are slow to start
def test_what_kills_every_process_is_left_out(cluster, pictures, tmp_path, monkeypatch, capsys):
    photo().save(pictures / "deadly.png")
    os.remove(pictures / "broken.jpg")
    output = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setitem(part_formats.FORMATS, "jsonl", dying)
        assert ray(pictures, "--part-size", 2, output=output) == 1
    said = capsys.readouterr().err
    assert re.search("deadly.png to .*: is left out, its process died 3 times", said)
    assert "2 of 10 pictures are not done; continue with --resume" in said
    assert len(entries_of(output)) == 8
    assert ray(pictures, "--part-size", 2, "--resume", output=output) == 0
    assert len(entries_of(output)) == 10


def test_folders_that_hold_something_else(photos, tmp_path, capsys):
    output = tmp_path / "out"
    output.mkdir()
    (output / "diary").write_text("mine")
    assert ray(photos, output=output) == 2
    assert "folder is not empty" in capsys.readouterr().err
    assert os.listdir(output) == ["diary"]
    (output / "settings.json").write_text("[]")
    assert ray(photos, "--resume", output=output) == 2
    assert "not what a run leaves" in capsys.readouterr().err
    assert ray(photos, output=output / "diary") == 2
    assert "is a file" in capsys.readouterr().err


def test_settings_that_no_search_has_are_reported_in_one_line(cluster, pictures, tmp_path, capsys):
    assert ray(pictures, "--beam-size", "0", output=tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "beam" in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()
