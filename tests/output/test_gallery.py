"""The page to look at captions: all in one file, safe whatever captions and names are."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from captioner.cli import main
from captioner.generation import Caption
from captioner.output.gallery import THUMBNAIL, Gallery
from tests.bulk.conftest import stopped_after
from tests.conftest import until
from tests.hostile import bad_pictures, good_pictures, photo

EVIL = '</script><script>document.title = "evil"</script><!-- <b>'


def data_of(page):
    """What the page shows, as it lies in it."""
    [data] = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL
    )
    return json.loads(data)


def written(path, entries, failures=(), **settings):
    with open(path, "w", encoding="utf-8") as file:
        gallery = Gallery(file, **settings)
        for entry in entries:
            gallery.add(*entry)
        gallery.close(list(failures))
    return path


def test_the_command(model, photos, tmp_path):
    output = tmp_path / "gallery.html"
    (photos / "broken.jpg").write_bytes(b"broken")
    command = ["caption", str(photos), "--model", model, "--format", "html", "--n-best", "2"]
    assert main([*command, "--output", str(output)]) == 1
    page = output.read_text()
    assert not re.search(r'(src|href)="http', page)  # nothing comes from the network
    data = data_of(page)
    assert [entry["image"] for entry in data["entries"]] == [
        str(photos / name) for name in ("a.png", "b.jpg", "c.webp")
    ]
    assert data["failures"] == [f"{photos / 'broken.jpg'}: not a picture, or of a kind that Pillow "
                                "cannot read"]  # fmt: skip
    for entry in data["entries"]:
        assert len(entry["captions"]) == 2
        assert len(entry["captions"][0]["word_scores"]) == len(entry["captions"][0]["words"]) + 1


def test_thumbnails_keep_the_shape_and_are_small(tmp_path):
    Image.effect_noise((1000, 500), 90).save(tmp_path / "p.png")
    page = written(
        tmp_path / "g.html", [(str(tmp_path / "p.png"), [Caption("x", 0.0, (), (0.0,))])]
    )
    [entry] = data_of(page.read_text())["entries"]
    content = base64.b64decode(entry["thumbnail"].partition(",")[2])
    assert Image.open(io.BytesIO(content)).size == (THUMBNAIL, THUMBNAIL // 2)
    assert len(content) < 30_000


def test_a_picture_gone_since_keeps_its_caption(tmp_path):
    page = written(
        tmp_path / "g.html", [("gone.jpg", [Caption("a dog", 0.0, ("a", "dog"), (0, 0))])]
    )
    [entry] = data_of(page.read_text())["entries"]
    assert entry["thumbnail"] == ""
    assert entry["captions"][0]["text"] == "a dog"


def test_captions_and_names_are_shown_and_never_run(tmp_path):
    caption = Caption(EVIL, 0.0, (EVIL,), (-1.0, 0.0))
    page = written(tmp_path / "g.html", [(EVIL, [caption], [EVIL])], [EVIL]).read_text()
    assert page.count("</script>") == 2  # those of the page itself
    data = data_of(page)
    assert data["entries"][0]["captions"][0]["text"] == EVIL
    assert data["failures"] == [EVIL]


def test_where_words_looked_survives_a_resumed_run(tmp_path, photos, model, monkeypatch):
    attention = np.linspace(0, 1, 2 * 9).reshape(2, 3, 3)

    def look(self, image, found, captions):
        return [[each._replace(words=("a", "b"), attention=attention) for each in group]
                for group in captions]  # fmt: skip

    monkeypatch.setattr("captioner.captioner.Captioner._with_attention", look)
    output = tmp_path / "g.html"
    command = [
        "caption",
        str(photos),
        "--model",
        model,
        "--format",
        "html",
        "--output",
        str(output),
    ]
    stopped_after(monkeypatch, 2)
    assert main(command) == 130
    assert main([*command, "--resume"]) == 0
    for entry in data_of(output.read_text())["entries"]:
        shown = np.array(entry["captions"][0]["attention"]) / 255
        wanted = attention / attention.max(axis=(1, 2), keepdims=True)
        np.testing.assert_allclose(shown, wanted, atol=0.004)


@pytest.mark.long
def test_in_a_browser(tmp_path, browser):
    """What a browser makes of the page, of names and captions that would run code too."""
    good = good_pictures(tmp_path)
    caption = Caption("two dogs", -0.5, ("two", "dogs"), (-0.1, -0.9, -0.2))
    caption = caption._replace(confidence=0.256)
    other = Caption("a dog", -0.9, ("a", "dog"), (-0.4, -0.9, -0.2))
    evil = caption._replace(text=EVIL, words=(EVIL,), score=-0.9, confidence=0.9)
    entries = [(path, [caption, other], ["Dogs!"], {"CIDEr": 1.5}) for path in good]
    entries.append((EVIL, [evil], [EVIL], {"CIDEr": 0.1}))
    failures = [f"{path}: {reason}" for path, reason in bad_pictures(tmp_path).items()]
    page = written(tmp_path / "g.html", entries, failures, title="mine", scores={"CIDEr": 1.45})
    browser.get(page.as_uri())
    cards = browser.find_elements(By.TAG_NAME, "figure")
    assert len(cards) == len(good) + 1
    assert browser.title == "mine"
    assert EVIL in cards[-1].text
    first = cards[0].find_element(By.TAG_NAME, "span")
    assert (first.text, first.get_attribute("title")) == ("two", "90 % sure")
    assert len(browser.find_elements(By.TAG_NAME, "rect")) == 20
    assert f"{len(failures)} could not be captioned" in browser.find_element(By.ID, "failures").text
    assert "confidence 0.26 · CIDEr 1.500" in cards[0].text
    for order in ("worst CIDEr first", "surest first"):  # by confidence, not by score
        Select(browser.find_element(By.ID, "order")).select_by_visible_text(order)
        assert EVIL in browser.find_element(By.TAG_NAME, "figure").text
        Select(browser.find_element(By.ID, "order")).select_by_visible_text("as given")
        assert EVIL not in browser.find_element(By.TAG_NAME, "figure").text
    browser.find_element(By.ID, "search").send_keys("dogs NAÏVE")
    until(lambda: "1 of" in browser.find_element(By.ID, "count").text)
    assert len(browser.find_elements(By.TAG_NAME, "figure")) == 1
    assert browser.get_log("browser") == []


@pytest.mark.long
def test_thousands_are_shown_as_they_are_scrolled_to(tmp_path, browser):
    photo().save(tmp_path / "p.jpg")
    caption = Caption("two dogs", -0.5, ("two", "dogs"), (-0.1, -0.9, -0.2))
    page = written(tmp_path / "g.html", [(str(tmp_path / "p.jpg"), [caption])] * 5000)
    browser.get(page.as_uri())
    assert "5000 pictures" in browser.find_element(By.ID, "count").text
    shown = len(browser.find_elements(By.TAG_NAME, "figure"))
    assert 0 < shown < 500
    browser.execute_script("window.scrollTo(0, document.body.scrollHeight)")
    until(lambda: len(browser.find_elements(By.TAG_NAME, "figure")) > shown)


def test_where_a_word_looked_is_drawn_over_the_picture(tmp_path, browser):
    photo().save(tmp_path / "p.jpg")
    attention = np.eye(2).reshape(1, 2, 2)
    caption = Caption("dogs", -0.5, ("dogs",), (-0.1, -0.2), attention)
    browser.get(written(tmp_path / "g.html", [(str(tmp_path / "p.jpg"), [caption])]).as_uri())
    canvas = browser.find_element(By.TAG_NAME, "canvas")
    assert not canvas.is_displayed()
    browser.execute_script(
        "arguments[0].focus()", browser.find_element(By.CSS_SELECTOR, ".looks span")
    )
    until(canvas.is_displayed)
    darkness = browser.execute_script(
        "const { width, height } = arguments[0], context = arguments[0].getContext('2d');"
        "return [0.1, 0.9].map((x) => context.getImageData(x * width, 0.1 * height, 1, 1).data[3])",
        canvas,
    )
    assert darkness[0] < 20  # where it looked
    assert darkness[1] > 180
