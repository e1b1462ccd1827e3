"""From addresses to files."""

import os

import pytest

from captioner.output.picture_addresses import Place, find_file


@pytest.fixture
def site(tmp_path):
    for name in (
        "a.jpg",
        "docs/a b.jpg",
        "docs/a%20c.jpg",
        "docs/img/ü.jpg",
        "img/d.jpg",
        "docs/p#1.jpg",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("a%20b.jpg", "docs/a b.jpg"),
        ("a b.jpg", "docs/a b.jpg"),
        ("a%20c.jpg", "docs/a%20c.jpg"),  # so are names in saved pages
        ("a%2520c.jpg", "docs/a%20c.jpg"),
        (" ./img/%C3%BC.jpg?v=1#x ", "docs/img/ü.jpg"),
        ("img\\ü.jpg", "docs/img/ü.jpg"),
        ("p%231.jpg", "docs/p#1.jpg"),
        ("p#1.jpg", "docs/p#1.jpg"),
        ("../a.jpg", "a.jpg"),
        ("/img/d.jpg?x", "img/d.jpg"),
        ("/../../img/./d.jpg", "img/d.jpg"),
        ("\\img\\d.jpg", "img/d.jpg"),
        ("~/img/d.jpg", "img/d.jpg"),
        ("img/u\u0308.jpg", "docs/img/ü.jpg"),
    ],
)
def test_files(site, source, file):
    place = Place(str(site / "docs"), root=str(site))
    found, path, reason = find_file([source], place)
    assert (found, reason) == (source, None)
    assert os.path.samefile(path, site / file)


@pytest.mark.parametrize(
    ("base", "root", "source", "file"),
    [
        ("img/", None, "%C3%BC.jpg", "docs/img/ü.jpg"),
        ("..", None, "a.jpg", "a.jpg"),
        ("/img/", "", "d.jpg", "img/d.jpg"),
        ("https://example.org/img/index.html", "", "d.jpg", "img/d.jpg"),
        ("https://example.org/img/", "", "/a.jpg", "a.jpg"),
        ("//example.org/img/", "", "d.jpg", "img/d.jpg"),
    ],
)
def test_the_base_of_a_page(site, base, root, source, file):
    place = Place(str(site / "docs"), base, None if root is None else str(site))
    _, path, reason = find_file([source], place)
    assert reason is None
    assert os.path.samefile(path, site / file)


def test_file_addresses(site):
    address = (site / "docs" / "a b.jpg").as_uri()
    assert "%20" in address
    for each in (
        address,
        address.replace("file://", "file://localhost"),
        address.upper()[:4] + address[4:],
    ):
        assert os.path.samefile(find_file([each], Place("."))[1], site / "docs" / "a b.jpg")
    based = Place(".", base=(site / "docs").as_uri() + "/")
    assert os.path.samefile(find_file(["a%20b.jpg"], based)[1], site / "docs" / "a b.jpg")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("https://x.org/a.jpg", "is on the web"), ("//x.org/a.jpg", "is on the web"),
        ("HTTP://x.org", "is on the web"), ("cid:part1", "is not a file (cid:)"),
        ("data:image/png;base64,AA==", "is in the page itself"),
        ("no.jpg", "no such file"), ("img", "no such file"), ("#top", "no such file"),
        ("http://[", "is not an address"), ("/img/d.jpg", "say with --root"), ("a\0.jpg",
        "no such file"),
        ("x" * 5000, "no such file"), ("file://server/a.jpg", "no such file"), ("\ud800",
        "no such file"),
        ("C:\\photos\\a.jpg", "no such file"),
    ],
)  # fmt: skip
def test_what_is_not_here(site, source, reason):
    _, path, found = find_file([source], Place(str(site / "docs")))
    assert path is None
    assert reason in found


def test_without_the_root_of_the_site_the_root_of_the_disk_counts(site):
    """As in a browser that opens the page as a file."""
    address = str(site / "img" / "d.jpg")
    assert find_file([address], Place(str(site / "docs"))) == (address, address, None)
    _, path, reason = find_file([address], Place(".", root=str(site)))
    assert (path, reason) == (None, f"no such file in {site}")


def test_a_base_on_the_web(site):
    place = Place(str(site / "docs"), base="https://x.org/")
    assert "is on the web by <base href>" in find_file(["a.jpg"], place)[2]


def test_the_first_that_is_a_file(site):
    place = Place(str(site))
    assert find_file(["https://x.org/a.jpg", "no.jpg", "a.jpg"], place)[0] == "a.jpg"
    assert find_file(["no.jpg", "https://x.org/a.jpg"], place)[2] == "no such file"
    assert "no such file in" in find_file(["/no.jpg"], place._replace(root="site"))[2]
