"""The files that the captions of a part are written to: JSON Lines and Parquet."""

import io

from captioner.bulk.object_stores import require_pyarrow
from captioner.images import ImageError
from captioner.output.writers import JsonLinesWriter


def as_json_lines(results, with_scores=False):
    """The lines of `JsonLinesWriter`, and one for each picture that failed.

    Args:
        results: list of (picture, list of `Caption`, best first, or the `ImageError`).
        with_scores: bool. Whether to add the scores. Defaults to `False`.

    Returns:
        bytes.

    Example:
    >>> as_json_lines([("a.jpg", [Caption("a dog", -0.5, ("a", "dog"), (-0.2, -0.1, -0.2))])])
    b'{"image": "a.jpg", "caption": "a dog"}\\n'
    """
    file = io.StringIO()
    writer = JsonLinesWriter(file, with_scores)
    for picture, result in results:
        if isinstance(result, ImageError):
            writer.write_failure(picture, str(result))
        else:
            writer.write(picture, result)
    return file.getvalue().encode()


def as_parquet(results, with_scores=False):
    """A table of image, caption, score, confidence, captions (best first) and error.

    The confidence is null where the captioner has none.

    Args:
        results: as for `as_json_lines`.
        with_scores: bool. Ignored: a column that nobody reads costs nothing, so scores are always
            there. Defaults to `False`.

    Returns:
        bytes.

    Raises:
        CaptionerError: The package pyarrow is missing.
    """
    pyarrow, parquet = require_pyarrow("lib"), require_pyarrow("parquet")
    rows = [_row(picture, result) for picture, result in results]
    schema = pyarrow.schema(
        [
            ("image", pyarrow.string()),
            ("caption", pyarrow.string()),
            ("score", pyarrow.float32()),
            ("confidence", pyarrow.float32()),
            ("captions", pyarrow.list_(pyarrow.string())),
            ("error", pyarrow.string()),
        ]
    )
    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema), file)
    return file.getvalue()


def _row(picture, result):
    # Parquet's texts are UTF-8: a byte that is not is spelled as JSON spells it, "\\udcff".
    row = {"image": picture.encode("utf-8", "backslashreplace").decode()}
    if isinstance(result, ImageError):
        return {**row, "error": str(result)}
    texts, best = [each.text for each in result], result[0]
    scores = {"score": best.score, "confidence": best.confidence}
    return {**row, "caption": best.text, **scores, "captions": texts}


FORMATS = {"jsonl": as_json_lines, "parquet": as_parquet}
