"""The one exception that means: the user can mend this; and the warnings."""

LONGEST = 800  # characters of a message


class CaptionerError(ValueError):
    """A mistake in what the user gave: a file, a flag, a data set.

    The message is one line that says what is wrong, where, and what to do. The command line prints
    it without a traceback and exits with status 2 (1 where other pictures were captioned). What it
    quotes may come from anyone: characters that are not printable are spelled out, and of what is
    too long to read the middle is left out.

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
    """A former model was asked for by name, and another one is used instead."""


def require(condition, message):
    """Raises CaptionerError with the message unless the condition holds."""
    if not condition:
        raise CaptionerError(message)
