"""The one exception that means: the user can mend this."""


class CaptionerError(ValueError):
    """A mistake in what the user gave: a file, a flag, a data set.

    The message is one line that says what is wrong, where, and what to do. The command line prints
    it without a traceback and exits with status 2 (1 where other pictures were captioned).

    Example:
    >>> from captioner.errors import CaptionerError
    >>> raise CaptionerError("photos/: no such folder; check the path")
    Traceback (most recent call last):
    captioner.errors.CaptionerError: photos/: no such folder; check the path
    """


def require(condition, message):
    """Raises CaptionerError with the message unless the condition holds."""
    if not condition:
        raise CaptionerError(message)
