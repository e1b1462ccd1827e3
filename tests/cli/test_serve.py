"""The command that serves captions: its flags, and what it starts."""

import sys

import pytest
import uvicorn
from fastapi.testclient import TestClient

from captioner.cli import main
from captioner.web import server
from tests.hostile import encoded, photo


@pytest.fixture
def started(monkeypatch, tiny_captioner, tmp_path):
    """Runs the command with flags, without a real server: what the server was given."""
    tiny_captioner.save(tmp_path / "model.keras")
    found = {}

    def run(app, **settings):
        found.update(settings, app=app)

    def start(*flags):
        assert main(["serve", "--model", str(tmp_path / "model.keras"), *flags]) == 0
        return found

    monkeypatch.setattr(uvicorn, "run", run)
    return start


@pytest.mark.parametrize(
    ("flags", "host", "port", "status"),
    [
        ([], "127.0.0.1", 8000, 400),
        (["--host", "localhost", "--port", "0"], "localhost", 0, 400),
        (["--host", "0.0.0.0", "--port", "65535"], "0.0.0.0", 65535, 200),
    ],
)
def test_only_with_a_host_of_its_own_other_machines_are_answered(
    started, flags, host, port, status
):
    found = started(*flags)
    assert (found["host"], found["port"]) == (host, port)
    with TestClient(found["app"]) as client:
        answer = client.get("/health", headers={"host": "photos.example"})
    assert answer.status_code == status


def test_the_largest_file(started, tiny_captioner):
    content = encoded(photo(), "PNG")
    with TestClient(started("--max-megabytes", "1")["app"]) as client:
        assert client.post("/caption", content=bytes(2**20 + 1)).status_code == 413
        answer = client.post("/caption", content=content).json()
    assert answer["caption"] == tiny_captioner.generate(photo())


def test_the_batch_size(started, monkeypatch):
    sizes = []
    monkeypatch.setattr(server, "Batches", lambda model, size: sizes.append(size))
    started()
    started("--batch-size", "7")
    assert sizes == [server.BATCH_SIZE, 7]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--port", "99999"], "--port 99999: must be 0 to 65535"),
        (["--port", "-1"], "--port -1: must be 0 to 65535"),
        (["--batch-size", "0"], "--batch-size 0: must be 1 or more"),
        (["--max-megabytes", "0"], "--max-megabytes 0: must be 1 or more"),
    ],
)
def test_wrong_flags(capsys, flags, message):
    assert main(["serve", *flags]) == 2
    assert message in capsys.readouterr().err


def test_without_the_packages_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve"]) == 2
    assert "pip install '.[web]'" in capsys.readouterr().err
