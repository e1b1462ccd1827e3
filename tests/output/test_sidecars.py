"""Captions beside pictures: nothing that people wrote is lost."""

import pytest

from captioner.errors import CaptionerError
from captioner.generation import Caption
from captioner.output.sidecars import (
    SidecarError,
    has_sidecar,
    pictures_to_do,
    sidecar_ending,
    sidecar_of,
    write_sidecar,
)

CAPTIONS = [Caption("été", 0.0, (), ()), Caption("a dog", -1.0, (), ())]


def test_a_caption_per_line_beside_the_picture(tmp_path):
    picture = str(tmp_path / "a.b.jpg")
    assert sidecar_of(picture) == str(tmp_path / "a.b.txt")
    assert not has_sidecar(picture)
    write_sidecar(picture, CAPTIONS)
    assert has_sidecar(picture)
    assert (tmp_path / "a.b.txt").read_bytes() == "été\na dog\n".encode()


def test_a_folder_that_is_gone_is_one_line(tmp_path):
    with pytest.raises(SidecarError, match=r"gone/a\.txt: cannot be written \(No such file"):
        write_sidecar(str(tmp_path / "gone/a.jpg"), CAPTIONS)


def test_a_link_that_leads_nowhere_counts_as_a_file(tmp_path):
    (tmp_path / "a.txt").symlink_to("nowhere")
    assert has_sidecar(str(tmp_path / "a.jpg"))


@pytest.mark.parametrize(
    ("existing", "wanted", "refusals"),
    [("refuse", "b", 1), ("skip", "b", 0), ("keep", "ab", 0), ("replace", "ab", 0)],
)
def test_pictures_that_have_captions(tmp_path, existing, wanted, refusals):
    (tmp_path / "a.txt").write_text("by hand")
    pictures = [str(tmp_path / f"{name}.jpg") for name in "ab"]
    todo, refused = pictures_to_do([*pictures, *pictures], existing)
    assert todo == [str(tmp_path / f"{name}.jpg") for name in wanted]
    assert refused == refusals * [
        f"{pictures[0]}: {tmp_path}/a.txt exists already; --overwrite replaces it, --resume skips "
        "the picture"
    ]


def test_many_pictures_that_have_captions_are_one_line(tmp_path):
    pictures = [str(tmp_path / f"{name}.jpg") for name in "abcd"]
    for name in "abc":
        (tmp_path / f"{name}.caption").write_text("by hand")
    todo, refused = pictures_to_do(pictures, "refuse", ".caption")
    assert todo == pictures[3:]
    assert refused == [
        "3 pictures have a caption file already; --overwrite replaces them, --resume skips them"
    ]


@pytest.mark.parametrize(
    ("given", "ending"),
    [
        (".txt", ".txt"),
        ("caption", ".caption"),
        ("en.txt", ".en.txt"),
        ("", None),
        (".", None),
        ("..", None),
        (".jpg", None),  # the picture itself
        ("en.PNG", None),
        ("/../x", None),
        ("a b", None),
    ],
)
def test_the_ending_of_caption_files(tmp_path, given, ending):
    if ending is None:
        with pytest.raises(CaptionerError, match="give an ending of text files"):
            sidecar_ending(given)
        return
    assert sidecar_ending(given) == ending
    write_sidecar(str(tmp_path / "a.jpg"), CAPTIONS, ending)
    assert has_sidecar(str(tmp_path / "a.png"), ending)
    assert [each.name for each in tmp_path.iterdir()] == ["a" + ending]


@pytest.mark.parametrize("existing", ["refuse", "skip", "keep", "replace"])
def test_two_pictures_never_share_a_file(existing):
    todo, refused = pictures_to_do(["a.jpg", "b.jpg", "a.png"], existing)
    assert todo == ["a.jpg", "b.jpg"]
    assert refused == ["a.png: a.txt is of a.jpg, which has the same name"]
