import contextlib
import re
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest
import uvicorn
from fastapi.testclient import TestClient

from captioner.decoding import stored_settings
from captioner.generation import Caption, Generation
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


class Painter(Generation):
    """A captioner that says what colour a photo is, and looks at one corner after the other."""

    generation = stored_settings({})
    picture_size = 8

    def __init__(self):
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.has_confidence = True

    def encode(self, pixels, batch_size):
        self.may_go_on.wait(20)
        return pixels[:, 4, 4]

    def decode(self, image, method, pictures, with_attention, n_best=1, **settings):
        return [[self.caption(each, rank, method) for rank in range(n_best)] for each in image]

    def caption(self, colour, rank, method):
        name = ("red", "green", "blue")[int(np.argmax(colour))]
        words = ("a", name, "photo", *[method] * (method != "beam"), *["again"] * rank)
        scores = np.linspace(-0.05, -2, len(words) + 1)
        attention = np.eye(4)[np.arange(len(words)) % 4].reshape(-1, 2, 2)
        confidence = 0.75 - 0.25 * rank if self.has_confidence else None
        return Caption(" ".join(words), -0.5 - rank, words, scores, attention, confidence)


@contextlib.contextmanager
def serving(model, **settings):
    """The address of a server in a thread of this process."""
    server = uvicorn.Server(uvicorn.Config(make_app(model, **settings), log_level="error"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
