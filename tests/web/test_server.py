"""The web application: captions over HTTP, many at once, and clear refusals."""

import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

import keras
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from captioner import Captioner, Decoder, Encoder, Vocabulary
from captioner.decoding import METHODS, SETTINGS
from captioner.errors import CaptionerError
from captioner.presets import DEFAULT_PRESET
from captioner.web import server as web
from captioner.web.server import make_app, settings_in
from tests.conftest import until
from tests.hostile import encoded, photo

PHOTO = "data/samples/photographer.jpg"


@pytest.fixture
def client(tiny_captioner):
    with TestClient(make_app(tiny_captioner, most_bytes=2**20)) as client:
        yield client


def test_the_page_needs_nothing_from_elsewhere(client):
    page = client.get("/").text
    assert "<title>captioner</title>" in page
    assert "http://" not in page
    assert "https://" not in page


def test_a_caption(client, tiny_captioner):
    content = encoded(photo(), "PNG")
    answer = client.post("/caption", content=content)
    assert answer.status_code == 200
    assert answer.json()["caption"] == tiny_captioner.generate(photo())
    answer = client.post("/caption?n_best=2&beam_size=4", content=content).json()
    wanted = tiny_captioner.generate(photo(), n_best=2, beam_size=4, return_details=True)
    assert [each["text"] for each in answer["captions"]] == [each.text for each in wanted]
    assert answer["captions"][1]["score"] == pytest.approx(wanted[1].score, abs=1e-4)
    assert len(answer["captions"][0]["word_scores"]) == len(wanted[0].words) + 1


def test_where_it_looked():
    keras.utils.set_random_seed(0)
    encoder = Encoder("mobilenet_v2", size=64)
    decoder = Decoder(9, encoder.channels, units=8, embedding=6, attention="additive")
    model = Captioner(encoder, decoder, Vocabulary(["a", "b", "c", "d", "e"]), {"max_length": 4})
    with TestClient(make_app(model)) as client:
        [best] = client.post("/caption", content=encoded(photo(), "PNG")).json()["captions"]
    weights = np.array(best["attention"])
    assert len(best["words"]) > 0
    assert weights.shape == (len(best["words"]), 2, 2)
    assert (weights.max(axis=(1, 2)) == 255).all()


@pytest.mark.parametrize(
    ("query", "content", "status", "message"),
    [
        ("", b"no picture", 400, "not a picture"),
        ("", b"", 400, "file is empty"),
        ("", encoded(photo(), "PNG")[:100], 400, "cannot be read"),
        ("", encoded(Image.new("1", (20000, 20000)), "PNG"), 400, "megapixels"),
        ("", bytes(2**20 + 1), 413, "1 MiB at most"),
        (
            "?beam_size=many",
            encoded(photo(), "PNG"),
            400,
            "beam size 'many': must be a whole",
        ),
        ("?beam_size=100000", encoded(photo(), "PNG"), 400, "must be 20 or less"),
        ("?beam_size=0", encoded(photo(), "PNG"), 400, "beam size 0"),
        ("?no_repeat_word=perhaps", encoded(photo(), "PNG"), 400, "must be true or false"),
        ("?colour=red", encoded(photo(), "PNG"), 400, "no such setting"),
        ("?method=greedy&n_best=3", encoded(photo(), "PNG"), 400, "has no meaning with method"),
        ("?length_penalty=nan", encoded(photo(), "PNG"), 400, "length penalty nan: must be"),
        ("?length_penalty=1e308", encoded(photo(), "PNG"), 400, "must be from -10 to 10"),
        ("?method=sample&temperature=1e-300", encoded(photo(), "PNG"), 400, "temperature"),
        ("?method=sample&seed=-1", encoded(photo(), "PNG"), 400, "seed -1: must be 0 or more"),
        ("?n_best=3&beam_size=2", encoded(photo(), "PNG"), 400, "must be at most the beam size, 2"),
        ("?method=magic", encoded(photo(), "PNG"), 400, "no such method; choose greedy, beam"),
    ],
)
def test_refusals(client, query, content, status, message):
    answer = client.post(f"/caption{query}", content=content)
    assert answer.status_code == status
    assert message in answer.json()["error"]
    assert client.post("/caption", content=encoded(photo(), "PNG")).status_code == 200


def test_forms_and_other_hosts_are_refused(client):
    answer = client.post("/caption", files={"file": b"x"})
    assert "curl --data-binary" in answer.json()["error"]
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/health").json()["status"] == "ok"
    content = encoded(photo(), "PNG")
    for origin, status in (("https://evil.example", 403), ("http://testserver", 200)):
        answer = client.post("/caption", content=content, headers={"origin": origin})
        assert answer.status_code == status
    assert client.get("/docs").status_code == 404


def test_what_waits_is_captioned_together(tiny_captioner, monkeypatch):
    """While the first is at work seven more come, two of them with another setting."""
    sizes, first, may_go_on = [], threading.Event(), threading.Event()
    encode = type(tiny_captioner).encode

    def slow(self, pixels, batch_size):
        sizes.append(len(pixels))
        first.set()
        may_go_on.wait(20)
        return encode(self, pixels, batch_size)

    monkeypatch.setattr(type(tiny_captioner), "encode", slow)
    pictures = [photo((20 + n, 30)) for n in range(8)]
    queries = [""] * 6 + ["?method=greedy"] * 2

    def ask(number):
        content = encoded(pictures[number], "PNG")
        return client.post(f"/caption{queries[number]}", content=content).json()["caption"]

    with TestClient(make_app(tiny_captioner, 8)) as client, ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(ask, 0)]
        assert first.wait(20)
        asked += [threads.submit(ask, number) for number in range(1, 8)]
        deadline = time.time() + 20
        while client.get("/health").json()["waiting"] < 7 and time.time() < deadline:
            time.sleep(0.02)
        may_go_on.set()
        found = [each.result() for each in asked]
    assert sizes == [1, 5, 2] or sizes == [1, 2, 5]
    monkeypatch.undo()
    for picture, query, caption in zip(pictures, queries, found, strict=True):
        settings = {"method": "greedy"} if query else {}
        assert caption == tiny_captioner.generate(picture, **settings)


def test_too_many_are_turned_away(tiny_captioner, monkeypatch):
    may_go_on = threading.Event()
    monkeypatch.setattr(web, "MOST_WAITING", 1)
    monkeypatch.setattr(
        type(tiny_captioner), "encode", lambda *args, **kw: may_go_on.wait(20) and 1 / 0
    )
    content = encoded(photo(), "PNG")
    app = make_app(tiny_captioner)
    with TestClient(app, raise_server_exceptions=False) as client, ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(lambda: client.post("/caption", content=content)) for _ in range(4)]
        done = next(iter_done(asked))
        may_go_on.set()
        assert done.status_code == 503
        assert "try again" in done.json()["error"]
        # That the captioner breaks is told, too, and waited for by no one.
        assert sorted(each.result().status_code for each in asked)[-1] == 503
        assert {each.result().status_code for each in asked} == {500, 503}


def iter_done(futures, seconds=20):
    """The results as they come."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        yield from (each.result() for each in futures if each.done())
        time.sleep(0.02)


def test_settings():
    assert settings_in({"method": "beam", "beam_size": "5", "length_penalty": "0.7"}) == {
        "method": "beam", "beam_size": 5, "length_penalty": 0.7,
    }  # fmt: skip
    assert settings_in({"no_repeat_word": "true"}) == {"no_repeat_word": True}
    assert settings_in({"no_repeat_word": "0"}) == {"no_repeat_word": False}
    with pytest.raises(CaptionerError, match="no such setting"):
        settings_in({"__class__": "x"})


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_a_parameter(name):
    setting = SETTINGS[name]
    assert settings_in({name: str(setting.default).lower()}) == {name: setting.default}
    if setting.http_most:
        assert settings_in({name: str(setting.http_most)}) == {name: setting.http_most}
        with pytest.raises(CaptionerError, match=f"must be {setting.http_most} or less"):
            settings_in({name: str(setting.http_most + 1)})


class Inputs(HTMLParser):
    """The attributes of the inputs of a page, and the options of its lists."""

    def __init__(self):
        super().__init__()
        self.inputs, self.options, self._is_option = [], [], False

    def handle_starttag(self, tag, attributes):
        if tag == "input":
            self.inputs.append(dict(attributes))
        self._is_option = tag == "option"

    def handle_data(self, data):
        if self._is_option:
            self.options.append(data)
        self._is_option = False


def test_the_page_offers_what_the_server_accepts(client):
    page = Inputs()
    page.feed(client.get("/").text)
    assert sorted(page.options) == sorted(METHODS)
    numbers = [each for each in page.inputs if each["type"] == "number"]
    assert {"beam_size", "temperature"} <= {each["name"] for each in numbers}
    for each in numbers:
        for end in ("min", "max", "value"):
            if end in each:
                settings_in({each["name"]: each[end]})
        if most := SETTINGS[each["name"]].http_most:
            assert each["max"] == str(most)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def served():
    """The address of the shipped model, served by a process of its own."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "captioner", "serve", "--port", str(port)])
    url = f"http://127.0.0.1:{port}"

    def answers():
        try:
            return urllib.request.urlopen(f"{url}/health", timeout=5)
        except OSError:
            return False

    try:
        until(answers, 60)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.long
def test_the_command(served):
    with open(PHOTO, "rb") as file:
        request = urllib.request.Request(f"{served}/caption", file.read())
    answer = json.loads(urllib.request.urlopen(request, timeout=60).read())
    assert answer["caption"] == Captioner.from_preset(DEFAULT_PRESET).generate(PHOTO)


def test_in_a_browser(served, browser, tmp_path):
    browser.get(served)
    browser.find_element(By.ID, "file").send_keys(os.path.abspath(PHOTO))
    caption, others = (browser.find_element(By.ID, name) for name in ("caption", "others"))
    until(lambda: len(others.find_elements(By.TAG_NAME, "li")) == 2)
    assert caption.text == Captioner.from_preset(DEFAULT_PRESET).generate(PHOTO)
    assert "% sure" in caption.find_element(By.TAG_NAME, "span").get_attribute("title")
    Select(browser.find_element(By.NAME, "method")).select_by_visible_text("greedy")
    until(lambda: caption.text not in ("", "…") and not others.text)
    assert "method=greedy" in browser.find_element(By.ID, "script").text
    (tmp_path / "text.jpg").write_text("no picture")
    browser.find_element(By.ID, "file").send_keys(str(tmp_path / "text.jpg"))
    until(lambda: "not a picture" in browser.find_element(By.ID, "error").text)
    assert caption.text == ""


def test_bytes_are_read_like_files(tmp_path):
    from captioner.images import read_image

    content = io.BytesIO()
    photo((300, 200)).save(content, "JPEG")
    (tmp_path / "p.jpg").write_bytes(content.getvalue())
    np.testing.assert_array_equal(
        read_image(content.getvalue(), (64, 64)), read_image(tmp_path / "p.jpg", (64, 64))
    )
