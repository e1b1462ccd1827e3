"""The command as a user sees it: scores of a model and of captions already written."""

import csv
import json
import re

import pytest
from PIL import Image

from captioner.cli import main
from captioner.datasets import load_dataset
from captioner.metrics import save_results
from tests.datasets import coco_document, make_colours, touch, write_json
from tests.output.test_gallery import data_of


def test_evaluate_a_model_and_its_results_file_agree(model, tmp_path, capsys):
    data = ["--data", "data/shapes", "--split", "test"]
    results = str(tmp_path / "results.json")
    common = ["--metrics", "bleu", "rouge", "cider", "--json"]
    assert main(["evaluate", "--model", model, *data, "--results", results, *common]) == 0
    from_model = json.loads(capsys.readouterr().out)
    assert (from_model["images"], from_model["tokenization"]) == (60, "ptb")
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


def test_evaluate_says_what_counts_as_a_word(tmp_path, capsys):
    touch(tmp_path, "1.png", "2.png")
    captions = {"1.png": ["一只狗在草地上跑"], "2.png": ["一只猫在睡觉"]}
    write_json(tmp_path / "captions.json", coco_document(captions))
    results = str(tmp_path / "results.json")
    save_results(results, {1: "一只狗在跑", 2: "一只猫"})
    command = ["evaluate", "--data", str(tmp_path / "captions.json"), "--results", results]
    command += ["--metrics", "bleu", "cider", "--json"]
    found = {}
    for tokenization in ("auto", "characters", "ptb"):
        assert main([*command, "--tokenization", tokenization]) == 0
        printed = capsys.readouterr()
        found[tokenization] = json.loads(printed.out)
        assert ("cannot be compared" in printed.err) is (tokenization != "ptb")
    assert found["auto"] == found["characters"]
    assert found["auto"]["tokenization"] == "characters"
    assert found["auto"]["CIDEr"] > 1
    assert found["ptb"]["tokenization"] == "ptb"
    assert found["ptb"]["CIDEr"] == 0
    report = ["--report", str(tmp_path / "report"), "--tokenization", "ptb"]
    for path in (tmp_path / "1.png", tmp_path / "2.png"):
        Image.new("RGB", (8, 8)).save(path)
    assert main([*command[:-1], *report]) == 0
    assert capsys.readouterr().out.startswith("2 captions, tokenization ptb\n")
    with open(tmp_path / "report" / "scores.csv", encoding="utf-8", newline="") as file:
        assert {float(row["CIDEr"]) for row in csv.DictReader(file)} == {0}


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
