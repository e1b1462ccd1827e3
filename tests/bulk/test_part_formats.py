"""The files of a part: one row per picture, whatever its name and whether or not it failed."""

import io
import json
import os

import pyarrow.parquet
import pytest

from captioner.bulk.part_formats import FORMATS, as_json_lines, as_parquet
from captioner.generation import Caption
from captioner.images import ImageError
from captioner.output.writers import JsonLinesWriter

BEST = Caption("a dog", -0.5, ("a", "dog"), (-0.25, -0.5, -0.75), confidence=0.75)
SECOND = Caption("a cat", -1.5, ("a", "cat"), (-1.0, -1.5, -2.0))
ODD = os.fsdecode(b"not utf-8 \xff.jpg")
RESULTS = [("a.jpg", [BEST, SECOND]), ("b.jpg", ImageError("b.jpg: broken")), (ODD, [SECOND])]


@pytest.mark.parametrize("with_scores", [False, True])
def test_json_lines_are_those_of_one_process_and_the_failures(with_scores):
    file = io.StringIO()
    writer = JsonLinesWriter(file, with_scores)
    for picture in (0, 2):
        writer.write(*RESULTS[picture])
    lines = as_json_lines(RESULTS, with_scores).decode().splitlines()
    assert json.loads(lines.pop(1)) == {"image": "b.jpg", "error": "b.jpg: broken"}
    assert lines == file.getvalue().splitlines()


def test_parquet_has_a_row_for_each_picture():
    content = as_parquet(RESULTS)
    rows = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
    none = {"caption": None, "score": None, "confidence": None, "captions": None}
    assert rows == [
        {"image": "a.jpg", "caption": "a dog", "score": -0.5, "confidence": 0.75,
         "captions": ["a dog", "a cat"], "error": None},
        {"image": "b.jpg", **none, "error": "b.jpg: broken"},
        {"image": "not utf-8 \\udcff.jpg", "caption": "a cat", "score": -1.5,
         "confidence": None, "captions": ["a cat"], "error": None},
    ]  # fmt: skip


def test_parquet_of_nothing_has_the_same_columns():
    schemas = [
        pyarrow.parquet.read_table(io.BytesIO(FORMATS["parquet"](results, with_scores=True))).schema
        for results in ([], RESULTS[1:2], RESULTS)
    ]
    assert schemas[0] == schemas[1] == schemas[2]
