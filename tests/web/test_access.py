"""Who may ask, and the line for each request."""

import re

import pytest

from tests.web.conftest import PNG, client_of


@pytest.fixture
def lines():
    return []


@pytest.fixture
def logged(tiny_captioner, lines):
    """A client whose server logs into `lines`."""
    with client_of(tiny_captioner, raises=False, log=lines.append) as client:
        yield client


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]", "[::1]:80"]
)
def test_local_names(client, host):
    assert client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "localhost@evil.example", "evil@localhost", "",
     "127.0.0.1:80:80", "testserver", "localhost:evil"],
)  # fmt: skip
def test_foreign_names_are_refused(client, tiny_captioner, host):
    answer = client.get("/health", headers={"host": host})
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert 'captioner_errors_total{status="400"} 1.0' in client.get("/metrics").text
    with client_of(tiny_captioner, only_local=False) as open_to_others:
        assert open_to_others.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://evil.example", 403), ("null", 403), ("http://localhost:1", 403),
     ("http://[::1", 403), ("http://localhost", 200)],
)  # fmt: skip
def test_pages_of_other_sites_are_refused(client, origin, status):
    for request in ({"content": PNG}, {"files": {"file": PNG}}):
        answer = client.post("/caption", headers={"origin": origin}, **request)
        assert answer.status_code == status
        assert ("error" in answer.json()) == (status == 403)


def test_a_line_for_each_request(logged, lines):
    start = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d testclient "
    logged.get("/health")
    logged.post("/caption?method=greedy", content=PNG)
    logged.post("/caption", files=[("a", PNG), ("b", PNG), ("c", b"no picture")])
    logged.post("/caption", content=b"no picture")
    logged.get("/no where%0A2026 forged")
    wanted = [
        r"GET /health 200 \d+ ms",
        r"POST /caption 200 \d+ ms, 1 picture",
        r"POST /caption 200 \d+ ms, 2 pictures",
        r"POST /caption 400 \d+ ms, 0 pictures",
        r"GET /no%20where%0A2026%20forged 404 \d+ ms",
    ]
    assert len(lines) == len(wanted)
    for line, pattern in zip(lines, wanted, strict=True):
        assert re.fullmatch(start + pattern, line), line


def test_a_mistake_of_ours_is_logged_and_counted(logged, lines, tiny_captioner, monkeypatch):
    monkeypatch.setattr(type(tiny_captioner), "encode", lambda *args, **kw: 1 / 0)
    logged.post("/caption", content=PNG)
    assert " POST /caption 500 " in lines[0]
    counted = logged.get("/metrics").text
    assert 'captioner_requests_total{path="/caption",status="500"} 1.0' in counted
    assert 'captioner_errors_total{status="500"} 1.0' in counted
