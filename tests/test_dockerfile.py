"""The image: what its file copies and runs, and whether it says that the server is well."""

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.test_project import EXTRAS

ROOT = Path(__file__).parent.parent
LINES = [
    line.partition(" ")
    for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def stages():
    """The stages by name, in order: what each is made from, and its instructions."""
    found = {}
    for keyword, _, rest in LINES:
        if keyword == "FROM":
            origin, name = rest.split(" AS ")
            found[name] = (origin, [])
        else:
            found[name][1].append((keyword, rest))
    return found


def chain(name):
    """All instructions that lead to a stage, those of the stages below it first."""
    if name not in stages():
        return []
    origin, instructions = stages()[name]
    return chain(origin) + instructions


def values(name, keyword):
    return [rest for each, rest in chain(name) if each == keyword]


def test_what_is_copied_is_there_and_passes_the_ignore_file():
    ignored, *kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored == "*"
    copied = [each for line in values("source", "COPY") for each in line.split()[:-1]]
    assert set(copied) == {line[1:] for line in kept if line.startswith("!")}
    assert all((ROOT / each).exists() for each in copied)
    for name in ("light", "train"):
        for line in values(name, "COPY"):
            assert re.fullmatch(rf"--from={name}-packages /packages /usr/local", line)


@pytest.mark.parametrize(("name", "extra"), [("light", "web"), ("train", "train")])
def test_each_target_has_its_extra_and_runs_as_nobody_special(name, extra):
    assert extra in EXTRAS
    [install] = values(f"{name}-packages", "RUN")
    assert install.startswith("pip install --no-cache-dir")
    assert install.endswith(f" '.[{extra}]'")
    assert values(name, "USER") == ["captioner"]
    assert values(name, "ENTRYPOINT") == ['["captioner"]']


def test_the_light_one_is_built_by_default():
    assert list(stages())[-1] == "light"
    assert "train" not in " ".join(" ".join(each) for each in chain("light"))


class Well(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def is_well(tmp_path):
    """Whether the check of the light image succeeds where the container runs a command."""
    [check] = values("light", "HEALTHCHECK")
    python, option, program = json.loads(check.partition("CMD ")[2])
    assert (python, option) == ("python", "-c")

    def run(*command):
        (tmp_path / "cmdline").write_text("\0".join(["captioner", *command, ""]))
        here = program.replace("/proc/1/cmdline", str(tmp_path / "cmdline"))
        return subprocess.run([sys.executable, "-c", here], capture_output=True).returncode == 0

    return run


def test_the_server_is_asked_whether_it_is_well(is_well):
    assert is_well("caption", "/photos")  # nobody listens, and nobody has to
    with HTTPServer(("127.0.0.1", 0), Well) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = str(server.server_port)
        assert is_well("serve", "--host", "0.0.0.0", "--port", port)
        assert is_well("serve", f"--port={port}")
        server.shutdown()
    assert not is_well("serve", "--port", port)
