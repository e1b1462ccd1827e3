"""From arguments and lists to picture files: what people have on their disks, each file once."""

import codecs
import io
import os
import sys
import unicodedata

import pytest

from captioner import finding
from captioner.errors import CaptionerError
from captioner.finding import find_images, is_picture, local_spelling, names_in

HEIC = bytes(3) + b"\x18ftypheic" + bytes(4) + b"mif1heic"


def touch(folder, *names):
    """Makes empty files; returns their paths."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return [str(folder / name) for name in names]


def standard_input(monkeypatch, content):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.fixture
def without_heif(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)


def test_files_folders_and_globs(photos):
    touch(photos, "notes.txt", ".hidden.jpg", "below/D.JPG")
    everything = [str(photos / name) for name in ("a.png", "b.jpg", "c.webp", "below/D.JPG")]
    assert find_images([str(photos)]) == (everything, [])
    assert find_images([f"{photos}//"])[0][3] == f"{photos}//below/D.JPG"
    assert find_images([str(photos / "*.jpg")]) == ([everything[1]], [])
    assert find_images([str(photos / "notes.txt")]) == ([str(photos / "notes.txt")], [])


def test_arguments_that_give_none(tmp_path):
    (tmp_path / "empty").mkdir()
    missing, empty, pattern = (str(tmp_path / name) for name in ("missing", "empty", "*.jpg"))
    assert find_images([missing, empty, pattern, "a\0b*.jpg"]) == (
        [],
        [
            f"{missing}: no such file or folder",
            f"{empty}: folder holds no pictures",
            f"{pattern}: no file matches",
            "a\\x00b*.jpg: no file matches",
        ],
    )


LEFT_OUT = ("@eaDir", "@EADIR", "#recycle", "$RECYCLE.BIN", "__MACOSX", "lost+found", ".thumbnails")
LEFT_OUT += (".Trash-1000", ".git", ".AppleDouble", ".picasaoriginals", "System Volume Information")
LEFT_OUT += ("@Recycle", ".@__thumb", "#snapshot", "node_modules", ".dtrash", ".Spotlight-V100")


@pytest.mark.parametrize("name", LEFT_OUT)
def test_folders_of_thumbnails_and_deleted_files(tmp_path, name):
    photo, thumbnail = touch(tmp_path, "a.jpg", f"below/{name}/a.jpg/thumb.jpg")
    assert find_images([f"{tmp_path}/**"]) == ([photo], [])
    touch(tmp_path, "._a.jpg", ".DS_Store", "Thumbs.db", "below/desktop.ini")
    assert find_images([str(tmp_path)]) == ([photo], [])
    assert find_images([f"{tmp_path}/**/*.jpg"]) == ([photo], [])
    # What is named is taken.
    assert find_images([thumbnail]) == ([thumbnail], [])
    assert find_images([f"{tmp_path}/below/{name}"]) == ([thumbnail], [])
    assert find_images([f"{tmp_path}/*/{name}/**/*.jpg"])[0] == [thumbnail]


def test_a_glob_of_hidden_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, ".album/a.jpg", ".album/@eaDir/b.jpg", "c.jpg")
    assert find_images([".*/*.jpg"]) == ([".album/a.jpg"], [])
    assert find_images(["./**/*.jpg"]) == (["./c.jpg"], [])
    assert find_images([f"{tmp_path}/.album/**/*.jpg"]) == ([f"{tmp_path}/.album/a.jpg"], [])


def test_kinds_that_cannot_be_read_are_counted(tmp_path, without_heif):
    [photo] = touch(tmp_path, "a.jpg")
    touch(tmp_path, "b.CR2", "c.nef", "below/d.nef", "e.dng", "f.arw", "g.jxl", "h.mp4", ".i.heic")
    for number in range(12):
        (tmp_path / f"{number}.HEIC").write_bytes(HEIC)
    (tmp_path / "x.hif").write_bytes(HEIC)
    found, problems = find_images([str(tmp_path), str(tmp_path / "below")])
    assert found == [photo]
    assert sorted(problems) == [
        "1 .arw and 1 .cr2 and 1 .dng and 2 .nef pictures were left out; raw files are not read; "
        "export them as JPEG",
        "1 .jxl picture was left out; Pillow cannot read them; convert them to JPEG or PNG",
        "12 .heic and 1 .hif pictures were left out; pip install 'captioner[heif]', or here: "
        "pip install '.[heif]'",
    ]
    named = str(tmp_path / "c.nef")
    found, problems = find_images([str(tmp_path), named])
    assert found == [photo, named]
    assert any("and 1 .nef pictures" in each for each in problems)


def test_a_jpeg_by_the_name_of_heic_is_read(tmp_path, without_heif):
    path = tmp_path / "a.HEIC"
    path.write_bytes(b"\xff\xd8\xff\xe0")
    assert find_images([str(tmp_path)]) == ([str(path)], [])


def test_heic_is_read_with_the_package(tmp_path, monkeypatch):
    path = tmp_path / "a.heic"
    path.write_bytes(HEIC)
    monkeypatch.setattr(finding.heif, "is_installed", lambda: True)
    assert find_images([str(tmp_path)]) == ([str(path)], [])
    assert is_picture("a.HEIC")


def test_avif_without_pillows_avif(tmp_path, monkeypatch):
    touch(tmp_path, "a.avif")
    monkeypatch.setattr(finding.features, "check", lambda name: name != "avif")
    found, [problem] = find_images([str(tmp_path)])
    assert found == []
    assert "built without AVIF" in problem


def test_a_file_reached_twice_is_taken_once(tmp_path, monkeypatch):
    photo, other = touch(tmp_path, "photos/a.jpg", "photos/below/b.jpg")
    folder = f"{tmp_path}/photos"
    arguments = [other, folder, photo, f"{folder}/./a.jpg", f"{folder}/below", f"{folder}/**"]
    assert find_images(arguments) == ([other, photo], [])
    monkeypatch.chdir(folder)
    assert find_images(["a.jpg", photo, "below/../a.jpg"]) == (["a.jpg"], [])
    os.link(photo, f"{folder}/c.jpg")  # a name of its own
    assert find_images(["."]) == (["./a.jpg", "./c.jpg", "./below/b.jpg"], [])


def test_linked_files(tmp_path):
    photo, outside = touch(tmp_path, "photos/b.jpg", "outside/x.jpg")
    folder = tmp_path / "photos"
    (folder / "a.jpg").symlink_to("b.jpg")
    (folder / "c.jpg").symlink_to(outside)
    (folder / "d.jpg").symlink_to("gone.jpg")
    links = [str(folder / name) for name in ("a.jpg", "c.jpg", "d.jpg")]
    assert find_images([str(folder)]) == (links, [])  # under the name that comes first
    assert find_images([photo, str(folder)]) == ([photo, *links[1:]], [])


def test_linked_folders_are_searched_once(tmp_path):
    own, outside, _ = touch(tmp_path, "photos/real/a.jpg", "outside/b.jpg", "outside/.git/c.jpg")
    folder = tmp_path / "photos"
    for name, target in (
        ("again", tmp_path / "outside"),
        ("linked", tmp_path / "outside"),
        ("before", "real"),  # is reached by its own name
        ("here", "."),
        ("up", ".."),
        ("real/round", ".."),
        ("broken", "nowhere"),
        ("itself", "itself"),
        (".hidden", tmp_path / "outside"),
    ):
        (folder / name).symlink_to(target)
    (tmp_path / "outside" / "back").symlink_to(folder)
    assert find_images([str(folder)]) == ([str(folder / "again" / "b.jpg"), own], [])
    assert find_images([str(folder / "linked")])[0][0] == str(folder / "linked" / "b.jpg")
    assert find_images([str(folder), outside]) == ([str(folder / "again" / "b.jpg"), own], [])


def test_a_link_to_a_folder_that_is_hidden_beside_it(tmp_path):
    touch(tmp_path, ".store/1/a.jpg")
    (tmp_path / "album").symlink_to(".store/1")
    assert find_images([str(tmp_path)]) == ([str(tmp_path / "album" / "a.jpg")], [])


def test_a_folder_that_cannot_be_read_is_one_line(tmp_path, monkeypatch):
    [photo] = touch(tmp_path, "a.jpg")
    touch(tmp_path, "closed/b.jpg")
    real = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    closed = str(tmp_path / "closed")
    line = f"{closed}: cannot be read (Permission denied)"
    assert find_images([str(tmp_path)]) == ([photo], [line])
    assert find_images([closed]) == ([], [line])


NAMES = ["a.jpg", "été 猫.png", "-b.jpg", " c d .jpg", os.fsdecode(b"\xff.jpg"), "C:\\x\\y.jpg"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_lists_of_lines(end, mark):
    text = mark + end.join([*NAMES[:3], "", "  ", *NAMES[3:]])
    for content in (text, text + end):
        file = io.BytesIO(content.encode("utf-8", "surrogateescape"))
        assert list(names_in(file)) == NAMES


@pytest.mark.parametrize("is_marked", [True, False])
@pytest.mark.parametrize("null", [True, False])
def test_lists_that_end_in_zero_bytes(is_marked, null):
    names = [*NAMES, "two\nlines.jpg", "a\ttab.jpg", "ends in\r"]
    content = "".join(name + "\0" for name in names).encode("utf-8", "surrogateescape")
    content = codecs.BOM_UTF8 * is_marked + content
    assert list(names_in(io.BytesIO(content), null)) == names
    assert list(names_in(io.BytesIO(content.rstrip(b"\0")), null)) == names


def test_with_the_flag_one_name_may_have_lines():
    assert list(names_in(io.BytesIO(b"two\nlines.jpg"), null=True)) == ["two\nlines.jpg"]
    assert list(names_in(io.BytesIO(b"two\nlines.jpg"))) == ["two", "lines.jpg"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_lists_of_windows(encoding):
    names = ["a.jpg", "été 猫.png"]
    content = ("\ufeff" + "\r\n".join(names) + "\r\n").encode(encoding)
    assert list(names_in(io.BytesIO(content))) == names


def test_lists_longer_than_what_is_read_at_once(monkeypatch):
    monkeypatch.setattr(finding, "BUFFER", 7)
    names = [f"{'x' * (n % 20)}{n}.jpg" for n in range(60)]
    for end, null in (("\n", False), ("\r\n", False), ("\0", True)):
        content = "".join(name + end for name in names).encode()
        assert list(names_in(io.BytesIO(content), null)) == names


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n\r\n", b"\0", codecs.BOM_UTF8])
def test_an_empty_list(content, monkeypatch):
    standard_input(monkeypatch, content)
    assert find_images(["-"]) == ([], [])


def test_standard_input(photos, monkeypatch):
    paths = [str(photos / name) for name in ("b.jpg", "a.png", "b.jpg")]
    standard_input(monkeypatch, "\n".join([*paths, "nowhere.jpg"]).encode())
    missing = "nowhere.jpg: no such file or folder"
    assert find_images([str(photos / "c.webp"), "-"]) == (
        [str(photos / "c.webp"), *paths[:2]],
        [missing],
    )
    odd = touch(photos, "two\nlines.jpg", "a\ttab.jpg", os.fsdecode(b"\xff.jpg"), "[1]*.jpg")
    standard_input(monkeypatch, b"".join(os.fsencode(path) + b"\0" for path in odd))
    assert find_images(["-"], null=True) == (odd, [])


def test_standard_input_that_is_closed(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(CaptionerError, match="standard input is closed"):
        find_images(["-"])


def test_uris_of_files(tmp_path, monkeypatch):
    names = ("a b.jpg", "été.jpg", "50%.jpg", "as%20spelled.jpg", "#?.jpg")
    paths = touch(tmp_path, *names)
    uris = [
        f"file://{tmp_path}/a%20b.jpg",
        f"file://localhost{tmp_path}/%C3%A9t%C3%A9.jpg",
        f"file:{tmp_path}/50%25.jpg",
        f"FILE://{tmp_path}/as%20spelled.jpg",
        f"file://{tmp_path}/%23%3F.jpg",
    ]
    assert find_images(uris) == (paths, [])
    folder = tmp_path / "two words"
    [inside] = touch(folder, "a.jpg")
    assert find_images([f"file://{tmp_path}/two%20words/"])[0] == [inside]
    _, [problem] = find_images(["file:///nowhere/a%00b.jpg"])
    assert "no such file" in problem
    standard_input(monkeypatch, "\r\n".join(uris).encode())
    assert find_images(["-"]) == (paths, [])
    odd = tmp_path / os.fsdecode(b"\xff.jpg")
    odd.touch()
    assert local_spelling(f"file://{tmp_path}/%FF.jpg") == str(odd)


def test_a_uri_of_another_machine():
    found, [problem] = find_images(["file://server/share/a.jpg", "data/samples/cat.jpg"])
    assert "not a URI of this machine" in problem
    assert found == ["data/samples/cat.jpg"]


def test_paths_as_written_on_windows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "photos/below/a.jpg", "photos/b.jpg", "odd\\name.jpg")
    assert find_images(["photos\\below\\a.jpg"]) == (["photos/below/a.jpg"], [])
    assert find_images([".\\photos\\b.jpg"]) == (["./photos/b.jpg"], [])
    assert find_images(["photos\\*.jpg"]) == (["photos/b.jpg"], [])
    assert find_images(["photos\\below\\"]) == (["photos/below/a.jpg"], [])
    assert find_images(["odd\\name.jpg"]) == (["odd\\name.jpg"], [])
    assert find_images(["C:\\a.jpg"]) == ([], ["C:\\a.jpg: no such file or folder"])


def test_names_in_quotes_and_below_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    [path] = touch(tmp_path, "two words.jpg")
    names = [f'"{path}"', f"'{path}'", f"  {path}  ", "~/two words.jpg", f"{path}/"]
    for name in (*names, f'"{path}"'.replace("/", "\\")):
        assert find_images([name]) == ([path], [])
    [quoted] = touch(tmp_path, "'quoted'")
    assert find_images([quoted]) == ([quoted], [])
    assert find_images(["~nobody/a.jpg"])[0] == []


def test_previews_of_programs(tmp_path):
    original, _, _ = touch(
        tmp_path,
        "A.photoslibrary/originals/0/a.jpg",
        "A.photoslibrary/resources/derivatives/a.jpg",
        "Catalog Smart Previews.lrdata/0/a.dng",
    )
    assert find_images([str(tmp_path)]) == ([original], [])
    assert find_images([f"{tmp_path}/A.photoslibrary/"]) == ([original], [])


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_in_the_other_form(tmp_path, form):
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    [path] = touch(tmp_path, unicodedata.normalize(form, "été.jpg"))
    named = f"{tmp_path}/{unicodedata.normalize(other, 'été.jpg')}"
    assert find_images([named]) == ([path], [])
