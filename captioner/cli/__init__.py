"""The command line: parsing and printing only, in one module for each command.

It may import everything; nothing imports it.
"""

import contextlib
import importlib
import os
import signal
import sys
import threading
import warnings

from captioner.cli.messages import note
from captioner.cli.parsing import CommandParser
from captioner.cli.streams import open_closed_streams
from captioner.errors import CaptionerError, CaptionerWarning

COMMANDS = {
    "caption": "write captions for pictures",
    "train": "train a captioner on pictures with captions",
    "evaluate": "score a captioner, or captions already written, against references",
    "calibrate": "measure how often a captioner is right, and store it as its confidence",
    "alt": "write the alternative texts that are missing in web pages and Markdown files",
    "compare": "measure rnn, lstm and gru side by side",
    "serve": "serve captions on a web page, and to scripts over HTTP",
    "tune": "search for the settings that suit a data set",
    "models": "list the shipped captioners",
    "export": "convert a captioner to a form that runs without Keras",
}


class Terminated(KeyboardInterrupt):
    """The process received SIGTERM: everything is left as after Ctrl-C."""


def main(arguments=None, program="captioner", command=None):
    """Runs one command.

    Args:
        arguments: list of str. Defaults to those of the process.
        program: str. What the user types before them, for the usage. Defaults to `"captioner"`.
        command: str or None. The one command of a program that has no others, such as caption.py.
            Defaults to `None`: the first of the arguments.

    Returns:
        Exit status: 0 done, 1 some pictures failed, 2 wrong usage or data, 130 interrupted, 143
        ended by SIGTERM.
    """
    open_closed_streams()
    parser = _command_parser(command, prog=program) if command else _parser(program)
    arguments = sys.argv[1:] if arguments is None else arguments
    options = None
    try:
        options = parser.parse_args(arguments)
        with _ending_on_sigterm(), _warnings_as_notes(getattr(options, "quiet", False)):
            return options.run(options)
    except CaptionerError as error:
        print(f"captioner: error: {error}", file=sys.stderr)
        return 2
    except MemoryError:
        print(
            f"captioner: error: not enough memory; give a smaller --batch-size or --beam-size"
            f"{_how_to_continue(options)}",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"captioner: interrupted{_how_to_continue(options)}", file=sys.stderr)
        return 143 if isinstance(interrupt, Terminated) else 130
    except BrokenPipeError:  # the reader, head for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


@contextlib.contextmanager
def _ending_on_sigterm():
    def end(signum, frame):
        raise Terminated

    if threading.current_thread() is not threading.main_thread():  # where no signal arrives
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextlib.contextmanager
def _warnings_as_notes(quiet):
    """Prints our warnings as notes, without the line of code that Python would add; or not."""
    before = warnings.showwarning

    def show(message, category, *rest, **more):
        if not issubclass(category, CaptionerWarning):
            before(message, category, *rest, **more)
        else:
            note(message, quiet)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before


def _how_to_continue(options):
    leaves_something = any(getattr(options, name, None) for name in ("out", "output", "sidecar"))
    return "; continue with --resume" if leaves_something and hasattr(options, "resume") else ""


def _parser(program):
    parser = CommandParser(
        prog=program, description="Image captioning with an LSTM, a GRU or a plain RNN."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        _command_parser(name, commands.add_parser, name, help=summary)
    return parser


def _command_parser(name, make=CommandParser, *arguments, **settings):
    """The parser of one command."""
    module = importlib.import_module(f"captioner.cli.{name}")
    parser = make(*arguments, description=module.__doc__, **settings)
    module.add_arguments(parser)
    parser.set_defaults(run=module.run)
    return parser
