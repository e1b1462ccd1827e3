"""The command as a user sees it: scores of a model and of captions already written."""

import csv
import json
import re

import pytest
from PIL import Image

from captioner.cli import main
from captioner.datasets import load_dataset
from captioner.generation import Caption
from captioner.metrics import save_results
from captioner.output.writers import WRITERS
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
    assert "results.json: is not a folder" in capsys.readouterr().err


SIX = [f"{n}.png" for n in range(6)]


def fields(folder, name="fields.csv", split=None):
    """A table of six pictures, which are written into the folder where there are none."""
    for n, file in enumerate(SIX):
        Image.new("RGB", (32, 32), (40 * n, 0, 0)).save(folder / file)
    rows = [f"{file},a red field,{split(n) if split else ''}" for n, file in enumerate(SIX)]
    (folder / name).write_text("\n".join(["image,caption,split", *rows]))
    return str(folder / name)


@pytest.mark.parametrize(
    ("splits", "flags", "count", "note"),
    [
        ("", [], 6, "scores all 6 pictures: {data} defines no splits"),
        ("", ["--split", "all"], 6, None),
        ("train val val test test test", [], 3, "scores the 3 pictures of test"),
        ("train val val val val val", [], 5, "scores the 5 pictures of val: {data} has no test"),
        ("train val val test test test", ["--split", "all"], 6, None),
        ("train val val test test test", ["--split", "dev"], 2, None),
    ],
)
def test_the_pictures_scored_with_a_model(model, tmp_path, capsys, splits, flags, count, note):
    data = fields(tmp_path, split=(splits.split().__getitem__ if splits else None))
    command = ["evaluate", "--model", model, "--data", data, "--metrics", "bleu", "--json", *flags]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["images"] == count
    assert err.splitlines() == ([f"note: {note.format(data=data)}"] if note else [])


def trained_on(tiny_captioner, monkeypatch, path, **trained_with):
    monkeypatch.setattr(tiny_captioner, "about", {"started_from": {"trained_with": trained_with}})
    tiny_captioner.save(path)
    return str(path)


def test_pictures_that_the_model_learned_from_are_not_scored(
    tiny_captioner, monkeypatch, tmp_path, capsys
):
    data = fields(tmp_path)
    learned = trained_on(tiny_captioner, monkeypatch, tmp_path / "m.keras", data="fields.csv")
    command = ["evaluate", "--data", data, "--metrics", "bleu", "--model"]
    assert main([*command, learned]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("1 caption, tokenization ptb\n")  # a tenth; of a few pictures, one
    why, _, scored = err.splitlines()
    assert why.startswith(f"note: the captioner has learned from train of {data}; --split all")
    assert scored == "note: scores the 1 picture of test"
    assert main([*command, learned, "--split", "all"]) == 0
    assert capsys.readouterr().out.startswith("6 captions")
    whole = trained_on(
        tiny_captioner, monkeypatch, tmp_path / "m.keras", data=["x", "fields.csv"], val_data="y"
    )
    assert main([*command, whole]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("6 captions")
    assert f"note: the captioner has learned from {data}: these scores are too high" in err


def test_a_coco_file_is_scored_alone_or_with_the_one_beside_it(model, tmp_path, capsys):
    make_colours(tmp_path, pictures=6)
    train, val = (f"{tmp_path}/captions_{split}.json" for split in ("train", "val"))
    command = ["evaluate", "--model", model, "--metrics", "bleu", "--data", train]
    for flags, count, note in (
        ([], "6", f"note: scores all 6 pictures: {train} defines no splits"),
        (["--split", "val"], "4", f"note: val is read from {val}, which is beside {train}"),
    ):
        assert main([*command, *flags]) == 0
        out, err = capsys.readouterr()
        assert (out.split()[0], err.strip()) == (count, note)


def sets_of_every_format(folder, pictures):
    """The same pictures as data sets of every format; each has one picture's captions twice."""
    texts = {file: [f"a {n} field", "a field"] for n, file in enumerate(pictures)}
    pairs = [(file, text) for file, each in texts.items() for text in each]
    write_json(folder / "captions.json", coco_document(texts, first_id=500))
    images = [
        {"filename": file, "imgid": n, "sentences": [{"raw": text} for text in each]}
        for n, (file, each) in enumerate(texts.items())
    ]
    write_json(folder / "dataset.json", {"images": images})
    lines = [f"{file}#{n}\t{text}" for n, (file, text) in enumerate(pairs)]
    (folder / "x.token.txt").write_text("\n".join(lines))
    (folder / "x.csv").write_text("\n".join(["image,caption", *map(",".join, pairs)]))
    for file, each in texts.items():
        (folder / "sidecar").mkdir(exist_ok=True)
        Image.new("RGB", (32, 32)).save(folder / "sidecar" / file)
        (folder / "sidecar" / file).with_suffix(".txt").write_text("\n".join(each))
    return ["captions.json", "dataset.json", "x.token.txt", "x.csv", "sidecar"]


@pytest.mark.parametrize("format", ["coco", "jsonl", "json", "csv", "text"])
def test_what_caption_writes_is_scored_on_every_format(tmp_path, capsys, format):
    pictures = ["COCO_val2014_000000000042.jpg", "beach.v1.png", "00123.JPG"]
    sets = sets_of_every_format(tmp_path, pictures)
    captions = tmp_path / "captions"
    with open(captions, "w", encoding="utf-8") as file:
        writer = WRITERS[format](file)
        for n, name in enumerate(pictures):
            best, second = Caption(f"a {n} field", -1.0, (), ()), Caption("red", -2.0, (), ())
            writer.write(f"../photos/{name}", [best, second])
        writer.close(failures=[])
    for data in sets:
        command = ["evaluate", "--data", str(tmp_path / data), "--results", str(captions)]
        assert main([*command, "--metrics", "bleu", "--json"]) == 0, data
        scores = json.loads(capsys.readouterr().out)
        # Only where each picture has its own caption are all equal to a reference.
        assert (scores["images"], scores["BLEU-3"]) == (3, pytest.approx(1))


def test_captions_of_all_pictures_are_scored_on_a_split(tmp_path, capsys):
    data = fields(tmp_path, split=["train", "train", "val", "val", "test", "test"].__getitem__)
    results = str(tmp_path / "all.tsv")
    with open(results, "w", encoding="utf-8") as file:
        file.writelines(f"photos/{name}\ta red field\n" for name in SIX)
    command = ["evaluate", "--results", results, "--data", data, "--metrics", "bleu"]
    assert main([*command, "--split", "val"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("2 captions")
    assert err.splitlines() == [
        f"note: {results}: its captions are matched to pictures by file name",
        f"note: {results}: 4 of 6 captions are of pictures that are not scored; left out",
    ]
    assert main(command) == 0
    assert f"note: scores all 6 pictures of {data}" in capsys.readouterr().err


def test_metrics_with_spaces_and_commas(tmp_path, capsys):
    data = fields(tmp_path)
    save_results(str(tmp_path / "r.json"), dict.fromkeys(SIX, "a red field"))
    command = ["evaluate", "--data", data, "--results", str(tmp_path / "r.json"), "--json"]
    found = []
    for names in ["bleu,cider"], ["bleu", "cider"], ["bleu, cider"], ["bleu,", "cider", "cider"]:
        assert main([*command, "--metrics", *names]) == 0
        found.append(set(json.loads(capsys.readouterr().out)) - {"images", "tokenization"})
    assert found == [{"BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "CIDEr"}] * 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bleu,cidre", "metric 'cidre': did you mean cider? choose one of bleu, rouge, cider, "
                       "meteor, spice\n"),
        ("BLEU-4", "did you mean bleu?"),
        ("xyz", "choose one of bleu, rouge, cider, meteor, spice\n"),
        (",", "--metrics: none given"),
    ],
)  # fmt: skip
def test_an_unknown_metric_is_reported_before_all_work(capsys, name, message):
    """Not after an hour of captioning."""
    assert main(["evaluate", "--data", "nowhere", "--results", "r.json", "--metrics", name]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--format", "--data-format"])
def test_the_format_of_the_annotations(tmp_path, capsys, flag):
    data = fields(tmp_path)
    save_results(str(tmp_path / "r.json"), dict.fromkeys(SIX, "a red field"))
    command = ["evaluate", "--results", str(tmp_path / "r.json"), "--metrics", "bleu", "--data"]
    assert main([*command, data, flag, "csv"]) == 0
    assert main([*command, data, flag, "coco"]) == 2
    assert "fields.csv: line 1, column 1: broken JSON" in capsys.readouterr().err


def test_the_division_behind_the_share_of_copies_is_told(tmp_path, capsys):
    data = fields(tmp_path)
    save_results(str(tmp_path / "r.json"), dict.fromkeys(SIX, "a red field"))
    command = ["evaluate", "--results", str(tmp_path / "r.json"), "--metrics", "bleu"]
    assert main([*command, "--data", data, "--diversity", data]) == 0
    assert "4 train, 1 val, 1 test; this is train" in capsys.readouterr().err


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
