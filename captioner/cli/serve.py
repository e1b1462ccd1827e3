"""Serve a web page to drop photos on, and POST /caption for scripts.

  python -m captioner serve
  curl --data-binary @photo.jpg 'http://127.0.0.1:8000/caption?beam_size=5&n_best=3'

It listens on this machine only, unless --host says otherwise. Needs: pip install '.[web]'.
"""

from captioner.cli.model_arguments import add_model_arguments, chosen_model
from captioner.errors import CaptionerError, needs_extra, require

LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


def add_arguments(parser):
    add_model_arguments(parser)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="default: 8000")
    parser.add_argument(
        "--batch-size", type=int, default=4, metavar="N", help="pictures at a time (default: 4)"
    )
    parser.add_argument(
        "--max-megabytes", type=int, default=20, metavar="N", help="largest file (default: 20)"
    )


def run(options):
    require(0 <= options.port < 65536, f"--port {options.port}: must be 0 to 65535")
    require(options.batch_size >= 1, f"--batch-size {options.batch_size}: must be 1 or more")
    require(
        options.max_megabytes >= 1, f"--max-megabytes {options.max_megabytes}: must be 1 or more"
    )
    try:
        import uvicorn

        from captioner.web.server import make_app
    except ImportError as error:
        need = "serve needs packages that are missing"
        raise CaptionerError(needs_extra(need, "web", error)) from error
    model = chosen_model(options).open()
    app = make_app(
        model, options.batch_size, options.max_megabytes * 2**20, options.host in LOCAL_HOSTS
    )
    uvicorn.run(app, host=options.host, port=options.port, log_level="warning")
    return 0
