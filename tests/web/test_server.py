"""The web application: captions over HTTP, many at once, and clear refusals."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from captioner.generation import Caption
from captioner.images import read_image
from captioner.web.server import BESIDE_THE_PAGE
from captioner.web.uploads import MOST_FILES
from tests.conftest import until
from tests.hostile import encoded, photo
from tests.web.conftest import PNG, client_of

PAGES = ("/", "/docs", *(f"/{name}" for name in BESIDE_THE_PAGE))


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_need_nothing_from_elsewhere(client, path):
    answer = client.get(path)
    rules = answer.headers["content-security-policy"]
    assert rules.startswith("default-src 'none'; ")
    assert "unsafe" not in rules
    assert "http" not in rules
    foreign = r"""(src|href)=["']?(\w+:)?//|@import|url\(|import\(|(fetch|open)\([`"']\w+:"""
    assert not re.search(foreign, answer.text)


def test_the_page_knows_its_server(tiny_captioner):
    with client_of(tiny_captioner, name="</script><b>", api_key="secret") as client:
        page = client.get("/").text
    facts = page.partition('id="about">')[2].partition("</script>")[0]
    about = json.loads(facts)
    assert about["model"] == "</script><b>"
    assert about["needs_key"] is True
    assert "secret" not in page


@pytest.mark.parametrize("path", [*PAGES, "/health", "/openapi.json", "/metrics"])
def test_head(client, path):
    answer = client.head(path)
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) > 0


def test_a_caption(client, tiny_captioner):
    answer = client.post("/caption", content=PNG)
    assert answer.status_code == 200
    assert answer.json()["caption"] == tiny_captioner.generate(photo())
    answer = client.post("/caption?n_best=2&beam_size=4", content=PNG).json()
    wanted = tiny_captioner.generate(photo(), n_best=2, beam_size=4, return_details=True)
    assert [each["text"] for each in answer["captions"]] == [each.text for each in wanted]
    assert answer["captions"][1]["score"] == pytest.approx(wanted[1].score, abs=1e-4)
    assert len(answer["captions"][0]["word_scores"]) == len(wanted[0].words) + 1


def test_where_it_looked(attentive):
    with client_of(attentive) as client:
        [best] = client.post("/caption", content=PNG).json()["captions"]
    weights = np.array(best["attention"])
    assert len(best["words"]) > 0
    assert weights.shape == (len(best["words"]), 2, 2)
    assert (weights.max(axis=(1, 2)) == 255).all()


@pytest.mark.parametrize("confidence", [None, np.float32(0.75)])
def test_confidence_is_sent_where_there_is_one(client, tiny_captioner, monkeypatch, confidence):
    found = [[Caption("a dog", -0.5, ("a", "dog"), (-0.1, -0.2, -0.3), None, confidence)]]
    monkeypatch.setattr(type(tiny_captioner), "decode", lambda *args, **settings: found)
    [best] = client.post("/caption", content=PNG).json()["captions"]
    assert best.get("confidence") == confidence
    assert ("confidence" in best) == (confidence is not None)


@pytest.mark.parametrize(
    ("query", "content", "status", "message"),
    [
        ("", b"no picture", 400, "not a picture"),
        ("", b"", 400, "file is empty"),
        ("", PNG[:100], 400, "cannot be read"),
        ("", encoded(Image.new("1", (20000, 20000)), "PNG"), 400, "megapixels"),
        ("", bytes(2**20 + 1), 413, "1 MB at most"),
        ("?beam_size=many", PNG, 400, "beam size 'many': must be a whole"),
        ("?beam_size=100000", PNG, 400, "must be 20 or less"),
        ("?beam_size=0", PNG, 400, "beam size 0"),
        ("?no_repeat_word=perhaps", PNG, 400, "must be true or false"),
        ("?colour=red", PNG, 400, "no such setting"),
        ("?method=greedy&n_best=3", PNG, 400, "has no meaning with method"),
        ("?length_penalty=nan", PNG, 400, "length penalty nan: must be"),
        ("?length_penalty=1e308", PNG, 400, "must be from -10 to 10"),
        ("?method=sample&temperature=1e-300", PNG, 400, "temperature"),
        ("?method=sample&seed=-1", PNG, 400, "seed -1: must be 0 or more"),
        ("?n_best=3&beam_size=2", PNG, 400, "must be at most the beam size, 2"),
        ("?method=magic", PNG, 400, "no such method; choose greedy, beam"),
    ],
)
def test_refusals(client, query, content, status, message):
    answer = client.post(f"/caption{query}", content=content)
    assert answer.status_code == status
    assert message in answer.json()["error"]
    assert client.post("/caption", content=PNG).status_code == 200


@pytest.mark.parametrize("field", ["file", "image", "whatever"])
def test_a_form_with_one_file_is_answered_like_a_body(client, field):
    plain = client.post("/caption?method=greedy", content=PNG).json()
    form = client.post("/caption", files={field: ("a.png", PNG)}, data={"method": "greedy"})
    assert form.json() == plain


def test_a_form_with_several_files_is_answered_by_a_list(client, tiny_captioner):
    other = photo((60, 20))
    files = [
        ("a", ("a.png", PNG)),
        ("b", ("b.txt", b"no picture")),
        ("c", ("c.png", bytes(2**20 + 1))),
        ("a", ("d.png", encoded(other, "PNG"))),
    ]
    answer = client.post("/caption?n_best=2", files=files)
    assert answer.status_code == 200
    found = answer.json()
    assert [each["file"] for each in found] == ["a.png", "b.txt", "c.png", "d.png"]
    assert found[0]["caption"] == tiny_captioner.generate(photo())
    assert found[1]["error"].startswith("b.txt: not a picture")
    assert "1 MB at most" in found[2]["error"]
    assert found[3]["caption"] == tiny_captioner.generate(other)
    assert len(found[3]["captions"]) == 2
    assert not any("caption" in each for each in found[1:3])


@pytest.mark.parametrize(
    ("files", "data", "status", "message"),
    [
        ([("file", ("a.png", b"no picture"))], {}, 400, "a.png: not a picture"),
        ([("file", ("a.png", PNG))], {"beam_size": "0"}, 400, "beam size 0: must be"),
        ([("file", ("a.png", PNG))], {"colour": "red"}, 400, "colour: no such setting"),
        ([("file", ("a.png", bytes(2**20 + 1)))], {}, 413, "1 MB at most"),
        ([("file", ("a.png", bytes(2**20)))] * 5, {}, 413, "4 MB"),
        ([("file", ("a.png", PNG))] * (MOST_FILES + 1), {}, 400, "Too many files"),
    ],
)
def test_wrong_forms(client, files, data, status, message):
    answer = client.post("/caption", files=files, data=data)
    assert answer.status_code == status
    assert message in answer.json()["error"]


def test_every_path_and_method_has_its_error(client):
    answer = client.get("/nowhere")
    assert (answer.status_code, answer.json()["error"]) == (
        404, "/nowhere: there is no such page; /docs describes those there are",
    )  # fmt: skip
    answer = client.get("/caption")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert "possible: POST" in answer.json()["error"]
    answer = client.delete("/health")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_a_mistake_of_ours_is_not_shown(tiny_captioner, monkeypatch):
    def fail(*args, **settings):
        raise ZeroDivisionError("private")

    monkeypatch.setattr(type(tiny_captioner), "encode", fail)
    with client_of(tiny_captioner, raises=False) as client:
        answer = client.post("/caption", content=PNG)
        assert (answer.status_code, list(answer.json())) == (500, ["error"])
        assert "private" not in answer.text
        assert client.post("/caption", files=[("a", PNG), ("b", PNG)]).status_code == 500
        assert client.get("/health").status_code == 200


def test_a_key(tiny_captioner):
    with client_of(tiny_captioner, api_key="secret") as client:
        for path in ("/", "/health", "/docs", "/openapi.json"):
            assert client.get(path).status_code == 200
        for headers in ({}, {"X-API-Key": "wrong"}, {"Authorization": "Basic secret"}):
            answer = client.post("/caption", content=PNG, headers=headers)
            assert (answer.status_code, list(answer.json())) == (401, ["error"])
            assert answer.headers["www-authenticate"] == "Bearer"
            assert client.get("/metrics", headers=headers).status_code == 401
        for headers in ({"X-API-Key": "secret"}, {"Authorization": "bearer secret"}):
            assert client.post("/caption", content=PNG, headers=headers).status_code == 200
            assert client.get("/metrics", headers=headers).status_code == 200


def test_health(tiny_captioner):
    with client_of(tiny_captioner, name="mine") as client:
        health = client.get("/health").json()
    assert (health["status"], health["model"], health["waiting"]) == ("ok", "mine", 0)


def test_metrics(client):
    client.post("/caption", content=PNG)
    client.post("/caption", files=[("a", PNG), ("b", b"no picture")])
    client.post("/caption", content=b"no picture")
    client.get("/secret/nowhere")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = answer.text.splitlines()
    for line in (
        'captioner_requests_total{path="/caption",status="200"} 2.0',
        'captioner_requests_total{path="/caption",status="400"} 1.0',
        'captioner_requests_total{path="other",status="404"} 1.0',
        'captioner_errors_total{status="400"} 2.0',
        "captioner_pictures_total 2.0",
        "captioner_pictures_waiting 0.0",
        "captioner_caption_seconds_count 2.0",
        "captioner_batch_size_sum 2.0",
    ):
        assert line in lines
    assert "secret" not in answer.text


def test_two_servers_count_apart(tiny_captioner):
    with client_of(tiny_captioner) as one, client_of(tiny_captioner) as other:
        one.post("/caption", content=PNG)
        assert "captioner_pictures_total 1.0" in one.get("/metrics").text
        assert "captioner_pictures_total 0.0" in other.get("/metrics").text


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

    with client_of(tiny_captioner, batch_size=8) as client, ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(ask, 0)]
        assert first.wait(20)
        asked += [threads.submit(ask, number) for number in range(1, 8)]
        until(lambda: client.get("/health").json()["waiting"] == 7)
        may_go_on.set()
        found = [each.result() for each in asked]
    assert sizes == [1, 5, 2] or sizes == [1, 2, 5]
    monkeypatch.undo()
    for picture, query, caption in zip(pictures, queries, found, strict=True):
        settings = {"method": "greedy"} if query else {}
        assert caption == tiny_captioner.generate(picture, **settings)


def test_too_many_are_turned_away(tiny_captioner, monkeypatch):
    may_go_on = threading.Event()
    monkeypatch.setattr(
        type(tiny_captioner), "encode", lambda *args, **kw: may_go_on.wait(20) and 1 / 0
    )
    with (
        client_of(tiny_captioner, raises=False, most_waiting=1) as client,
        ThreadPoolExecutor(4) as threads,
    ):
        asked = [threads.submit(client.post, "/caption", content=PNG) for _ in range(4)]
        until(lambda: any(each.done() for each in asked))
        done = next(each.result() for each in asked if each.done())
        may_go_on.set()
        assert done.status_code == 503
        assert done.headers["retry-after"] == "1"
        assert "try again" in done.json()["error"]
        # All who wait hear that the captioner broke.
        assert {each.result().status_code for each in asked} == {500, 503}


def test_bytes_are_read_like_files(tmp_path):
    content = encoded(photo((300, 200)), "JPEG")
    (tmp_path / "p.jpg").write_bytes(content)
    np.testing.assert_array_equal(
        read_image(content, (64, 64)), read_image(tmp_path / "p.jpg", (64, 64))
    )
