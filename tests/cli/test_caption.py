"""The command as a user sees it: captions, messages, exit status."""

import csv
import json
import os

import pytest
from PIL import Image

from captioner import Captioner, Decoder, Encoder, Vocabulary
from captioner.bulk import Outcome
from captioner.cli import caption, main
from tests.bulk.conftest import ray


def test_text(model, photos, capsys):
    assert main(["caption", str(photos), "--model", model]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == [
        str(photos / name) for name in ("a.png", "b.jpg", "c.webp")
    ]
    assert all(len(line.split("\t")) == 2 for line in lines)


def test_a_hyphen_is_standard_output(model, photos, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["caption", str(photos), "--model", model, "--output", "-"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert not os.path.exists("-")


def test_a_broken_picture_stops_nothing(model, photos, capsys):
    (photos / "aa.jpg").write_bytes(b"broken")
    assert main(["caption", str(photos), str(photos / "zz.jpg"), "--model", model]) == 1
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 3
    errors = printed.err.splitlines()
    assert len(errors) == 2
    assert any("aa.jpg: not a picture" in line for line in errors)
    assert any("zz.jpg: no such file or folder" in line for line in errors)


@pytest.mark.parametrize("format", ["json", "jsonl", "csv", "coco"])
def test_formats(model, photos, tmp_path, capsys, format):
    output = tmp_path / f"out.{format}"
    arguments = ["caption", str(photos), "--model", model, "--format", format, "--scores"]
    assert main([*arguments, "--output", str(output)]) == 0
    assert capsys.readouterr().out == ""
    text = output.read_text(encoding="utf-8")
    if format == "csv":
        rows = list(csv.DictReader(text.splitlines()))
        assert list(rows[0]) == ["image", "caption", "score", "confidence"]
    elif format == "jsonl":
        rows = [json.loads(line) for line in text.splitlines()]
    else:
        rows = json.loads(text)
    assert len(rows) == 3
    if format == "coco":
        assert [row["image_id"] for row in rows] == ["a", "b", "c"]
        assert all(set(row) == {"image_id", "caption"} for row in rows)
    else:
        assert [row["image"][-5:] for row in rows] == ["a.png", "b.jpg", ".webp"]


@pytest.mark.parametrize(
    "flags",
    [
        ["--method", "greedy"],
        ["--beam-size", "5", "--n-best", "2", "--length-penalty", "0.7"],
        ["--method", "sample", "--seed", "3", "--top-k", "4", "--temperature", "0.8"],
        ["--no-repeat-ngram", "2", "--max-length", "5", "--batch-size", "2"],
        ["--no-repeat-word", "--method", "greedy"],
        ["--repeat-word"],
    ],
)
def test_search_flags(model, photos, capsys, flags):
    assert main(["caption", str(photos), "--model", model, *flags]) == 0
    count = 6 if "--n-best" in flags else 3
    assert len(capsys.readouterr().out.splitlines()) == count


def test_attention_maps(model, photos, tmp_path, capsys):
    encoder = Encoder("mobilenet_v2", size=64)
    decoder = Decoder(9, encoder.channels, units=8, embedding=6, attention="additive")
    looking = Captioner(encoder, decoder, Vocabulary(["a", "b", "c", "d", "e"]), {"max_length": 4})
    looking.save(tmp_path / "looking.keras")
    below = photos / "below"
    below.mkdir()
    (photos / "a.png").rename(below / "b.png")
    maps = tmp_path / "maps"
    command = ["caption", str(photos), "--attention-maps", str(maps)]
    assert main([*command, "--model", str(tmp_path / "looking.keras")]) == 0
    assert sorted(os.listdir(maps)) == ["b-2.png", "b.png", "c.png"]
    assert Image.open(maps / "c.png").width >= 200
    capsys.readouterr()
    assert main([*command, "--model", model]) == 2
    assert "does not report where it looks; train one with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--resume"], "give --output or --sidecar"),
        (["--overwrite"], "is for --output, --sidecar and --write-metadata"),
        (["--threads", "0"], "--threads 0: must be 1 or more"),
    ],
)
def test_flags_that_do_not_go_together(model, photos, capsys, flags, message):
    assert main(["caption", str(photos), "--model", model, *flags]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--format", "html"], "--format html: is for --engine local; ray writes jsonl or parquet"),
        (["--sidecar"], "--sidecar: is for --engine local"),
        (["--write-metadata"], "--write-metadata: is for --engine local"),
        (["--attention-maps", "maps"], "--attention-maps: is for --engine local"),
        (["--min-score", "0.5"], "--min-score: is for --engine local"),
        (["--prefix", "a photo of "], "--prefix: is for --engine local"),
        (["--threads", "1"], "--threads: is for --engine local"),
        (["--part-size", "0"], "--part-size 0: must be 1 or more"),
        (["--actor-gpus", "1", "--runtime", "litert"], "LiteRT uses no GPU"),
        (["--model", "nonsense"], "nonsense: no such model"),
        (["file://host/a.jpg"], "not a URI of this machine"),
        (["http://host/a.jpg"], "http://host/a.jpg: is on the web; download it first"),
        (["s3://key:word@bucket/"], "a password in a URI would be written down"),
        (["--manifest", "list.doc"], "a manifest's name ends in .txt, .csv, .jsonl, .parquet"),
    ],
)
def test_mistakes(photos, tmp_path, capsys, flags, message):
    paths = [] if flags[0] == "--manifest" or "://" in flags[0] else [photos]
    assert ray(*paths, *flags, output=tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "parquet"], "--format parquet: is for --engine ray"),
        (["--actors", "2"], "--actors: is for --engine ray"),
        (["--part-size", "2"], "--part-size: is for --engine ray"),
        (["s3://bucket/a.jpg"], "s3://bucket/a.jpg: URIs are for --engine ray"),
        (["--engine", "ray"], "needs --output, a folder"),
    ],
)
def test_mistakes_of_one_process(photos, capsys, arguments, message):
    assert main(["caption", str(photos), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_quiet(model, photos, tmp_path, capsys):
    command = ["caption", str(photos), str(tmp_path / "gone.jpg"), "--model", model, "--quiet"]
    output = ["--output", str(tmp_path / "o"), "--resume"]
    assert main([*command, *output]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"captioner: {tmp_path}/gone.jpg: no such file or folder\n"
    assert main([*command, *output]) == 1
    assert capsys.readouterr().err == printed.err  # without: it is complete


def test_the_number_of_captions_left_out(model, photos, capsys, monkeypatch):
    outcome = Outcome(pictures=40, has_problems=False, below_min_score=12)
    monkeypatch.setattr(caption, "caption_files", lambda *given: outcome)
    command = ["caption", str(photos), "--model", model, "--min-score", "0.50"]
    assert main(command) == 0
    assert capsys.readouterr().err == (
        "12 of 40 captions were below --min-score 0.5 and not written\n"
    )
    assert main([*command, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_nothing_named(capsys):
    assert main(["caption"]) == 2
    assert "no pictures named; give PATH, or --manifest FILE" in capsys.readouterr().err
