"""What an evaluation found, picture by picture: a page to look at, and a table."""

import csv
import os

from captioner import metrics
from captioner.errors import CaptionerError, cannot_be, require
from captioner.output.gallery import Gallery
from captioner.text_files import replacing_text

PAGE, TABLE = "index.html", "scores.csv"


def write_report(folder, dataset, captions, scores, with_faults=False, tokenization="auto"):
    """Writes a page and a table.

    Args:
        folder: str. Where to; made if need be. The two files of an older report are replaced.
        dataset: CaptionDataset. Pictures that have no captions are left out.
        captions: dict from image id to list of `Caption`, best first.
        scores: dict from name to float or str. Of the whole set.
        with_faults: bool. Whether the table shows which faults each caption has, see
            `metrics.faults_of`. Defaults to `False`.
        tokenization: str. As for `metrics.score`. Defaults to `"auto"`.

    Raises:
        CaptionerError: The files cannot be written, or the folder has an index.html of its own.

    Example:
    >>> captions = dict(zip(dataset.image_ids, model.generate(dataset.image_paths, n_best=3,
    ...                                                       return_details=True)))
    >>> write_report("runs/report", dataset, captions, {"CIDEr": 0.64})
    """
    require_report_folder(folder)
    texts = {name: found[0].text for name, found in captions.items()}
    references = {name: each for name, each in dataset.references().items() if name in texts}
    each_scores = metrics.score_each(references, texts, tokenization)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise CaptionerError(cannot_be("written", folder, error)) from error
    _write_page(os.path.join(folder, PAGE), dataset, captions, each_scores, scores)
    _write_table(os.path.join(folder, TABLE), texts, each_scores, with_faults)


def require_report_folder(folder):
    """Raises CaptionerError unless `write_report` may write there: it replaces only its own files.

    Args:
        folder: str. Of the report; it need not be there yet.
    """
    require(
        os.path.isdir(folder) or not os.path.exists(folder), f"--report {folder}: is not a folder"
    )
    files = {name: os.path.isfile(os.path.join(folder, name)) for name in (PAGE, TABLE)}
    require(
        len(set(files.values())) == 1,
        f"--report {folder}: has {PAGE if files[PAGE] else TABLE}, but is not the folder of a "
        "report; give another",
    )


def _write_page(path, dataset, captions, each_scores, scores):
    pictures = zip(dataset.image_ids, dataset.image_paths, dataset.captions, strict=True)
    with replacing_text(path, encoding="utf-8") as file:
        gallery = Gallery(file, title=f"{len(captions)} captions, scored", scores=scores)
        for name, picture, references in pictures:
            if name in captions:
                gallery.add(picture, captions[name], references, each_scores[name])
        gallery.close(failures=[])


def _write_table(path, texts, each_scores, with_faults):
    with replacing_text(path, encoding="utf-8", newline="") as file:
        rows, more = csv.writer(file), ["faults"] if with_faults else []
        rows.writerow(["image_id", "caption", *next(iter(each_scores.values()), {}), *more])
        for name, values in each_scores.items():
            more = ["; ".join(metrics.faults_of(texts[name]))] if with_faults else []
            numbers = (f"{value:.4f}" for value in values.values())
            rows.writerow([name, texts[name], *numbers, *more])
