"""The output formats: what other programs read is what was written, whatever names are like."""

import csv
import io
import json
import os
import re

import pytest

from captioner.generation import Caption
from captioner.output.writers import WRITERS, image_id

BEST = Caption("a dog", -0.5, ("a", "dog"), (-0.25, -0.5, -0.75))
SECOND = Caption('"a", cat', -1.5, ('"a",', "cat"), (-1.0, -1.5, -2.0))
SURE, UNSURE = BEST._replace(confidence=0.75), SECOND._replace(confidence=0.0)
ODD = os.fsdecode(b"\xff.jpg")
RESULTS = [("a.jpg", [BEST, SECOND]), ("b\n\t.jpg", [SECOND]), (ODD, [BEST])]


def written(format, results=RESULTS, with_scores=False, failures=()):
    file = io.StringIO()
    writer = WRITERS[format](file, with_scores)
    for each in results:
        writer.write(*each)
    writer.close(list(failures))
    return file.getvalue()


def test_text_is_a_line_per_caption():
    assert written("text").splitlines() == [
        "a.jpg\ta dog", 'a.jpg\t"a", cat', 'b\\n\\t.jpg\t"a", cat', f"{ODD}\ta dog",
    ]  # fmt: skip
    assert written("text", RESULTS[:1], True).splitlines()[0] == "a.jpg\ta dog\t-0.5000"


def test_a_terminal_is_not_steered_by_names():
    file = io.StringIO()
    file.isatty = lambda: True
    WRITERS["text"](file).write("\x1b[2J.jpg", [BEST])
    assert file.getvalue() == "\\x1b[2J.jpg\ta dog\n"


def test_csv_is_read_back():
    rows = list(csv.DictReader(io.StringIO(written("csv", with_scores=True), newline="")))
    assert [(row["image"], row["caption"], float(row["score"])) for row in rows] == [
        (picture, each.text, each.score) for picture, captions in RESULTS for each in captions
    ]
    assert list(rows[0]) == ["image", "caption", "score", "confidence"]
    assert written("csv", []) == "image,caption\n"


def test_json_and_its_lines_hold_the_same():
    for with_scores in (False, True):
        lines = [json.loads(line) for line in written("jsonl", RESULTS, with_scores).splitlines()]
        assert json.loads(written("json", RESULTS, with_scores)) == lines
    assert [entry["image"] for entry in lines] == [picture for picture, _ in RESULTS]
    assert lines[0] == {
        "image": "a.jpg", "caption": "a dog", "score": -0.5, "captions": ["a dog", '"a", cat'],
        "words": [{"word": "a", "log_probability": -0.25},
                  {"word": "dog", "log_probability": -0.5}],
    }  # fmt: skip
    assert json.loads(written("json", [])) == []


@pytest.mark.parametrize("format", ["json", "jsonl", "coco"])
def test_json_is_utf_8_whatever_bytes_a_name_has(format):
    assert written(format).encode()


def test_scores_have_the_confidence_where_there_is_one():
    results = [("a.jpg", [SURE]), ("b.jpg", [UNSURE])]
    assert written("text", results, with_scores=True) == (
        'a.jpg\ta dog\t-0.5000\t0.7500\nb.jpg\t"a", cat\t-1.5000\t0.0000\n'
    )
    rows = csv.DictReader(io.StringIO(written("csv", results + RESULTS[:1], True), newline=""))
    assert [row["confidence"] for row in rows] == ["0.7500", "0.0000", "", ""]
    entries = json.loads(written("json", results + RESULTS[:1], True))
    assert [entry.get("confidence") for entry in entries] == [0.75, 0.0, None]
    for format in ("text", "csv", "jsonl", "json"):
        assert "0.75" not in written(format, results)


def test_coco_has_ids_and_the_best_captions():
    names = ["COCO_val2014_000000000042.jpg", "x/000000000007.png", "x/a.b.jpg"]
    found = json.loads(written("coco", [(name, [BEST, SECOND]) for name in names]))
    assert found == [{"image_id": each, "caption": "a dog"} for each in (42, 7, "a.b")]
    assert image_id("12.jpg") == "12"


def test_html_has_the_pictures_and_the_failures():
    page = written("html", RESULTS[:1], failures=["b.jpg: broken"])
    [data] = re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert [entry["image"] for entry in json.loads(data)["entries"]] == ["a.jpg"]
    assert json.loads(data)["failures"] == ["b.jpg: broken"]
