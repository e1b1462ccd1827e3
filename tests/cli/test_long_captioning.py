"""Captioning that is killed goes on where it was, and never touches what it did not write."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from captioner.bulk.journal import Journal
from captioner.cli import main
from captioner.errors import CaptionerError
from captioner.generation import Caption
from captioner.images import find_images
from tests.test_hostile_pictures import pictures_in
from tests.training.test_killed_runs import SmallDisk

SETTINGS = {"model": None, "beam_size": 3}


@pytest.fixture
def model(tiny_captioner, tmp_path):
    path = tmp_path / "model.keras"
    tiny_captioner.save(path)
    return str(path)


def stopped_after(monkeypatch, pictures):
    """Makes captioning end by Ctrl-C after some pictures."""
    add, count = Journal.add, 0

    def add_or_stop(*arguments):
        nonlocal count
        add(*arguments)
        count += 1
        if count == pictures:
            monkeypatch.setattr(Journal, "add", add)
            raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "add", add_or_stop)


@pytest.mark.parametrize("format", ["text", "jsonl", "json", "csv", "coco"])
def test_a_stopped_run_goes_on(model, photos, tmp_path, capsys, monkeypatch, format):
    output, whole = tmp_path / "captions", tmp_path / "whole"
    command = ["caption", str(photos), "--model", model, "--format", format, "--scores"]
    assert main([*command, "--output", str(whole)]) == 0
    stopped_after(monkeypatch, 2)
    assert main([*command, "--output", str(output)]) == 130
    assert "interrupted; continue with --resume" in capsys.readouterr().err
    assert not output.exists()
    assert main([*command, "--output", str(output)]) == 2
    assert "an unfinished run is there" in capsys.readouterr().err
    assert main([*command, "--output", str(output), "--resume"]) == 0
    assert "going on after 2 of 3 pictures" in capsys.readouterr().err
    assert output.read_bytes() == whole.read_bytes()
    assert not os.path.exists(f"{output}.part")
    assert main([*command, "--output", str(output), "--resume"]) == 0
    assert "is complete" in capsys.readouterr().err


def test_a_picture_given_twice_is_there_once(model, photos, tmp_path):
    output = tmp_path / "captions"
    paths = [str(photos), str(photos / "a.png")]
    assert main(["caption", *paths, "--model", model, "--output", str(output)]) == 0
    assert len(output.read_text().splitlines()) == 3


def test_under_other_settings_it_does_not_go_on(model, photos, tmp_path, capsys, monkeypatch):
    command = ["caption", str(photos), "--model", model, "--output", str(tmp_path / "captions")]
    stopped_after(monkeypatch, 1)
    main(command)
    assert main([*command, "--resume", "--beam-size", "5"]) == 2
    assert "beam_size was None, is 5" in capsys.readouterr().err


def test_a_run_that_did_nothing_leaves_nothing(model, photos, tmp_path):
    output = tmp_path / "captions"
    command = ["caption", str(photos), "--model", model, "--output", str(output)]
    assert main([*command, "--beam-size", "0"]) == 2
    assert not os.path.exists(f"{output}.part")
    assert main(command) == 0


@pytest.mark.parametrize("cut", range(1, 400, 7))
def test_a_journal_that_ends_anywhere(tmp_path, cut):
    output = str(tmp_path / "o")
    captions = [Caption("a dog", -1.5, ("a", "dog"), (-0.5, -0.5, -0.5))]
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


def test_what_is_no_journal_is_left_alone(tmp_path):
    path = tmp_path / "o.part"
    for content in (b"my diary", b"my diary\nand more\n", b'{"a": 1}\n', b"[]\n"):
        path.write_bytes(content)
        with pytest.raises(CaptionerError, match="not what an unfinished run leaves"):
            Journal(str(tmp_path / "o"), SETTINGS, resume=True)
        assert path.read_bytes() == content


def test_killed_at_any_moment(photos, tmp_path):
    """By the shipped model, in processes of their own, killed again and again."""
    for n in range(60):
        Image.new("RGB", (40, 30), (4 * n, 0, 0)).save(photos / f"{n}.png")
    output = tmp_path / "captions"
    command = [sys.executable, "caption.py", str(photos), "--format", "jsonl", "--resume"]
    command += ["--output", str(output), "--batch-size", "2"]
    kills, sizes = 0, [0]
    while kills < 3:
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        part = f"{output}.part"
        while process.poll() is None and (
            not os.path.exists(part) or os.path.getsize(part) < sizes[-1] + 1000
        ):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
        sizes.append(os.path.getsize(part))
    assert sizes == sorted(set(sizes))  # each went on from the one before
    assert subprocess.run(command, capture_output=True).returncode == 0
    expected = sorted(str(path) for path in photos.iterdir())
    assert sorted(pictures_in(output, "jsonl")) == expected


def test_no_room_for_the_output(model, photos, tmp_path, capsys):
    output = tmp_path / "captions"
    command = ["caption", str(photos), "--model", model, "--output", str(output)]
    output.write_text("older captions")
    with SmallDisk(300):
        assert main(command) == 2
    error = capsys.readouterr().err
    assert "cannot be written (File too large)" in error
    assert len(error.splitlines()) == 1
    assert output.read_text() == "older captions"
    assert main([*command, "--resume"]) == 0
    assert len(output.read_text().splitlines()) == 3


def test_captions_beside_pictures(model, photos, capsys):
    command = ["caption", str(photos), "--model", model, "--sidecar"]
    (photos / "b.txt").write_text("by hand")
    assert main(command) == 1
    printed = capsys.readouterr()
    assert "b.txt exists already; --overwrite replaces it" in printed.err
    captions = dict(line.split("\t") for line in printed.out.splitlines())
    assert sorted(captions) == [str(photos / "a.png"), str(photos / "c.webp")]
    assert (photos / "a.txt").read_text() == captions[str(photos / "a.png")] + "\n"
    assert (photos / "b.txt").read_text() == "by hand"
    assert main([*command, "--resume"]) == 0
    assert capsys.readouterr().out == ""
    assert (photos / "b.txt").read_text() == "by hand"
    assert main([*command, "--overwrite"]) == 0
    assert (photos / "b.txt").read_text() != "by hand"


def test_two_pictures_of_one_name(model, photos, capsys):
    Image.new("RGB", (9, 9)).save(photos / "a.jpg")
    command = ["caption", str(photos), "--model", model, "--sidecar"]
    assert main(command) == 1
    assert "which has the same name" in capsys.readouterr().err


def test_captions_beside_pictures_and_in_a_file(model, photos, tmp_path, monkeypatch):
    output = tmp_path / "o.jsonl"
    command = ["caption", str(photos), "--model", model, "--sidecar", "--output", str(output)]
    stopped_after(monkeypatch, 2)
    assert main([*command, "--format", "jsonl"]) == 130
    assert main([*command, "--format", "jsonl", "--resume"]) == 0
    entries = [json.loads(line) for line in output.read_text().splitlines()]
    assert len(entries) == 3
    for entry in entries:
        with open(os.path.splitext(entry["image"])[0] + ".txt") as file:
            assert file.read() == entry["caption"] + "\n"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--resume"], "give --output or --sidecar"),
        (["--overwrite"], "is for --sidecar and --write-metadata"),
    ],
)
def test_flags_that_do_not_go_together(model, photos, capsys, flags, message):
    assert main(["caption", str(photos), "--model", model, *flags]) == 2
    assert message in capsys.readouterr().err


def test_two_processes_cannot_write_one_output(tmp_path):
    first = Journal(str(tmp_path / "o"), SETTINGS, resume=False)
    with pytest.raises(CaptionerError, match="another process is writing it"):
        Journal(str(tmp_path / "o"), SETTINGS, resume=True)
    first.close()
    assert os.listdir(tmp_path) == []


def test_a_sampled_run_that_was_stopped_ends_as_if_it_had_not_been(
    model, photos, tmp_path, monkeypatch
):
    sampling = ["--method", "sample", "--seed", "1", "--temperature", "3"]
    command = ["caption", str(photos), "--model", model, *sampling, "--output"]
    assert main([*command, str(tmp_path / "whole")]) == 0
    stopped_after(monkeypatch, 1)
    assert main([*command, str(tmp_path / "o")]) == 130
    assert main([*command, str(tmp_path / "o"), "--resume"]) == 0
    assert (tmp_path / "o").read_bytes() == (tmp_path / "whole").read_bytes()


def test_files_of_names_like_ours_are_not_touched(model, photos):
    victim = photos / "victim"
    victim.write_text("mine")
    (photos / "a.txt.new").symlink_to("victim")
    assert main(["caption", str(photos / "a.png"), "--model", model, "--sidecar"]) == 0
    assert victim.read_text() == "mine"
    assert (photos / "a.txt").read_text().strip()
    assert sorted(os.listdir(photos))[:3] == ["a.png", "a.txt", "a.txt.new"]


def test_an_output_that_is_no_file_is_told_before_the_work(model, photos, tmp_path, capsys):
    assert main(["caption", str(photos), "--model", model, "--output", str(tmp_path)]) == 2
    assert "is no regular file" in capsys.readouterr().err


def test_a_glob_finds_each_picture_once(photos):
    (photos / "below").mkdir()
    (photos / "a.png").rename(photos / "below" / "a.png")
    paths, _ = find_images([f"{photos}/**"])
    assert sorted(paths) == sorted(set(paths))
    assert len(paths) == 3
