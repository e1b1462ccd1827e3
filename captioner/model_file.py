"""A .keras file without Keras: checked before Keras opens it, and given a confidence.

A file may come from anyone, or be damaged.

Keras builds whatever classes a file names, and where it cannot read the weights in one piece it
reads them without looking at their checksum. So a captioner's file is checked first: it has
the three members of every .keras file and no other, their checksums are right, it names no class
but ours, and its weights are plain arrays that lie in it and are as large as they say.
"""

import io
import json
import zipfile

import h5py

from captioner.decoder_settings import SIZES
from captioner.errors import CaptionerError, cannot_be, reason_of, require
from captioner.files import replacing

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MEMBERS = {CONFIG, WEIGHTS, "metadata.json"}
CLASSES = {("captioner.captioner", "Captioner"), ("keras", "DTypePolicy")}
MOST_CONFIG = 2**24  # bytes of config.json, unpacked; that of the shipped model has 2**15
MOST_BYTES = 2**31  # of all members unpacked; the largest network we offer has 200 MB
LARGEST_PICTURE = 2048  # pixels, height and width
LARGEST_LAYER = 2**14  # units of a layer, where the weights have no axis that long


def check_model_file(path):
    """Checks a .keras file.

    Args:
        path: str.

    Returns:
        str: the version of this project that wrote the file, `"0.1"` or later.

    Raises:
        CaptionerError: The file is damaged, or is not a captioner's.
    """
    try:
        members = _members(path)
        model = json.loads(members[CONFIG])
        require(
            isinstance(model, dict) and "class_name" in model, "its config.json is not a model's"
        )
        require(
            (model.get("module"), model["class_name"]) == ("captioner.captioner", "Captioner"),
            "a Keras model, but not a captioner; train one with train.py",
        )
        _require_our_classes(model)
        _require_sizes(model["config"], *_axis_and_count(members[WEIGHTS]))
    except CaptionerError as error:
        raise CaptionerError(f"{path}: cannot be opened as a captioner: {error}") from error
    except OSError as error:
        if error.filename:
            raise CaptionerError(cannot_be("read", path, error)) from error
        raise _damaged(path, error) from error
    except Exception as error:  # zipfile, zlib, json and h5py each have their own
        raise _damaged(path, error) from error
    return model["config"].get("version", "0.1.0")


def store_confidence(path, confidence, out):
    """Writes a .keras file with a confidence; all that it holds besides stays as it is.

    Args:
        path: str. The captioner's file.
        confidence: Confidence.
        out: str. The file to replace, or to make; it may be the same.

    Raises:
        CaptionerError: The file is damaged or is not a captioner's, or cannot be written.

    Example:
    >>> store_confidence("runs/mine/best.keras", model.confidence, "runs/mine/calibrated.keras")
    """
    check_model_file(path)
    try:
        with (
            zipfile.ZipFile(path) as before,
            replacing(out, ending=".keras") as unfinished,
            zipfile.ZipFile(unfinished, "w") as after,
        ):
            for member in before.infolist():
                content = before.read(member)
                if member.filename == CONFIG:
                    model = json.loads(content)
                    model["config"]["confidence"] = confidence.to_config()
                    content = json.dumps(model)
                after.writestr(member, content)
    except OSError as error:
        raise CaptionerError(cannot_be("written", out, error)) from error


def _damaged(path, error):
    return CaptionerError(
        f"{path}: cannot be opened as a captioner: damaged or something else ({reason_of(error)})"
    )


def _members(path):
    """The contents by name; zipfile compares each with its checksum."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        require(
            sorted(names) == sorted(MEMBERS),
            f"it should hold {', '.join(sorted(MEMBERS))} and nothing else",
        )
        size = sum(each.file_size for each in archive.infolist())
        config = archive.getinfo(CONFIG).file_size
        require(config <= MOST_CONFIG, f"{config:,} bytes of {CONFIG} are more than a captioner's")
        require(size <= MOST_BYTES, f"{size:,} bytes when unpacked are more than a captioner's")
        return {name: archive.read(name) for name in names}


def _require_our_classes(value):
    """Raises CaptionerError where a config names a class that no captioner has in it."""
    if isinstance(value, list):
        for each in value:
            _require_our_classes(each)
    elif isinstance(value, dict):
        if "class_name" in value:
            found = value.get("module"), value["class_name"]
            require(
                found in CLASSES,
                f"it names {'.'.join(map(str, found))}, which no captioner needs; such a file may "
                "run someone else's code, and is not opened",
            )
        for each in value.values():
            _require_our_classes(each)


def _axis_and_count(content):
    """The longest axis of all weights, and how many numbers they are, once they are known to be
    plain arrays in this file."""
    links, arrays = [], []  # h5py fails where an error is raised while it visits
    with h5py.File(io.BytesIO(content), "r") as weights:
        weights.visititems_links(lambda name, link: links.append((name, link)))
        for name, link in links:
            require(isinstance(link, h5py.HardLink), f"its weight {name[:80]!r} lies elsewhere")
        weights.visititems(lambda name, item: arrays.append((name, item)))
        arrays = [(name, each) for name, each in arrays if isinstance(each, h5py.Dataset)]
        for name, each in arrays:
            is_plain = each.dtype.kind in "fiu" and not (each.external or each.is_virtual)
            require(is_plain, f"its weight {name[:80]!r} is not a plain array")
        size = sum(each.nbytes for _, each in arrays)
        require(size <= len(content), "its weights claim to be larger than the file")
        longest = max((axis for _, each in arrays for axis in each.shape), default=0)
        return longest, sum(each.size for _, each in arrays)


def _require_sizes(config, longest, count):
    """Raises CaptionerError where a network would be built that the weights cannot be of.

    It would take all the memory before the weights were found not to fit.
    """
    size = config["encoder"].get("size")
    require(size is None or 0 < size <= LARGEST_PICTURE, f"its pictures have {size} pixels")
    decoder = config["decoder"]
    require(
        "members" not in decoder,
        "files that `join` made are no longer supported; give the models it was made of with "
        "--model A --model B, which averages them",
    )
    for name in ("vocabulary_size", "image_features", *SIZES):
        value = decoder.get(name, 0)
        require(
            0 <= value <= max(longest, LARGEST_LAYER),
            f"its config says {name} {value}, but its weights have at most {longest} in a row",
        )
    least = decoder["layers"] * decoder["units"] ** 2
    least += decoder["vocabulary_size"] * (decoder["units"] + decoder["embedding"])
    require(least <= count, f"its decoder would have {least:,} weights, the file has {count:,}")
