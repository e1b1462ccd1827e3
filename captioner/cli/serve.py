"""Serve a web page to drop photos on, and POST /caption for scripts.

  python -m captioner serve
  curl --data-binary @photo.jpg 'http://127.0.0.1:8000/caption?beam_size=5&n_best=3'
  curl -F file=@one.jpg -F file=@two.jpg http://127.0.0.1:8000/caption

/docs on the server describes all of it. It listens on this machine only, unless --host opens it to
others; give a key then. Needs: pip install '.[web]'.
"""

import contextlib
import os
import socket
import sys

from captioner.cli.common_arguments import add_batch_size_argument
from captioner.cli.messages import note
from captioner.cli.model_arguments import add_model_arguments, chosen_model
from captioner.errors import CaptionerError, cannot_be, needs_extra, require
from captioner.web.batches import BATCH_SIZE

LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
KEY_VARIABLE = "CAPTIONER_API_KEY"
SECONDS_TO_END = 10  # for requests under way, however slowly a client sends


def add_arguments(parser):
    add_model_arguments(parser)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--port", type=int, default=8000, metavar="N", help="0: any free one (default: 8000)"
    )
    add_batch_size_argument(parser, BATCH_SIZE)
    parser.add_argument(
        "--max-megabytes", type=int, default=20, metavar="N", help="largest file (default: 20)"
    )
    parser.add_argument(
        "--api-key",
        metavar="KEY",
        help="answer only requests that have this key. The list of processes shows it to every "
        f"user of this machine; the environment variable {KEY_VARIABLE} does not (default: its "
        "value, if it is set)",
    )
    parser.add_argument("--quiet", action="store_true", help="no line for each request")


def run(options):
    require(0 <= options.port < 65536, f"--port {options.port}: must be 0 to 65535")
    require(options.batch_size >= 1, f"--batch-size {options.batch_size}: must be 1 or more")
    require(
        options.max_megabytes >= 1, f"--max-megabytes {options.max_megabytes}: must be 1 or more"
    )
    key = _key(options.api_key)
    try:
        import uvicorn

        from captioner.web.server import MOST_WAITING, make_app
    except ImportError as error:
        need = "serve needs packages that are missing"
        raise CaptionerError(needs_extra(need, "web", error)) from error
    is_local = options.host in LOCAL_HOSTS
    if not is_local and key is None:
        note(  # with --quiet too
            f"--host {options.host}: everyone who can reach this machine can use the server; "
            f"set a key in {KEY_VARIABLE} to let in only those who have it"
        )
    with _bound(options.host, options.port) as listener:  # before the model, which takes longer
        choice = chosen_model(options)
        name = ", ".join(choice.names)
        app = make_app(
            choice.open(),
            options.batch_size,
            options.max_megabytes * 2**20,
            is_local,
            api_key=key,
            name=name,
            log=None if options.quiet else _log,
        )
        ready_line = _ready_line(name, options, listener, MOST_WAITING)
        server = _server(uvicorn, app, ready_line)
        with contextlib.suppress(KeyboardInterrupt):  # how a server is meant to end
            server.run(sockets=[listener])
    return 0


def _key(flag):
    """The key, from the flag or else the environment; None where neither gives one."""
    origin, key = ("--api-key", flag) if flag is not None else (KEY_VARIABLE, None)
    key = os.environ.get(KEY_VARIABLE) if key is None else key
    is_usable = key is None or (key.isascii() and key.isprintable() and key and " " not in key)
    require(is_usable, f"{origin}: must be one or more ASCII characters without spaces")
    return key


def _bound(host, port):
    """A socket that is bound to an address, and listens when the server is ready."""
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CaptionerError(cannot_be("used", f"--host {host}", error)) from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        reason = cannot_be("used", f"--host {host} --port {port}", error)
        raise CaptionerError(f"{reason}; choose another port, or 0 for any free one") from error
    return listener


def _ready_line(name, options, listener, most_waiting):
    host = f"[{options.host}]" if ":" in options.host else options.host
    return (
        f"serving {name} on http://{host}:{listener.getsockname()[1]} (pictures up to "
        f"{options.max_megabytes} MB, {options.batch_size} at a time, {most_waiting} waiting at "
        "most); Ctrl-C stops it"
    )


def _server(uvicorn, app, ready_line):
    """A server that prints a line as soon as it listens."""

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets)
            print(ready_line, flush=True)

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # the application writes its own
        server_header=False,
        timeout_graceful_shutdown=SECONDS_TO_END,
    )
    return Server(config)


def _log(line):
    print(line, file=sys.stderr, flush=True)
