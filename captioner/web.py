"""Captions over HTTP: a page to drop a photo on, and POST /caption for scripts.

Requests that come while the captioner is at work wait, and are captioned together as one batch.
"""

import asyncio
import importlib.resources
import queue
import threading
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from captioner import __version__
from captioner.errors import CaptionerError
from captioner.gallery import as_bytes
from captioner.generation import SEARCH_SETTINGS
from captioner.images import ImageError, read_image

MOST_BYTES = 20 * 2**20  # of a picture sent
MOST_WAITING = 64  # pictures; more are turned away
BATCH_SIZE = 8
LARGEST = {"beam_size": 20, "n_best": 20, "max_length": 60}  # what strangers may ask for
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]", "testserver")


class BusyError(Exception):
    """Too many pictures are waiting."""


def make_app(model, batch_size=BATCH_SIZE, most_bytes=MOST_BYTES, only_local=True):
    """The web application.

    Args:
        model: Captioner, Ensemble or LiteCaptioner.
        batch_size: int. Most pictures captioned at a time. Defaults to `8`.
        most_bytes: int. Largest picture file taken. Defaults to 20 MiB.
        only_local: bool. Whether requests must be addressed to this machine by its local names, so
            that no page of the web can reach it through a visitor's browser. Defaults to `True`.

    Returns:
        FastAPI application: `GET /` the page, `POST /caption` (the picture file as the body, search
        settings in the query), `GET /health`.

    Example:
    >>> uvicorn.run(make_app(captioner.load("flickr8k")), host="127.0.0.1", port=8000)
    """
    batches = Batches(model, batch_size)

    @asynccontextmanager
    async def lifespan(app):
        batches.start()
        yield
        batches.stop()

    # Without the pages of FastAPI's own, which load scripts from elsewhere.
    app = FastAPI(title="captioner", lifespan=lifespan, docs_url=None, redoc_url=None,
                  openapi_url=None)  # fmt: skip
    if only_local:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(LOCAL_NAMES))
    page = importlib.resources.files("captioner").joinpath("web_page.html").read_text("utf-8")

    @app.get("/", response_class=HTMLResponse)
    async def show_page():
        return page

    @app.get("/health")
    async def health():
        return {"status": "ok", "version": __version__, "waiting": batches.waiting}

    @app.post("/caption")
    async def caption(request: Request):
        """Captions the picture file that is the body; the query has the search settings."""
        origin = request.headers.get("origin")
        if origin and urlsplit(origin).netloc != request.headers.get("host"):
            return _refusal(403, "asked by a page of another site")
        try:
            if batches.waiting >= MOST_WAITING:
                raise BusyError
            settings = settings_of(request.query_params)
            content = await _body(request, most_bytes)
            size = (model.picture_size,) * 2
            pixels = await run_in_threadpool(read_image, content, size)
            captions = await batches.caption(pixels, settings)
        except _TooLargeError:
            return _refusal(413, f"a picture may have {most_bytes // 2**20} MiB at most")
        except BusyError:
            return _refusal(503, "too many pictures are waiting; try again in a moment")
        except CaptionerError as error:
            return _refusal(400, str(error))
        return JSONResponse(_answer(captions))

    return app


def settings_of(query):
    """The search settings in a query, as `generate` takes them.

    Args:
        query: mapping from name to str.

    Raises:
        CaptionerError: A name is unknown, or a value is no number or too large for a server.
    """
    kinds = {"method": str, "length_penalty": float, "temperature": float, "top_p": float}
    known = set.union({"method"}, *SEARCH_SETTINGS.values())
    settings = {}
    for name, text in query.items():
        if name not in known:
            raise CaptionerError(f"{name}: no such setting; known: {', '.join(sorted(known))}")
        kind = kinds.get(name, int)
        try:
            settings[name] = kind(text)
        except ValueError as error:
            raise CaptionerError(f"{name} {text!r}: must be a number") from error
        if settings[name] > LARGEST.get(name, settings[name]):
            raise CaptionerError(f"{name} {text}: must be {LARGEST[name]} or less")
    return settings


class Batches:
    """Captions pictures in a thread of its own, those that wait together as one batch.

    Args:
        model: Captioner, Ensemble or LiteCaptioner.
        batch_size: int.
    """

    def __init__(self, model, batch_size):
        self._model = model
        self._batch_size = batch_size
        self._jobs = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self):
        self._thread.start()

    def stop(self):
        self._jobs.put(None)
        self._thread.join()

    @property
    def waiting(self):
        """How many pictures wait."""
        return self._jobs.qsize()

    async def caption(self, pixels, settings):
        """The captions of one picture, a list of `Caption`, best first.

        Raises:
            BusyError: Too many pictures wait.
            CaptionerError: The settings cannot be used.
        """
        # Told before it waits, and so that one wrong request does not spoil a batch.
        search = self._model.search_settings(settings)
        job = _Job(pixels, settings, tuple(sorted(search.items())), Future())
        try:
            self._jobs.put_nowait(job)
        except queue.Full as error:
            raise BusyError from error
        return await asyncio.wrap_future(job.future)

    def _work(self):
        while (job := self._jobs.get()) is not None:
            batch = [job]
            while len(batch) < self._batch_size:
                try:
                    batch.append(self._jobs.get_nowait())
                except queue.Empty:
                    break
            ending = None in batch
            batch = [each for each in batch if each and each.future.set_running_or_notify_cancel()]
            for search in dict.fromkeys(each.search for each in batch):
                self._caption([each for each in batch if each.search == search])
            if ending:
                return

    def _caption(self, jobs):
        try:
            found = self._model.generate_all(
                [job.pixels for job in jobs], self._batch_size, True, **jobs[0].settings
            )
            for index, _, result in found:
                n_best = jobs[index].settings.get("n_best", 1)
                jobs[index].future.set_result(result[:n_best])
            failure = RuntimeError("the captioner has no answer")
        except Exception as error:
            failure = error
        for job in jobs:  # whoever waits must not wait for ever
            if not job.future.done():
                job.future.set_exception(failure)


class _Job(NamedTuple):
    pixels: object
    settings: dict
    search: tuple  # the settings with those of the model; equal ones are captioned together
    future: Future


class _TooLargeError(Exception):
    pass


async def _body(request, most_bytes):
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/"):
        raise ImageError("send the picture file itself as the body: curl --data-binary @photo.jpg")
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > most_bytes:
            raise _TooLargeError
    return bytes(content)


def _refusal(status, reason):
    return JSONResponse({"error": reason}, status)


def _answer(captions):
    """What is sent of some `Caption`, best first."""
    entries = []
    for each in captions:
        entry = {
            "text": each.text,
            "score": float(each.score),
            "words": each.words,
            "word_scores": [float(score) for score in each.word_scores],
        }
        if each.attention is not None:
            entry["attention"] = as_bytes(each.attention).tolist()
        entries.append(entry)
    return {"caption": captions[0].text, "captions": entries}
