"""The command line as a user sees it: output, messages, exit status."""

import csv
import json
import os
import re
import subprocess
import sys

import pytest
from PIL import Image

from captioner import Captioner, Decoder, Encoder, Vocabulary
from captioner.cli import main
from captioner.datasets import load_dataset
from captioner.metrics import save_results
from tests.datasets import coco_document, make_colours, touch, write_json
from tests.output.test_gallery import data_of


@pytest.fixture
def model(tiny_captioner, tmp_path):
    path = tmp_path / "model.keras"
    tiny_captioner.save(path)
    return str(path)


def test_text(model, photos, capsys):
    assert main(["caption", str(photos), "--model", model]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == [
        str(photos / name) for name in ("a.png", "b.jpg", "c.webp")
    ]
    assert all(len(line.split("\t")) == 2 for line in lines)


def test_the_backend_starts_without_a_word(real_captioner, photos, tmp_path):
    model = str(tmp_path / "real.keras")
    real_captioner.save(model)
    command = [sys.executable, "caption.py", str(photos / "a.png"), "--model", model]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ""


def test_a_backend_that_fails_is_heard(tmp_path):
    (tmp_path / "keras.py").write_text("import os\nos.write(2, b'no room')\nraise ImportError('x')")
    program = "from captioner.backend import start_backend\nstart_backend()"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stderr.startswith("no room")
    assert done.stderr.rstrip().endswith("ImportError: x")


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
        assert list(rows[0]) == ["image", "caption", "score"]
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["caption", "nowhere.jpg"], "no pictures to caption"),
        (["caption", "{photos}", "--model", "nonsense"], "nonsense: no such model"),
        (["caption", "{photos}", "--model", "{photos}/a.png"], "cannot be opened as a captioner"),
        (["caption", "{photos}", "--model", "{model}", "--top-p", "2"], "no meaning with method"),
        (["train", "--data", "nowhere", "--out", "x"], "nowhere: no such file or folder"),
        (["train", "--units", "0"], "--units 0: must be 1 or more"),
        (["train", "--config", "nowhere.json"], "nowhere.json: cannot be read"),
        (["evaluate", "--data", "nowhere"], "nothing to score"),
    ],
)
def test_mistakes_get_one_line_and_status_2(model, photos, capsys, arguments, message):
    arguments = [each.format(photos=photos, model=model) for each in arguments]
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize("arguments", [["caption", "x", "--colour"], ["train", "--unit", "3"], []])
def test_unknown_flags(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


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
    assert "does not tell where it looks; train one with" in capsys.readouterr().err


def test_evaluate_a_model_and_its_results_file_agree(model, tmp_path, capsys):
    data = ["--data", "data/shapes", "--split", "test"]
    results = str(tmp_path / "results.json")
    common = ["--metrics", "bleu", "rouge", "cider", "--json"]
    assert main(["evaluate", "--model", model, *data, "--results", results, *common]) == 0
    from_model = json.loads(capsys.readouterr().out)
    assert from_model["images"] == 60
    assert main(["evaluate", *data, "--results", results, *common]) == 0
    assert json.loads(capsys.readouterr().out) == from_model


def test_evaluate_writes_a_report(model, tmp_path, capsys):
    make_colours(tmp_path)
    evaluate = ["evaluate", "--data", str(tmp_path), "--split", "val", "--metrics", "cider"]
    report, results = tmp_path / "report", tmp_path / "results.json"
    command = [*evaluate, "--model", model, "--results", str(results), "--report", str(report)]
    assert main([*command, "--n-best", "2"]) == 0
    data = data_of((report / "index.html").read_text(encoding="utf-8"))
    assert set(data["about"]["scores"]) == {"CIDEr"}
    assert [len(entry["captions"]) for entry in data["entries"]] == [2] * 4
    assert data["entries"][0]["references"] == ["a red field", "red everywhere"]
    with open(report / "scores.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["caption"] for row in rows] == [e["captions"][0]["text"] for e in data["entries"]]
    mean = sum(entry["scores"]["CIDEr"] for entry in data["entries"]) / 4
    assert mean == pytest.approx(data["about"]["scores"]["CIDEr"])
    other = tmp_path / "other"
    assert main([*evaluate, "--results", str(results), "--report", str(other)]) == 0
    entries = data_of((other / "index.html").read_text(encoding="utf-8"))["entries"]
    assert [e["scores"] for e in entries] == [e["scores"] for e in data["entries"]]
    assert all(e["thumbnail"] and not e["captions"][0]["word_scores"] for e in entries)
    capsys.readouterr()
    assert main([*command[:-1], str(results)]) == 2
    assert "results.json: cannot be written" in capsys.readouterr().err


def test_perfect_results_score_one(tmp_path, capsys):
    with open("data/shapes/captions_test.json", encoding="utf-8") as file:
        document = json.load(file)
    first = {}
    for each in document["annotations"]:
        first.setdefault(each["image_id"], each["caption"])
    results = tmp_path / "results.json"
    results.write_text(json.dumps([{"image_id": k, "caption": v} for k, v in first.items()]))
    arguments = ["evaluate", "--data", "data/shapes/captions_test.json", "--json"]
    arguments += ["--diversity", "data/shapes"]
    assert main([*arguments, "--results", str(results), "--metrics", "bleu", "cider"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["BLEU-4"] == pytest.approx(1.0)
    assert scores["CIDEr"] > 1
    with open("data/shapes/captions_train.json", encoding="utf-8") as file:
        learned = {each["caption"] for each in json.load(file)["annotations"]}
    said = list(first.values())
    assert scores["distinct"] == pytest.approx(len(set(said)) / len(said))
    assert scores["copied"] == pytest.approx(sum(each in learned for each in said) / len(said))
    assert scores["words"] == len({word for each in said for word in each.split()})


def test_evaluate_counts_faults_and_those_of_people(tmp_path, capsys):
    results, report = tmp_path / "results.json", tmp_path / "report"
    make_colours(tmp_path)
    dataset = load_dataset(str(tmp_path), split="val")
    said = ["a field and a field", "a red field", "a field beside each other", "red"]
    save_results(str(results), dict(zip(dataset.image_ids, said, strict=True)))
    arguments = ["evaluate", "--data", str(tmp_path), "--split", "val", "--metrics", "cider"]
    arguments += ["--results", str(results), "--faults"]
    assert main([*arguments, "--report", str(report)]) == 0
    printed = capsys.readouterr().out
    shares = dict(re.split("  +| (?=[0-9])", line, maxsplit=1) for line in printed.splitlines()[1:])
    assert {name: float(shares[name]) for name in shares if name != "CIDEr"} == {
        "X and X": 0.25, "X and X, people": 0, "each other": 0.25, "each other, people": 0,
        "said twice": 0.25, "said twice, people": 0,
    }  # fmt: skip
    with open(report / "scores.csv", encoding="utf-8", newline="") as file:
        found = {row["caption"]: row["faults"] for row in csv.DictReader(file)}
    assert found == dict(zip(said, ["X and X; said twice", "", "each other", ""], strict=True))


def test_faults_of_another_language_are_not_found_silently(tmp_path, capsys):
    touch(tmp_path, "1.png", "2.png")
    captions = {"1.png": ["un perro corre por la playa"], "2.png": ["dos gatos negros duermen"]}
    write_json(tmp_path / "captions.json", coco_document(captions))
    save_results(str(tmp_path / "results.json"), {1: "un perro y un perro", 2: "dos gatos"})
    arguments = ["evaluate", "--data", str(tmp_path / "captions.json"), "--metrics", "bleu"]
    assert main([*arguments, "--results", str(tmp_path / "results.json"), "--faults"]) == 0
    assert "people's captions here seem not to be in it" in capsys.readouterr().err
