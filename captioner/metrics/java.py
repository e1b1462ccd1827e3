"""METEOR and SPICE: run by pycocoevalcap where Java is installed, else "n/a" with the reason."""

import importlib.util
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

_SPICE_MODELS = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")


def meteor(references, captions):
    """METEOR of a set of captions.

    Args:
        references: list (captions) of lists of token lists.
        captions: list of token lists, the same order.

    Returns:
        float between 0 and 1, or a str `"n/a (...)"` with the reason why not.
    """
    reason = _missing()
    if reason:
        return f"n/a ({reason})"
    from pycocoevalcap.meteor.meteor import Meteor

    return _run(Meteor, references, captions)


def spice(references, captions):
    """SPICE of a set of captions; as `meteor`.

    pycocoevalcap would download 384 MB of language models that are missing; here SPICE is "n/a"
    then.
    """
    reason = _missing() or _missing_models()
    if reason:
        return f"n/a ({reason})"
    from pycocoevalcap.spice.spice import Spice

    return _run(Spice, references, captions)


def _missing():
    if shutil.which("java") is None:
        return "needs Java"
    if importlib.util.find_spec("pycocoevalcap") is None:
        return "needs pycocoevalcap"
    return None


def _missing_models():
    [package] = importlib.util.find_spec("pycocoevalcap").submodule_search_locations
    library = Path(package, "spice", "lib")
    missing = [name for name in _SPICE_MODELS if not (library / name).exists()]
    return f"needs {missing[0]} of Stanford CoreNLP in {library}" if missing else None


def _run(scorer, references, captions):
    """The score of one of pycocoevalcap's Java scorers.

    A failure is reported in place of the score, so that the other metrics still count.
    """
    references = {n: [_line(tokens) for tokens in texts] for n, texts in enumerate(references)}
    captions = {n: [_line(tokens)] for n, tokens in enumerate(captions)}
    with _english_numbers():
        try:
            return float(scorer().compute_score(references, captions)[0])
        except Exception as error:  # an external program and its pipes can fail in any way
            return f"n/a ({scorer.__name__} stopped: {type(error).__name__}: {error})"


def _line(tokens):
    """One line for METEOR's protocol, in which ||| and line ends separate fields."""
    return " ".join(tokens).replace("|||", "|").replace("\n", " ")


@contextmanager
def _english_numbers():
    """Java writes 0,5 where the locale has a decimal comma, which pycocoevalcap cannot read.

    C.UTF-8 and not C: in the latter Java would read the captions as ASCII.
    """
    before = os.environ.get("LC_ALL")
    os.environ["LC_ALL"] = "C.UTF-8"
    try:
        yield
    finally:
        if before is None:
            del os.environ["LC_ALL"]
        else:
            os.environ["LC_ALL"] = before
