"""What a captioning of many pictures reports, while it works and at its end."""

from typing import NamedTuple


class Listener:
    """Hears how a captioning proceeds. This one ignores it all; a subclass overrides what it needs.

    Example:
    >>> class Printer(Listener):
    ...     def problem(self, line):
    ...         print(line)
    """

    def problem(self, line):
        """Something could not be captioned or written.

        Args:
            line: str. Which picture or argument, and why.
        """

    def start(self, done, total):
        """Captioning begins.

        Args:
            done: int. Pictures that a run before has captioned.
            total: int. Pictures in all.
        """

    def advance(self, pictures):
        """More pictures are done.

        Args:
            pictures: int. How many.
        """


class Outcome(NamedTuple):
    """What a captioning leaves behind.

    Attributes:
        pictures: int. How many there are.
        has_problems: bool. Whether a picture failed, or an argument named no picture; in a run
            that was resumed also in the part before.
        missing: int. Pictures that another run with `resume` has to caption.
        was_complete: bool. Whether the output was there already, and nothing was done.
        below_min_score: int. Captions that were not written, because the captioner is not sure
            enough of them.
    """

    pictures: int
    has_problems: bool
    missing: int = 0
    was_complete: bool = False
    below_min_score: int = 0

    @property
    def all_captioned(self):
        """Whether no picture failed, and none is missing."""
        return not (self.has_problems or self.missing)
