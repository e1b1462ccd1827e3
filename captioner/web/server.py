"""Captions over HTTP: a page to drop photos on, and POST /caption for scripts.

Requests that arrive while the captioner is busy wait, and are captioned together as one batch.
"""

import asyncio
import importlib.resources
from concurrent.futures import Future
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from captioner import __version__, heif
from captioner.errors import CaptionerError
from captioner.finding import ENDINGS
from captioner.images import read_image
from captioner.output.gallery import as_bytes, json_in_script
from captioner.web.access import LOCAL_NAMES, Access, require_key, require_own_page
from captioner.web.batches import BATCH_SIZE, MOST_WAITING, Batches, BusyError
from captioner.web.metrics import Metrics
from captioner.web.openapi import describe, settings_of_server
from captioner.web.reference import reference_page
from captioner.web.refusals import answer_errors, status_and_reason
from captioner.web.uploads import MOST_BYTES, content_of, settings_in, uploads_in

# Nothing is loaded from elsewhere, nothing runs but our own files, and no other page may show ours.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
FILE_ERRORS = (CaptionerError, HTTPException)  # those of one file among several
FILES = importlib.resources.files("captioner.web")
BESIDE_THE_PAGE = {"page.css": "text/css", "page.js": "text/javascript"} | {
    f"parts/{file.name}": "text/javascript" for file in FILES.joinpath("parts").iterdir()
}


def make_app(
    model,
    batch_size=BATCH_SIZE,
    most_bytes=MOST_BYTES,
    only_local=True,
    *,
    most_waiting=MOST_WAITING,
    api_key=None,
    name="",
    log=None,
):
    """The web application.

    Args:
        model: Captioner, Ensemble or LiteCaptioner.
        batch_size: int. Most pictures captioned at a time. Defaults to `4`.
        most_bytes: int. Largest picture file accepted. Defaults to 20 MB.
        only_local: bool. Whether requests must address this machine by one of its local names, so
            that no web page can reach it through a visitor's browser. Defaults to `True`.
        most_waiting: int. Pictures that may wait; more are refused. Defaults to `64`.
        api_key: str or None. A key that captions and metrics then need. Defaults to `None`.
        name: str. Of the model, as the page and `/health` show it. Defaults to `""`.
        log: callable or None. Takes the line of each request. Defaults to `None`.

    Returns:
        FastAPI application: `GET /` the page, `POST /caption`, `GET /health`, `/metrics`, `/docs`
        and `/openapi.json`, which describes them all.

    Example:
    >>> uvicorn.run(make_app(captioner.load("everyday")), host="127.0.0.1", port=8000)
    """
    metrics = Metrics()
    batches = Batches(model, metrics, batch_size, most_waiting)

    @asynccontextmanager
    async def lifespan(app):
        batches.start()
        yield
        batches.stop()

    # Without FastAPI's own pages, which load scripts from other sites.
    app = FastAPI(title="captioner", lifespan=lifespan, docs_url=None, redoc_url=None,
                  openapi_url=None)  # fmt: skip
    app.add_middleware(Access, metrics=metrics, names=LOCAL_NAMES if only_local else None, log=log)
    answer_errors(app, metrics)
    needs_key = api_key is not None
    document = describe(model, {"most_bytes": most_bytes, "most_waiting": most_waiting}, needs_key)
    about = {
        "model": name,
        "most_bytes": most_bytes,
        "needs_key": needs_key,
        # HEIC is not skipped in a folder even where it cannot be read: people must hear of it.
        "endings": sorted(ENDINGS | heif.ENDINGS),
        "settings": _fields(model),
    }
    _add_pages(app, _page(about), document)

    @_get(app, "/health")
    async def health():
        return {
            "status": "ok", "version": __version__, "model": name, "waiting": batches.waiting
        }  # fmt: skip

    @_get(app, "/metrics")
    async def show_metrics(request: Request):
        require_key(request, api_key)
        return Response(metrics.text(), media_type=metrics.content_type)

    @app.post("/caption")
    async def caption(request: Request):
        require_own_page(request)
        require_key(request, api_key)
        if batches.waiting >= most_waiting:
            raise BusyError
        async with uploads_in(request, most_bytes) as (uploads, given):
            search = model.search_settings(settings_in(given))
            found = await _caption_all(batches, uploads, search, most_bytes)
        failures = [each for each in found if isinstance(each, Exception)]
        request.state.pictures = len(found) - len(failures)
        if len(uploads) == 1 and failures:
            raise failures[0]
        if len(uploads) == 1:
            return JSONResponse(_answer(found[0]))
        for failure in failures:
            metrics.errors.labels(status_and_reason(failure)[0]).inc()
        return JSONResponse([
            {"file": upload.filename, **_answer_or_error(each)}
            for upload, each in zip(uploads, found, strict=True)
        ])  # fmt: skip

    return app


async def _caption_all(batches, uploads, search, most_bytes):
    """For each upload its list of `Caption`, best first, or what is wrong with the file.

    The files are read one after the other, to save memory; the first are captioned meanwhile.
    """
    jobs = []
    try:
        for upload in uploads:
            jobs.append(await _submit(batches, upload, search, most_bytes))
        found = await asyncio.gather(*map(asyncio.wrap_future, jobs), return_exceptions=True)
    finally:
        for job in jobs:
            job.cancel()  # changes nothing for those that are done
    for each in found:
        if isinstance(each, BaseException) and not isinstance(each, FILE_ERRORS):
            raise each
    return found


async def _submit(batches, upload, search, most_bytes):
    """A future of the captions of one upload."""
    size = (batches.model.picture_size,) * 2
    try:
        pixels = await run_in_threadpool(read_image, await content_of(upload, most_bytes), size)
    except FILE_ERRORS as error:
        failed = Future()
        failed.set_exception(error)
        return failed
    return batches.submit(pixels, search)


def _get(app, path, **options):
    return app.api_route(path, methods=["GET", "HEAD"], **options)


def _add_pages(app, page, document):
    """The page, what it loads, and the description of the server in both its forms."""
    reference = reference_page(document)

    @_get(app, "/")
    async def show_page():
        return HTMLResponse(page, headers=PAGE_HEADERS)

    @_get(app, "/docs")
    async def show_reference():
        return HTMLResponse(reference, headers=PAGE_HEADERS)

    @_get(app, "/openapi.json")
    async def show_document():
        return JSONResponse(document)

    for file, kind in BESIDE_THE_PAGE.items():
        _add_file(app, file, kind)


def _add_file(app, file, kind):
    content = _text(file)

    @_get(app, f"/{file}")
    async def show_file():
        return Response(content, media_type=kind, headers=PAGE_HEADERS)


def _text(file):
    return FILES.joinpath(file).read_text("utf-8")


def _page(about):
    """The page, with what it must know of the server in it."""
    facts = json_in_script(about)
    return _text("page.html").replace('id="about">{}', f'id="about">{facts}')


def _fields(model):
    """The search settings, as the page makes its form of them."""
    return [
        {"name": name, "label": each.label, "help": each.help, "methods": each.methods, **schema}
        for name, (each, schema) in settings_of_server(model).items()
    ]


def _answer_or_error(found):
    return (
        {"error": status_and_reason(found)[1]} if isinstance(found, Exception) else _answer(found)
    )


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
        if each.confidence is not None:
            entry["confidence"] = float(each.confidence)
        if each.attention is not None:
            entry["attention"] = as_bytes(each.attention).tolist()
        entries.append(entry)
    return {"caption": captions[0].text, "captions": entries}
