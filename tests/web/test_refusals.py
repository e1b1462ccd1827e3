"""What an exception means to a client."""

import asyncio
import json

import pytest
from starlette.exceptions import HTTPException

from captioner.errors import CaptionerError
from captioner.web.batches import BusyError
from captioner.web.refusals import refusal, status_and_reason
from tests.web.conftest import PNG


@pytest.mark.parametrize(
    ("error", "status", "reason", "headers"),
    [
        (CaptionerError("beam size 0"), 400, "beam size 0", {}),
        (BusyError(), 503, "try again", {"Retry-After": "1"}),
        (HTTPException(413, "too large"), 413, "too large", {}),
        (HTTPException(401, "a key", {"WWW-Authenticate": "Bearer"}), 401, "a key",
         {"WWW-Authenticate": "Bearer"}),
        (KeyError("private"), 500, "the server made a mistake", {}),
    ],
)  # fmt: skip
def test_exceptions(error, status, reason, headers):
    found = status_and_reason(error)
    assert (found[0], found[2]) == (status, headers)
    assert reason in found[1]
    assert "private" not in found[1]


def test_a_refusal_is_json():
    answer = refusal(418, 'not "coffee"', {"X-Pot": "tea"})
    assert (answer.status_code, answer.headers["x-pot"]) == (418, "tea")
    assert json.loads(answer.body) == {"error": 'not "coffee"'}


def test_a_client_that_leaves_is_no_mistake_of_ours(client):
    """Half a body, then nothing: this must not look like an error in the log."""
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    messages = [{"type": "http.request", "body": PNG[:9], "more_body": True},
                {"type": "http.disconnect"}]  # fmt: skip
    scope = {"type": "http", "method": "POST", "path": "/caption", "query_string": b"",
             "headers": [(b"host", b"localhost")]}  # fmt: skip
    asyncio.run(client.app(scope, receive, send))
    assert sent[0]["status"] == 499
