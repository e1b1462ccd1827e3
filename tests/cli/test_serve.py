"""The command that serves captions: its flags, what it starts, and what it prints."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
import uvicorn
from fastapi.testclient import TestClient

from captioner import Captioner
from captioner.cli import main
from captioner.presets import DEFAULT_PRESET
from captioner.web import server
from tests.hostile import encoded, photo

PHOTO = "data/samples/photographer.jpg"


@pytest.fixture
def started(monkeypatch, tiny_captioner, tmp_path):
    """Runs the command with flags, without a real server: the application and its address."""
    tiny_captioner.save(tmp_path / "model.keras")
    monkeypatch.delenv("CAPTIONER_API_KEY", raising=False)
    found = {}

    def run(self, sockets):
        found.update(app=self.config.app, address=sockets[0].getsockname())

    def start(*flags):
        model = ["--model", str(tmp_path / "model.keras")]
        assert main(["serve", *model, "--port", "0", *flags]) == 0
        return found

    monkeypatch.setattr(uvicorn.Server, "run", run)
    return start


@contextlib.contextmanager
def running(*flags):
    """The command in a process of its own: the process, and the line that it begins with."""
    command = [sys.executable, "-m", "captioner", "serve", "--port", "0", *flags]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("flags", "address", "status"),
    [
        ([], "127.0.0.1", 400),
        (["--host", "localhost"], "127.0.0.1", 400),
        (["--host", "0.0.0.0"], "0.0.0.0", 200),
    ],
)
def test_only_with_a_host_of_its_own_other_machines_are_answered(started, flags, address, status):
    found = started(*flags)
    assert found["address"][0] in (address, "::1")
    with TestClient(found["app"], "http://photos.example") as client:
        assert client.get("/health").status_code == status


def test_the_largest_file(started, tiny_captioner):
    content = encoded(photo(), "PNG")
    with TestClient(started("--max-megabytes", "1")["app"], "http://localhost") as client:
        assert client.post("/caption", content=bytes(2**20 + 1)).status_code == 413
        answer = client.post("/caption", content=content).json()
    assert answer["caption"] == tiny_captioner.generate(photo())


def test_the_batch_size(started, monkeypatch):
    sizes = []
    batches = server.Batches

    def make(model, metrics, batch_size, most_waiting):
        sizes.append(batch_size)
        return batches(model, metrics, batch_size, most_waiting)

    monkeypatch.setattr(server, "Batches", make)
    started()
    started("--batch-size", "7")
    assert sizes == [server.BATCH_SIZE, 7]


@pytest.mark.parametrize(
    ("flags", "variable"),
    [(["--api-key", "k1"], None), ([], "k1"), (["--api-key", "k1"], "overruled")],
)
def test_a_key_from_the_flag_or_the_environment(started, monkeypatch, capsys, flags, variable):
    if variable:
        monkeypatch.setenv("CAPTIONER_API_KEY", variable)
    app = started("--host", "0.0.0.0", *flags)["app"]
    assert "note:" not in capsys.readouterr().err
    content = encoded(photo(), "PNG")
    with TestClient(app) as client:
        assert client.post("/caption", content=content).status_code == 401
        headers = {"Authorization": "Bearer k1"}
        assert client.post("/caption", content=content, headers=headers).status_code == 200


def test_a_server_that_is_open_to_all_is_noted(started, capsys):
    started()
    assert "note:" not in capsys.readouterr().err
    started("--host", "0.0.0.0")
    [line] = [each for each in capsys.readouterr().err.splitlines() if each.startswith("note:")]
    assert "--host 0.0.0.0" in line
    assert "CAPTIONER_API_KEY" in line


@pytest.mark.parametrize("flags", [[], ["--quiet"]])
def test_lines_of_requests(started, capsys, flags):
    with TestClient(started(*flags)["app"], "http://localhost") as client:
        client.get("/health")
    assert (" GET /health 200 " in capsys.readouterr().err) == (not flags)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--port", "99999"], "--port 99999: must be 0 to 65535"),
        (["--port", "-1"], "--port -1: must be 0 to 65535"),
        (["--batch-size", "0"], "--batch-size 0: must be 1 or more"),
        (["--max-megabytes", "0"], "--max-megabytes 0: must be 1 or more"),
        (["--api-key", ""], "--api-key: must be"),
        (["--api-key", "two words"], "--api-key: must be"),
        (["--api-key", "clé"], "--api-key: must be"),
        (["--api-key", "k", "--host", "no.such.host.invalid"], ".invalid: cannot"),
    ],
)  # fmt: skip
def test_wrong_flags(capsys, flags, message):
    assert main(["serve", *flags]) == 2
    assert message in capsys.readouterr().err


def test_a_variable_without_a_key_does_not_open_the_server(capsys, monkeypatch):
    monkeypatch.setenv("CAPTIONER_API_KEY", "")
    assert main(["serve"]) == 2
    assert "CAPTIONER_API_KEY: must be" in capsys.readouterr().err


def test_an_address_in_use(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"captioner: error: --host 127.0.0.1 --port {port}: cannot be used (")
    assert "choose another port" in line


def test_without_the_packages_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve"]) == 2
    assert "pip install '.[web]'" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command(end):
    with running("--max-megabytes", "7") as (process, line):
        found = re.fullmatch(
            rf"serving {DEFAULT_PRESET} on (http://127\.0\.0\.1:\d+) \(pictures up to 7 MB, "
            r"4 at a time, 64 waiting at most\); Ctrl-C stops it\n",
            line,
        )
        assert found, line
        with open(PHOTO, "rb") as file:  # at once: the line says that it listens
            request = urllib.request.Request(f"{found[1]}/caption", file.read())
        answer = json.loads(urllib.request.urlopen(request, timeout=60).read())
        assert answer["caption"] == Captioner.from_preset(DEFAULT_PRESET).generate(PHOTO)
        process.send_signal(end)
        output, log = process.communicate(timeout=20)
    assert process.returncode == 0
    assert not output
    assert re.fullmatch(r"\S+ \S+ 127.0.0.1 POST /caption 200 \d+ ms, 1 picture\n", log)
