import pytest

from captioner.datasets.annotations import Tally
from captioner.datasets.text_encodings import read_saved_text
from captioner.errors import CaptionerError

TEXT = "image,caption\r\na.jpg,Un garçon à la plage\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_one_text_in_every_encoding_of_spreadsheets(tmp_path, encoding):
    path = tmp_path / "x.csv"
    path.write_bytes(TEXT.encode(encoding))
    tally = Tally("x.csv")
    assert read_saved_text(str(path), tally) == TEXT.replace("\r\n", "\n")
    told = ["x.csv: not UTF-8, read as Windows-1252: 1 (first: line 2)"]
    assert tally.warnings() == (told if encoding in ("cp1252", "latin-1") else [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("снимок,собака".encode("cp1251"), "x.csv: line 1: not UTF-8; save the file as UTF-8"),
        (
            "image,caption\na.jpg,犬が芝生の上を走る\n".encode("shift-jis"),
            "x.csv: line 2: not UTF-8",
        ),
        ("à la plage\n".encode() + b"un gar\xe7on", "x.csv: line 2: not UTF-8; save"),
        (b"\xff\xfea", "x.csv: not UTF-16 as its first bytes say; save it as UTF-8"),
    ],
)
def test_other_encodings_are_refused(tmp_path, content, message):
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(CaptionerError, match=message):
        read_saved_text(str(tmp_path / "x.csv"), Tally("x.csv"))
