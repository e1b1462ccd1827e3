"""Who may ask, and what was asked: the host, the key, and a line for every request."""

import re
import secrets
import time
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from captioner.errors import counted
from captioner.web.refusals import refusal

LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:]+)(:\d+)?", re.IGNORECASE)


def require_own_page(request):
    """Refuses a request that a web page of another site sends through a visitor's browser.

    Raises:
        HTTPException: Status 403.
    """
    origin = request.headers.get("origin")
    if origin and origin.partition("://")[2] != request.headers.get("host"):
        raise HTTPException(403, "the request comes from a page of another site")


def require_key(request, key):
    """Refuses a request without the key, which two headers can carry.

    Args:
        request: Request.
        key: str, or None where no key is needed.

    Raises:
        HTTPException: Status 401.
    """
    if key is None:
        return
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    given = bearer.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
    if not secrets.compare_digest(given.encode(), key.encode()):
        reason = "this needs the server's key: Authorization: Bearer KEY, or X-API-Key: KEY"
        raise HTTPException(401, reason, {"WWW-Authenticate": "Bearer"})


class Access:
    """Refuses requests to foreign names, and counts and logs every request.

    A web page elsewhere can make its own name lead to this machine, and so reach it through a
    visitor's browser; but the request then carries that name.

    Args:
        app: ASGI application.
        metrics: Metrics.
        names: tuple of str, the names by which the server may be addressed; None for any.
        log: callable. Takes the line of each request; None to log nothing.
    """

    def __init__(self, app, metrics, names=None, log=None):
        self._app, self._metrics, self._names, self._log = app, metrics, names, log

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500  # where an exception leaves no answer
        scope.setdefault("state", {})

        async def note(message):
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            app = self._app if self._is_addressed(scope) else self._refuse
            await app(scope, receive, note)
        finally:
            self._metrics.requests.labels(_route(scope), status).inc()
            if self._log:
                self._log(_line(scope, status, 1000 * (time.perf_counter() - start)))

    def _is_addressed(self, scope):
        if self._names is None:
            return True
        host = HOST.fullmatch(Headers(scope=scope).get("host", ""))
        return host is not None and host[1].lower() in self._names

    async def _refuse(self, scope, receive, send):
        self._metrics.errors.labels(400).inc()
        reason = f"this server answers only to its local names: {', '.join(self._names)}"
        await refusal(400, reason)(scope, receive, send)


def _route(scope):
    """The path, if it is one of ours: others would make a new counter each."""
    known = scope["path"] in {route.path for route in scope["app"].routes}
    return scope["path"] if known else "other"


def _line(scope, status, milliseconds):
    client = (scope.get("client") or ("-",))[0]
    path = quote(scope["path"])  # one word, without control characters
    line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {client} {scope['method']} {path} {status}"
    pictures = scope["state"].get("pictures")
    captioned = "" if pictures is None else f", {counted(pictures, 'picture')}"
    return f"{line} {milliseconds:.0f} ms{captioned}"
