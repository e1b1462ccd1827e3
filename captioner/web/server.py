"""Captions over HTTP: a page to drop a photo on, and POST /caption for scripts.

Requests that arrive while the captioner is busy wait, and are captioned together as one batch.
"""

import asyncio
import importlib.resources
import queue
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import numpy as np
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from captioner import __version__
from captioner.decoding import SETTINGS
from captioner.errors import CaptionerError, require
from captioner.generation import picture_numbers
from captioner.images import ImageError, read_image
from captioner.output.gallery import as_bytes

MOST_BYTES = 20 * 2**20  # of a picture file
MOST_WAITING = 64  # pictures; more are refused
BATCH_SIZE = 4  # small: the CNN encodes the next pictures while these are captioned
SWITCH_VALUES = {"true": True, "1": True, "false": False, "0": False}
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]", "testserver")


class BusyError(Exception):
    """Too many pictures are waiting."""


def make_app(model, batch_size=BATCH_SIZE, most_bytes=MOST_BYTES, only_local=True):
    """The web application.

    Args:
        model: Captioner, Ensemble or LiteCaptioner.
        batch_size: int. Most pictures captioned at a time. Defaults to `4`.
        most_bytes: int. Largest picture file accepted. Defaults to 20 MiB.
        only_local: bool. Whether requests must address this machine by one of its local names, so
            that no web page can reach it through a visitor's browser. Defaults to `True`.

    Returns:
        FastAPI application: `GET /` the page, `POST /caption` (the picture file as the body, search
        settings in the query), `GET /health`.

    Example:
    >>> uvicorn.run(make_app(captioner.load("everyday")), host="127.0.0.1", port=8000)
    """
    batches = Batches(model, batch_size)

    @asynccontextmanager
    async def lifespan(app):
        batches.start()
        yield
        batches.stop()

    # Without FastAPI's own pages, which load scripts from other sites.
    app = FastAPI(title="captioner", lifespan=lifespan, docs_url=None, redoc_url=None,
                  openapi_url=None)  # fmt: skip
    if only_local:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(LOCAL_NAMES))
    page = importlib.resources.files("captioner.web").joinpath("page.html").read_text("utf-8")

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
            return _refusal(403, "the request comes from a page of another site")
        try:
            if batches.waiting >= MOST_WAITING:
                raise BusyError
            settings = settings_in(request.query_params)
            content = await _body(request, most_bytes)
            size = (model.picture_size,) * 2
            pixels = await run_in_threadpool(read_image, content, size)
            captions = await batches.caption(pixels, settings)
        except _TooLargeError:
            return _refusal(413, f"a picture file may have {most_bytes // 2**20} MiB at most")
        except BusyError:
            return _refusal(503, "too many pictures are waiting; try again in a moment")
        except CaptionerError as error:
            return _refusal(400, str(error))
        return JSONResponse(_answer(captions))

    return app


def settings_in(query):
    """The search settings in a query, as `generate` takes them.

    Args:
        query: mapping from name to str.

    Raises:
        CaptionerError: A name is unknown, or a value is wrong or too large for a server.
    """
    settings = {}
    for name, text in query.items():
        require(name in SETTINGS, f"{name}: no such setting; known: {', '.join(sorted(SETTINGS))}")
        setting = SETTINGS[name]
        settings[name] = _value(text, setting.kind)
        setting.check(settings[name], setting.http_most)
    return settings


def _value(text, kind):
    """What a text in a query means; the text itself, which no check accepts, if that is nothing."""
    try:
        return SWITCH_VALUES[text] if kind is bool else kind(text)
    except (KeyError, ValueError):
        return text


class Batches:
    """Captions pictures in two threads; pictures that wait at the same time make a batch.

    While the captions of a batch are searched, which keeps one core busy, the CNN encodes the next
    one; as in `Generation.generate_all`, but pictures arrive at any time.

    Args:
        model: Captioner, Ensemble or LiteCaptioner.
        batch_size: int.
    """

    def __init__(self, model, batch_size):
        self._model = model
        self._batch_size = batch_size
        self._jobs = queue.Queue(MOST_WAITING)
        self._encoded = queue.Queue(1)
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._encode, self._search)
        ]

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    @property
    def waiting(self):
        """How many pictures wait."""
        return self._jobs.qsize()

    async def caption(self, pixels, settings):
        """The captions of one picture, a list of n_best `Caption`, best first.

        Raises:
            BusyError: Too many pictures wait.
            CaptionerError: The settings cannot be used.
        """
        # Checked before the picture waits, so that one wrong request does not spoil a batch.
        search = self._model.search_settings(settings)
        job = _Job(pixels, search, Future())
        try:
            self._jobs.put_nowait(job)
        except queue.Full as error:
            raise BusyError from error
        return await asyncio.wrap_future(job.future)

    def _encode(self):
        for batch in self._batches():
            try:
                image = self._model.encode(
                    np.stack([job.pixels for job in batch]), self._batch_size
                )
            except Exception as error:
                _fail(batch, error)
            else:
                self._encoded.put((batch, image))
        self._encoded.put(None)

    def _batches(self):
        """Batches of waiting jobs with the same search, until None is in the queue."""
        others = deque()  # jobs that wait for a different search
        ending = False
        while others or not ending:
            batch = [others.popleft() if others else self._jobs.get()]
            if batch == [None]:
                return
            found = [each for each in others if each.search == batch[0].search]
            batch += found[: self._batch_size - 1]
            others = deque(each for each in others if each not in batch)
            while len(batch) < self._batch_size and not self._jobs.empty():
                job = self._jobs.get()
                if job is None:
                    ending = True
                    break
                (batch if job.search == batch[0].search else others).append(job)
            if batch := [job for job in batch if job.future.set_running_or_notify_cancel()]:
                yield batch

    def _search(self):
        while (encoded := self._encoded.get()) is not None:
            batch, image = encoded
            try:
                pictures = picture_numbers([job.pixels for job in batch])
                found = self._model.decode(
                    image, pictures=pictures, with_attention=True, **batch[0].search
                )
                for job, captions in zip(batch, found, strict=True):
                    job.future.set_result(captions)
            except Exception as error:
                _fail(batch, error)


def _fail(jobs, error):
    """Reports an error to all who wait for these jobs, so that nobody waits for ever."""
    for job in jobs:
        if not job.future.done():
            job.future.set_exception(error)


class _Job:
    """A picture that waits.

    Args:
        pixels: array (size, size, 3).
        search: dict. From `Generation.search_settings`; jobs with the same search share a batch.
        future: Future. Of its captions.
    """

    def __init__(self, pixels, search, future):
        self.pixels, self.search, self.future = pixels, search, future


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
    """What is sent for a list of `Caption`, best first."""
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
