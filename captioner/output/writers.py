"""The output formats of captions: a writer for each, to a text file."""

import csv
import json
import os
import re

from captioner.images import describe
from captioner.output.gallery import Gallery


class TextWriter:
    """`path<TAB>caption`, with scores also `<TAB>score<TAB>confidence`; a line for each of the n
    best. A captioner that has no confidence gives no such field.

    Args:
        file: text file, open for writing.
        with_scores: bool. Whether to write the scores. Defaults to `False`.

    Example:
    >>> writer = TextWriter(sys.stdout)
    >>> writer.write("a.jpg", [Caption("a dog", -0.5, ("a", "dog"), (-0.2, -0.1, -0.2))])
    a.jpg\ta dog
    >>> writer.close(failures=[])
    """

    def __init__(self, file, with_scores=False):
        self.file = file
        self.with_scores = with_scores

    def write(self, path, captions):
        """Writes a picture's captions, a list of `Caption`, best first."""
        for caption in captions:
            # On a screen, characters of a name could steer the terminal.
            fields = [describe(path) if self.file.isatty() else _one_line(path), caption.text]
            if self.with_scores:
                fields += filter(None, _scores_of(caption))
            self.file.write("\t".join(fields) + "\n")
        self.file.flush()

    def close(self, failures):
        """Ends the file; `failures` has a line for each picture that could not be captioned."""


class CsvWriter(TextWriter):
    """`image,caption[,score,confidence]` with a header, readable by `train.py --format csv`.

    The confidence is empty where the captioner has none.
    """

    def __init__(self, file, with_scores=False):
        super().__init__(file, with_scores)
        self.table = csv.writer(file, lineterminator="\n")
        scores = ["score", "confidence"] if with_scores else []
        self.table.writerow(["image", "caption", *scores])

    def write(self, path, captions):
        for caption in captions:
            scores = _scores_of(caption) if self.with_scores else []
            self.table.writerow([path, caption.text, *scores])


class JsonLinesWriter(TextWriter):
    """One object per line: image and captions, best first."""

    def write(self, path, captions):
        self.file.write(_as_json(self._entry(path, captions)) + "\n")
        self.file.flush()

    def write_failure(self, path, reason):
        """Adds a picture that could not be captioned, and why."""
        self.file.write(_as_json({"image": path, "error": reason}) + "\n")

    def _entry(self, path, captions):
        entry = {"image": path, "caption": captions[0].text}
        if self.with_scores:
            entry["score"] = round(captions[0].score, 4)
            if captions[0].confidence is not None:
                entry["confidence"] = round(captions[0].confidence, 4)
            entry["words"] = [
                {"word": word, "log_probability": round(score, 4)}
                for word, score in zip(captions[0].words, captions[0].word_scores, strict=False)
            ]
        if len(captions) > 1:
            entry["captions"] = [each.text for each in captions]
        return entry


class JsonWriter(JsonLinesWriter):
    """The entries of JSON Lines in one list."""

    def __init__(self, file, with_scores=False):
        super().__init__(file, with_scores)
        self.count = 0

    def write(self, path, captions):
        self.file.write("[\n " if not self.count else ",\n ")
        self.file.write(_as_json(self._entry(path, captions)))
        self.count += 1

    def close(self, failures):
        self.file.write("\n]\n" if self.count else "[]\n")


class CocoWriter(JsonWriter):
    """The COCO results format: `[{"image_id": .., "caption": ..}]`."""

    def _entry(self, path, captions):
        return {"image_id": image_id(path), "caption": captions[0].text}


def image_id(path):
    """COCO's number where the file name ends in one of 12 digits, else the name without suffix."""
    stem = os.path.splitext(os.path.basename(path))[0]
    number = re.fullmatch(r"(?:COCO_\w+_)?(\d{12})", stem)
    return int(number[1]) if number else stem


class HtmlWriter:
    """A page with thumbnails, see `captioner.output.gallery`."""

    def __init__(self, file, with_scores=False):
        self._gallery = Gallery(file)

    def write(self, path, captions):
        self._gallery.add(path, captions)

    def close(self, failures):
        self._gallery.close(failures)


WRITERS = {
    "text": TextWriter,
    "csv": CsvWriter,
    "jsonl": JsonLinesWriter,
    "json": JsonWriter,
    "coco": CocoWriter,
    "html": HtmlWriter,
}


def _as_json(entry):
    """JSON that is UTF-8 whatever bytes a file name has: byte 255 is spelled "\\udcff" in it."""
    text = json.dumps(entry, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(entry)
    return text


def _scores_of(caption):
    """The score and the confidence as text; an empty one where there is no confidence."""
    values = caption.score, caption.confidence
    return ["" if value is None else f"{value:.4f}" for value in values]


def _one_line(path):
    return path.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
