"""The page that captions in the browser, in a real browser, with a stand-in for its engine."""

import contextlib
import csv
import functools
import hashlib
import io
import json
import os
import shutil
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

import captioner
from captioner.decoding import SETTINGS
from captioner.exporting.browser_page import write_page
from captioner.metrics.results import load_results
from captioner.web.openapi import schema_of
from tests.conftest import until

FAKE = Path(__file__).parent / "browser" / "fake_worker.js"
COLOURS = ("red", "green", "blue")
SEARCHES = ("method", "beam_size", "length_penalty", "n_best", "max_length")


def make_site(folder, about):
    """The page with the stand-in, and the list of its files as the export writes it."""
    write_page(folder)
    for name in ("engine", "model"):
        (folder / name).mkdir(exist_ok=True)
    shutil.copy(FAKE, folder / "engine" / "worker.js")
    (folder / "model" / "about.json").write_text(json.dumps(about))
    list_files(folder)


def list_files(folder):
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = [
        {
            "path": path.relative_to(folder).as_posix(),
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in paths
        if path.name != "files.json"
    ]
    version = hashlib.sha256(json.dumps(files).encode()).hexdigest()
    (folder / "files.json").write_text(json.dumps({"version": version, "files": files}))


def about_model(**changes):
    settings = [
        {"name": name, "label": each.label, "help": each.help, "methods": each.methods,
         **schema_of(each, each.default)}
        for name, each in SETTINGS.items() if name in SEARCHES
    ]  # fmt: skip
    about = {"name": "painter", "version": "1", "picture_size": 8, "generation": {}}
    return about | {"has_confidence": True, "settings": settings} | changes


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *line):
        pass


@contextlib.contextmanager
def serving(folder):
    """The address of a folder, served as `python -m http.server` does."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(20)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host") / "site"  # below the top, as on any host
    folder.mkdir()
    make_site(folder, about_model())
    with serving(folder.parent) as url:
        yield url + "site/"


@pytest.fixture
def page(site, browser):
    browser.set_window_size(1000, 800)
    open_page(browser, site)
    yield browser
    # What the page's own rules forbid would be in the log.
    log = [each for each in browser.get_log("browser") if each["source"] not in ("network",)]
    assert log == []
    browser.execute_script("window.onbeforeunload = null")
    leave(browser)


def open_page(browser, url):
    browser.get(url)
    until(lambda: browser.find_element(By.ID, "options").is_displayed())


def leave(browser):
    """Goes away, whatever the page asks."""
    browser.get("about:blank")
    with contextlib.suppress(Exception):
        browser.switch_to.alert.accept()


@pytest.fixture
def many(tmp_path):
    """Photos of three colours in two folders, a file that is none, and two not to be chosen."""
    folder = tmp_path / "photos"
    (folder / "more" / ".hidden").mkdir(parents=True)
    for number in range(12):
        name = folder / ("more" if number % 2 else "") / f"{number}.png"
        Image.new("RGB", (60, 40), COLOURS[number % 3]).save(name)
    (folder / "broken, \"really\".jpg").write_text("no picture")
    (folder / "notes.txt").write_text("not chosen with a folder")
    Image.new("RGB", (9, 9)).save(folder / "more" / ".hidden" / "no.png")
    return folder


def choose(page, *paths, field="file"):
    page.find_element(By.ID, field).send_keys("\n".join(map(str, paths)))


def tell_engine(page, word):
    page.execute_async_script(
        "const [word, done] = arguments; const channel = new BroadcastChannel('fake');"
        "channel.postMessage(word); setTimeout(done, 50);", word,
    )  # fmt: skip


def cards(page):
    """What each card shows: a list of (name, caption or "", error or "")."""
    return page.execute_script(
        "return [...document.querySelectorAll('#cards > li')].map((card) => ['.name', '.caption',"
        "'.error'].map((part) => card.querySelector(part)?.textContent.trim() ?? ''))"
    )


def wait_until_done(page):
    until(lambda: "captioned" in page.find_element(By.ID, "count").text)


def downloaded(page, button):
    """The bytes of the file that a button would write, and its name."""
    name, content = page.execute_async_script(
        "const [button, done] = arguments, made = URL.createObjectURL; let file;"
        "HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download; };"
        "URL.createObjectURL = (blob) => { file = blob; return made(blob); };"
        "document.getElementById(button).click(); URL.createObjectURL = made;"
        "file.arrayBuffer().then((bytes) => done([savedAs, [...new Uint8Array(bytes)]]));", button,
    )  # fmt: skip
    return name, bytes(content)


def edit(page, number, text, key=Keys.ENTER):
    card = page.find_elements(By.CSS_SELECTOR, "#cards > li")[number]
    card.find_element(By.CLASS_NAME, "edit").send_keys(Keys.ENTER)
    field = page.switch_to.active_element
    assert field.tag_name == "textarea"
    field.send_keys(Keys.CONTROL + "a", Keys.NULL, text, key)


def test_a_folder(page, many):
    choose(page, many, field="folder")
    wait_until_done(page)
    assert page.find_element(By.ID, "count").text == "12 photos captioned, 1 failed"
    found = cards(page)
    assert [name for name, _, _ in found][:3] == ["photos/0.png", "photos/2.png", "photos/4.png"]
    for name, caption, error in found:
        stem = Path(name).stem
        if name.endswith(".jpg"):
            assert (caption, error[:13]) == ("", "not a picture")
        else:
            assert (caption, error) == (f"a {COLOURS[int(stem) % 3]} photo", "")
    assert len(found) == 13
