"""The report: a page and a table with the scores of each picture."""

import csv

import pytest

from captioner import metrics
from captioner.datasets import CaptionDataset
from captioner.errors import CaptionerError
from captioner.generation import Caption
from captioner.output.evaluation_report import write_report
from tests.output.test_gallery import data_of

REFERENCES = {1: ["a dog runs", "a brown dog"], 2: ["two cats sleep"], 3: ["a red field"]}
SAID = {1: "a dog and a dog", 3: "a red field"}


@pytest.fixture
def dataset(photos):
    paths = sorted(str(path) for path in photos.iterdir())
    return CaptionDataset(list(REFERENCES), paths, list(REFERENCES.values()))


def captions():
    return {name: [Caption(text, -0.5, tuple(text.split()), ())] for name, text in SAID.items()}


def test_the_page_and_the_table_have_the_pictures_with_captions(dataset, tmp_path):
    write_report(str(tmp_path / "new" / "report"), dataset, captions(), {"CIDEr": 0.5})
    folder = tmp_path / "new" / "report"
    data = data_of((folder / "index.html").read_text(encoding="utf-8"))
    assert data["about"] == {"title": "2 captions, scored", "scores": {"CIDEr": 0.5}}
    assert [entry["references"] for entry in data["entries"]] == [REFERENCES[1], REFERENCES[3]]
    wanted = metrics.score_each({name: REFERENCES[name] for name in SAID}, SAID)
    assert [entry["scores"] for entry in data["entries"]] == [wanted[1], wanted[3]]
    with open(folder / "scores.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["image_id"], row["caption"]) for row in rows] == [
        (str(name), text) for name, text in SAID.items()
    ]
    for row in rows:
        for name, value in wanted[int(row["image_id"])].items():
            assert float(row[name]) == pytest.approx(value, abs=5e-5)
    assert "faults" not in rows[0]


def test_faults_are_in_the_table_where_wanted(dataset, tmp_path):
    write_report(str(tmp_path), dataset, captions(), {}, with_faults=True)
    with open(tmp_path / "scores.csv", encoding="utf-8", newline="") as file:
        faults = {row["image_id"]: row["faults"] for row in csv.DictReader(file)}
    assert faults == {"1": "X and X; said twice", "3": ""}


def test_a_folder_that_cannot_be_made_is_one_line(dataset, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CaptionerError, match="file: is not a folder"):
        write_report(str(tmp_path / "file"), dataset, captions(), {})
    assert (tmp_path / "file").read_text() == "mine"


def test_a_page_that_is_no_report_stays(dataset, tmp_path):
    home = tmp_path / "index.html"
    home.write_text("my home page")
    with pytest.raises(CaptionerError, match=r"has index\.html, but is not the folder of a report"):
        write_report(str(tmp_path), dataset, captions(), {"CIDEr": 0.5})
    assert home.read_text() == "my home page"
    with pytest.raises(CaptionerError, match="is not a folder"):
        write_report(str(home), dataset, captions(), {"CIDEr": 0.5})
    report = str(tmp_path / "report")
    write_report(report, dataset, captions(), {"CIDEr": 0.5})
    write_report(report, dataset, captions(), {"CIDEr": 0.5})  # replaces its own
