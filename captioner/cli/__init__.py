"""The command line: parsing and printing only."""

import argparse
import importlib
import os
import sys

from captioner import __version__
from captioner.errors import CaptionerError

COMMANDS = {
    "caption": "write captions for pictures",
    "train": "train a captioner on pictures with captions",
    "evaluate": "score a captioner, or captions already written, against references",
    "compare": "measure rnn, lstm and gru side by side",
    "tune": "search for the settings that suit a data set",
    "join": "make one model of several that were trained on the same CNN",
    "export": "write a captioner in the form that runs without Keras",
}


def main(arguments=None):
    """Runs one command.

    Args:
        arguments: list of str. Defaults to those of the process.

    Returns:
        Exit status: 0 done, 1 some pictures failed, 2 wrong usage or data, 130 interrupted.
    """
    parser = _parser()
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        options = parser.parse_args(arguments)
        return options.run(options)
    except CaptionerError as error:
        print(f"captioner: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("captioner: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, head for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="captioner",
        description="Image captioning with an LSTM, a GRU or a plain RNN.",
    )
    parser.add_argument("--version", action="version", version=f"captioner {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        module = importlib.import_module(f"captioner.cli.{name}")
        command = commands.add_parser(
            name,
            help=summary,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
