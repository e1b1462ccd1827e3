import contextlib
import re
import subprocess
import sys

import pytest
from fastapi.testclient import TestClient

from captioner.web.server import make_app
from tests.hostile import encoded, photo

PNG = encoded(photo(), "PNG")


@contextlib.contextmanager
def client_of(model, raises=True, **settings):
    """A client of a server with these settings, which addresses it as a browser here would."""
    app = make_app(model, **settings)
    with TestClient(app, "http://localhost", raise_server_exceptions=raises) as client:
        yield client


@pytest.fixture
def client(tiny_captioner):
    with client_of(tiny_captioner, most_bytes=2**20) as client:
        yield client


@pytest.fixture(scope="module")
def served():
    """The address of the shipped model, served by a process of its own."""
    command = [sys.executable, "-m", "captioner", "serve", "--port", "0", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield re.search(r"http://\S+", process.stdout.readline())[0]
    finally:
        process.terminate()
        process.communicate(timeout=20)
