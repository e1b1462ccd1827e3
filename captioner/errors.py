"""The exception for mistakes that the user can fix, the warnings, and the lines that they say."""

import difflib

LONGEST = 800  # characters of a message


class CaptionerError(ValueError):
    """A mistake in what the user gave: a file, a flag, a data set.

    The message is one line that says what is wrong, where, and what to do. The command line prints
    it without a traceback and exits with status 2 (1 where other pictures were captioned). It may
    quote what anyone has written: characters that are not printable are escaped, and the middle of
    a message that is too long is left out.

    Example:
    >>> from captioner.errors import CaptionerError
    >>> raise CaptionerError("photos/: no such folder; check the path")
    Traceback (most recent call last):
    captioner.errors.CaptionerError: photos/: no such folder; check the path
    """

    def __init__(self, message):
        if not message.isprintable():
            message = "".join(each if each.isprintable() else repr(each)[1:-1] for each in message)
        if len(message) > LONGEST:
            message = f"{message[: LONGEST // 2]} ... {message[-LONGEST // 2 :]}"
        super().__init__(message)


class CaptionerWarning(UserWarning):
    """What the user should know, in one line; the command line prints it as a note."""


class ReplacedModelWarning(CaptionerWarning):
    """A model was named that has been replaced; its successor is used instead."""


def require(condition, message):
    """Raises CaptionerError with the message unless the condition holds."""
    if not condition:
        raise CaptionerError(message)


def require_choice(what, value, choices):
    """Raises CaptionerError unless the value is one of the choices, which the message lists.

    Example:
    >>> require_choice("cell", "grru", ["rnn", "lstm", "gru"])
    Traceback (most recent call last):
    captioner.errors.CaptionerError: cell 'grru': did you mean gru? choose one of rnn, lstm, gru
    """
    meant = suggestion(str(value), list(map(str, choices)))
    require(
        value in choices, f"{what} {value!r}: {meant}choose one of {', '.join(map(str, choices))}"
    )


def suggestion(given, known, shown=str):
    """What someone probably meant, to go into an error line; "" where nothing is like it.

    Args:
        given: str. What was written.
        known: iterable of str. What could have been written.
        shown: callable from one of the known to how the line has it. Defaults to `str`.

    Example:
    >>> suggestion("beem", ["greedy", "beam", "sample"])
    'did you mean beam? '
    """
    known, given = {each.lower(): each for each in known}, given.lower()
    begun = [each for each in known if given and each.startswith(given)]
    close = begun if len(begun) == 1 else difflib.get_close_matches(given, known, n=1)
    return f"did you mean {shown(known[close[0]])}? " if close else ""


def require_downloaded(path):
    """Raises CaptionerError for an address on the web, which nothing here reads.

    Args:
        path: str. A file or folder, as the user gave it.

    Example:
    >>> require_downloaded("https://example.org/a.jpg")
    Traceback (most recent call last):
    captioner.errors.CaptionerError: https://example.org/a.jpg: is on the web; download it first, \
    for example with: curl -O https://example.org/a.jpg
    """
    require(
        not str(path).lower().startswith(("http://", "https://")),
        f"{path}: is on the web; download it first, for example with: curl -O {path}",
    )


def reason_of(error):
    """Why something failed: the system's words, or else the first line of an error's message."""
    words = getattr(error, "strerror", None) or str(error).strip()
    return words.split("\n")[0][:200] or type(error).__name__


def cannot_be(done, name, error):
    """The line that says that a file cannot be read, cannot be written and so on, and why.

    Args:
        done: str. `"read"`, `"written"`, `"made"` or another participle.
        name: str. Of the file or folder, as the user knows it.
        error: Exception; or str, the reason.

    Example:
    >>> cannot_be("read", "a.json", FileNotFoundError(2, "No such file or directory"))
    'a.json: cannot be read (No such file or directory)'
    """
    reason = error if isinstance(error, str) else reason_of(error)
    return f"{name}: cannot be {done} ({reason})"


def needs_extra(what, extra, error):
    """The line that says which optional packages to install.

    Args:
        what: str. What needs which package.
        extra: str. The group of optional packages in pyproject.toml that has it.
        error: ImportError.

    Example:
    >>> needs_extra("tune needs Optuna", "tune", ImportError("No module named 'optuna'"))[:50]
    "tune needs Optuna (No module named 'optuna'); pip "
    """
    return f"{what} ({error}); {how_to_install(extra)}"


def how_to_install(extra):
    """How to install a group of optional packages.

    Example:
    >>> how_to_install("tune")
    "pip install 'captioner[tune]', or here: pip install '.[tune]'"
    """
    return f"pip install 'captioner[{extra}]', or here: pip install '.[{extra}]'"


def flag(name):
    """The command-line flag of a setting.

    Example:
    >>> flag("beam_size")
    '--beam-size'
    """
    return f"--{name.replace('_', '-')}"


def counted(count, what):
    """A number of things in words.

    Example:
    >>> counted(1, "picture"), counted(2, "picture")
    ('1 picture', '2 pictures')
    """
    return f"{count} {what}" + "s" * (count != 1)


def differences(was, now):
    """What differs between two dicts of settings: a list of str, one for each setting.

    Example:
    >>> differences({"beam_size": 3, "seed": 0}, {"beam_size": 5, "seed": 0})
    ['beam_size was 3, is 5']
    """
    return [
        f"{name} was {was.get(name)!r}, is {now.get(name)!r}"
        for name in {**was, **now}
        if was.get(name) != now.get(name)
    ]
