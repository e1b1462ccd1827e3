"""The command as a user sees it: texts written, and those that stay missing."""

import pytest
from PIL import Image

from captioner.cli import main


@pytest.fixture
def site(tmp_path, tiny_captioner):
    tiny_captioner.save(tmp_path / "m.keras")
    Image.new("RGB", (40, 30), "red").save(tmp_path / "a.jpg")
    page = tmp_path / "page.html"
    page.write_bytes(b'<p>caf\xe9</p>\r\n<img src="a.jpg"><img src="a.jpg" alt="mine">')
    return page, ["--model", str(tmp_path / "m.keras")]


def test_the_command(site, capsys, tmp_path):
    page, model = site
    before = page.read_bytes()
    assert main(["alt", str(page), *model, "--dry-run", "--template", "Photo: {caption}."]) == 0
    printed = capsys.readouterr().out
    assert page.read_bytes() == before
    assert main(["alt", str(page), *model, "--template", "Photo: {caption}."]) == 0
    text = printed.rstrip("\n").split("\t")[2]
    assert text.startswith("Photo: ")
    assert page.read_bytes() == before.replace(b"<img ", f'<img alt="{text}" '.encode(), 1)
    assert "1 of 1 missing texts written" in capsys.readouterr().err
    assert main(["alt", str(page), *model]) == 0
    assert "no alternative text is missing" in capsys.readouterr().err


def test_what_cannot_be_filled_is_reported(site, capsys, tmp_path):
    page, model = site
    page.write_text('<img src="no.jpg"><img src="https://x.org/a.jpg"><img src="a.jpg">')
    other = tmp_path / "other.html"
    assert main(["alt", str(page), *model, "--output", str(other)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert any("no.jpg: cannot be read (No such file" in line for line in lines)
    assert any("https://x.org/a.jpg: is not a file beside the page" in line for line in lines)
    assert "1 of 3 missing texts written" in lines[-1]
    assert other.read_text().count("alt=") == 1
    assert "alt=" not in page.read_text()


def test_links_and_rights_stay(site, tmp_path):
    page, model = site
    page.chmod(0o600)
    link = tmp_path / "link.html"
    link.symlink_to("page.html")
    assert main(["alt", str(link), *model, "--template", "\N{CAT} {caption}"]) == 0
    assert link.is_symlink()
    assert page.stat().st_mode & 0o777 == 0o600
    assert b'alt="&#128008; ' in page.read_bytes()  # ASCII, whatever the encoding of the page


def test_another_file_is_not_replaced(site, capsys, tmp_path):
    page, model = site
    other = tmp_path / "other.html"
    other.write_text("of people")
    command = ["alt", str(page), *model, "--output", str(other)]
    assert main(command) == 2
    assert f"{other}: exists already; --overwrite replaces it" in capsys.readouterr().err
    assert other.read_text() == "of people"
    assert main([*command, "--overwrite", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert other.read_text(errors="replace").count("alt=") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photo.JPG"], "photo.JPG: is a picture, not a page; for its caption: python -m captioner "
         "caption photo.JPG"),
        (["https://x.org/a.html"], "https://x.org/a.html: is on the web; download it first"),
        (["--template", "a photo"], "must have {caption} in it"),
        (["--template", "{caption} {x}"], "must have {caption} in it"),
        (["--template", "{caption:d}"], "must have {caption} in it"),
        (["--template", "{caption!x}"], "must have {caption} in it"),
        (["--template", "{caption"], "must have {caption} in it"),
        (["gone.html"], "gone.html: cannot be read"),
        (["gone.html", "--output", "x.html"], "is for one page; 2 were given"),
    ],
)  # fmt: skip
def test_mistakes(site, capsys, arguments, message):
    assert main(["alt", str(site[0]), *arguments]) == 2
    assert message in capsys.readouterr().err
