"""Every error is answered as JSON: `{"error": "what is wrong, and what to do"}`."""

from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from captioner.errors import CaptionerError
from captioner.web.batches import BusyError

CLIENT_GONE = 499  # as nginx records it; nobody receives it


def refusal(status, reason, headers=None):
    """The answer to a request that cannot be met.

    Args:
        status: int. The HTTP status.
        reason: str. One line.
        headers: dict or None. Defaults to `None`.
    """
    return JSONResponse({"error": reason}, status, headers)


def status_and_reason(error):
    """What an exception means to a client: (HTTP status, one line, dict of headers).

    Args:
        error: Exception. What is not known is a mistake of ours, of which a client learns nothing.

    Example:
    >>> status_and_reason(CaptionerError("beam size 0: must be 1 or more"))
    (400, 'beam size 0: must be 1 or more', {})
    """
    if isinstance(error, CaptionerError):
        return 400, str(error), {}
    if isinstance(error, BusyError):
        reason = "too many pictures are waiting; try again in a moment"
        return 503, reason, {"Retry-After": "1"}
    if isinstance(error, HTTPException):
        return error.status_code, error.detail, error.headers or {}
    return 500, "the server made a mistake; its log has the details", {}


def answer_errors(app, metrics):
    """Makes an application answer every error as JSON, and count it.

    Args:
        app: FastAPI.
        metrics: Metrics.
    """

    async def answer(request, error):
        status, reason, headers = status_and_reason(error)
        if status == 404:
            reason = f"{request.url.path}: there is no such page; /docs describes those there are"
        if status == 405:
            reason = f"{request.method}: not possible here; possible: {headers['Allow']}"
        metrics.errors.labels(status).inc()
        return refusal(status, reason, headers)

    async def nobody_listens(request, error):
        return Response(status_code=CLIENT_GONE)

    for kind in (HTTPException, CaptionerError, BusyError, Exception):
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(ClientDisconnect, nobody_listens)
