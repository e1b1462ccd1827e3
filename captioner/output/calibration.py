"""Measuring how often a captioner is right, and storing it in its file as its confidence."""

import os

from captioner.errors import CaptionerError, needs_extra, require
from captioner.lite_captioner import is_exported
from captioner.lite_captioner import store_confidence as store_in_folder
from captioner.metrics import calibrate
from captioner.models import opened
from captioner.output.evaluation import captions_of_model


def calibrate_model(model, datasets, batch_size=32, watch=iter):
    """Captions the pictures of data sets, and learns from people's captions when to trust it.

    The search is the one that is stored in the model.

    Args:
        model: captioner, or ModelChoice.
        datasets: list of CaptionDataset. Each counts the same.
        batch_size: int. Pictures captioned at a time. Defaults to `32`.
        watch: callable. Takes an iterator of the captions of a data set and passes them on; may
            show the progress. Defaults to `iter`.

    Returns:
        captioner.metrics.calibration.Calibration.

    Raises:
        ImageError: A picture cannot be read.
        TooFewPicturesError: There are too few pictures, or too few of one kind.
    """
    model = opened(model)
    sets = []
    for dataset in datasets:
        found = watch(captions_of_model(model, dataset, batch_size))
        captions = {name: captions[0] for name, captions in found}
        sets.append((dataset.references(), captions))
    return calibrate(sets)


def store_confidence(path, confidence, out):
    """Writes a captioner with a confidence; its weights stay as they are, byte for byte.

    Args:
        path: str. A .keras file, or a folder exported for LiteRT.
        confidence: Confidence.
        out: str. What to replace, or to make; it may be the same.

    Raises:
        CaptionerError: It is not a captioner, or cannot be written.
    """
    if is_exported(path):
        store_in_folder(path, confidence, out)
        return
    from captioner.model_file import store_confidence as store_in_file  # needs h5py

    store_in_file(path, confidence, out)


def require_storable(path, out):
    """Raises CaptionerError where `store_confidence` would fail for the kind of `out`."""
    folder = os.path.dirname(os.path.abspath(out))
    require(os.path.isdir(folder), f"--out {out}: {folder} is not a folder; make it first")
    if not is_exported(path):
        require(out.endswith(".keras"), f"--out {out}: a model's file name ends in .keras")
        require(not os.path.isdir(out), f"--out {out}: is a folder; give the name of a file")
        try:  # reported before the captioning, which may take long
            from captioner.model_file import check_model_file
        except ImportError as error:
            need = f"{path}: a confidence in a .keras file needs h5py"
            raise CaptionerError(needs_extra(need, "train", error)) from error
        if os.path.exists(out) and out != path:  # only a captioner is replaced
            check_model_file(out)
        return
    is_free = not os.path.exists(out) or (os.path.isdir(out) and not os.listdir(out))
    require(
        is_free or is_exported(out),
        f"--out {out}: exists and is not an exported captioner; give another folder",
    )
