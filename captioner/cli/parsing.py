"""The parser of every command: a mistake costs two lines, which say what was probably meant."""

import argparse
import re
import sys

from captioner import __version__
from captioner.errors import suggestion

# What argparse says of a value that is not a number.
_WRONG_NUMBER = re.compile(
    r"argument (?P<flag>\S+): invalid (?P<kind>int|float) value: '(?P<value>.*)'"
)
_NUMBER = re.compile(r"-[\d.].*")  # a value, not a flag


class CommandParser(argparse.ArgumentParser):
    """A parser with a short usage line, and errors that belong to the command they are in.

    Every command has `--version`. Flags cannot be abbreviated, so that a script keeps its meaning
    when a command gets another flag.

    Example:
    >>> parser = CommandParser(prog="captioner caption")
    >>> flag = parser.add_argument("--beam-size")
    >>> parser.parse_args(["--beem-size", "3"])
    Traceback (most recent call last):
    SystemExit: 2
    """

    def __init__(self, **settings):
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings
        )
        self.add_argument(
            "--version",
            action="version",
            version=f"captioner {__version__}",
            help="print the version",
        )

    def parse_known_args(self, args=None, namespace=None):
        # argparse would report an argument that is missing first, and a command's unknown flag as
        # one of the whole program.
        args = sys.argv[1:] if args is None else args
        # Else it would take the -1 of --length-penalty -1 for a flag like caption's -0.
        self._has_negative_number_optionals.clear()
        flag = self._unknown_flag(args)
        if flag:
            meant = suggestion(flag.lstrip("-"), self._flags(), self._flags().get)
            self.error(f"{flag}: no such option; {meant}".rstrip("; "))
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"{unknown[0]}: is not the value of an option")
        return options, unknown

    def _check_value(self, action, value):
        if action.choices is None or value in action.choices:
            return
        is_command = action.nargs == argparse.PARSER
        what = f"{value}" if is_command else f"{argparse._get_action_name(action)} {value}"
        choices = list(map(str, action.choices))
        self.error(
            f"{what}: no such {'command' if is_command else 'choice'}; "
            f"{suggestion(str(value), choices)}choose one of {', '.join(choices)}"
        )

    def error(self, message):
        """Ends the process with status 2, after the usage of this command and what is wrong."""
        wrong = _WRONG_NUMBER.fullmatch(message)
        if wrong:
            kind = "a whole number" if wrong["kind"] == "int" else "a number"
            message = f"{wrong['flag']} {wrong['value']}: must be {kind}"
        usage = f"{self.format_usage().rstrip()}; see {self.prog} --help"
        self.exit(2, f"{usage}\ncaptioner: error: {message}\n")

    def format_usage(self):
        """One line: what has to be given. The many options are in the help."""
        needed = [each for each in self._actions if each.required or not each.option_strings]
        formatter = self._get_formatter()
        formatter.add_usage(None, needed, [])
        return formatter.format_help().replace(self.prog, f"{self.prog} [options]", 1)

    def format_help(self):
        self.usage = self.format_usage().removeprefix("usage: ").rstrip().replace("%", "%%")
        return super().format_help()

    def _unknown_flag(self, arguments):
        """The first flag that the command does not have, or None."""
        has_commands = any(each.nargs == argparse.PARSER for each in self._actions)
        for each in arguments:
            if each == "--" or (has_commands and not each.startswith("-")):
                return None  # what follows are values, or the command's
            is_flag = each.startswith("-") and each != "-" and not _NUMBER.fullmatch(each)
            flag = each.partition("=")[0]
            if is_flag and " " not in flag and flag not in self._flags().values():
                return flag
        return None

    def _flags(self):
        """The flags by their names without hyphens."""
        return {name.lstrip("-"): name for each in self._actions for name in each.option_strings}
