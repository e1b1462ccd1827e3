"""A captioner as a folder of static files: a web page that captions photos in the browser.

The page, the engine and what runs the networks lie in `browser_page/`; the model is one that is
exported for LiteRT. Neither Keras nor TensorFlow is needed for that.
"""

import hashlib
import importlib.resources
import io
import json
import os
import shutil
import tarfile
import tempfile

from captioner.decoding import DEFAULT, SETTINGS
from captioner.errors import CaptionerError, cannot_be, require
from captioner.files import replacing_folder
from captioner.lite_captioner import (
    MANIFEST,
    NETWORKS,
    LiteCaptioner,
    is_exported,
    manifest_of,
    manifest_text,
)
from captioner.presets import exported_form
from captioner.text_files import read_bytes

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "browser_page")
RUNTIME = os.path.join("runtime", "litert.tar.xz")  # packed, to keep the package small
FILES = "files.json"
METHODS = ("greedy", "beam")  # the searches that the page has


def export_site(model, folder, storage=None, name=None):
    """Writes a web page that captions photos in the browser, as static files for any web server.

    Args:
        model: str, the name of a shipped model or a folder exported for LiteRT; or Captioner, which
            is exported for LiteRT first.
        folder: str. Where to. An older page that was exported here is replaced once the new one is
            complete; any other folder that is not empty is refused.
        storage: str or None. Of a Captioner: how weights are stored, see
            `captioner.exporting.formats.export`. Defaults to `None`, float16.
        name: str or None. What the page calls the model. Defaults to `None`: the name of the
            shipped model or of the folder, and "model" for a Captioner.

    Raises:
        CaptionerError: The folder holds something else or cannot be written; there is no such
            model; or this Python has no lzma.

    Example:
    >>> export_site("everyday", "site")  # then: python -m http.server --directory site 8000
    """
    folder = os.path.abspath(os.fspath(folder))
    if os.path.exists(folder) and not is_site(folder):
        is_empty = os.path.isdir(folder) and not os.listdir(folder)
        require(is_empty, f"{folder}: exists and is not an exported page; give another folder")
    if isinstance(model, (str, os.PathLike)):
        require(
            storage is None,
            f"storage {storage!r}: {model} is exported already; leave it out, or give the .keras "
            "file",
        )
        _write(_exported(os.fspath(model)), folder, name)
        return
    from captioner.exporting.formats import export  # needs TensorFlow

    with tempfile.TemporaryDirectory() as work:
        exported = os.path.join(work, "model")
        export(model, exported, storage)
        _write(exported, folder, name)


def is_site(folder):
    """Whether the path is a folder that `export_site` has written.

    Example:
    >>> is_site("data/samples")
    False
    """
    needed = (FILES, os.path.join("engine", "worker.js"), os.path.join("model", MANIFEST))
    return all(os.path.isfile(os.path.join(folder, each)) for each in needed)


def _exported(name):
    folder = exported_form(name) or name
    require(
        is_exported(folder),
        f"{name}: neither a shipped model nor an exported one; open a .keras file by "
        "captioner.load(..., runtime='keras')",
    )
    LiteCaptioner(folder)  # an error here says which file is damaged or missing
    return folder


def _write(exported, folder, name):
    manifest = manifest_of(exported)
    runtime = _unpacked(os.path.join(PAGE, RUNTIME))
    try:
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        with replacing_folder(folder) as unfinished:
            write_page(unfinished)
            for file, content in runtime.items():
                _write_bytes(os.path.join(unfinished, "runtime", file), content)
            _write_model(exported, manifest, os.path.join(unfinished, "model"), name)
            listed = json.dumps(list_files(unfinished), indent=1) + "\n"
            _write_bytes(os.path.join(unfinished, FILES), listed.encode())
    except OSError as error:
        raise CaptionerError(cannot_be("written", folder, error)) from error


def write_page(folder):
    """Writes the page and its engine into a folder, without the model and what runs it.

    The style sheet and some modules are those of the page of `captioner.web`.

    Args:
        folder: str or Path.
    """
    shutil.copytree(PAGE, folder, dirs_exist_ok=True)
    os.remove(os.path.join(folder, RUNTIME))
    with importlib.resources.as_file(importlib.resources.files("captioner.web")) as server:
        shutil.copytree(server / "parts", os.path.join(folder, "parts"), dirs_exist_ok=True)
        shutil.copy(server / "page.css", folder)


def _unpacked(path):
    """The files of an archive: a dict from names to bytes."""
    try:
        import lzma
    except ImportError as error:  # a Python that was built without it
        raise CaptionerError(
            "exporting a web page needs Python's lzma module, which this Python was built without "
            "(liblzma was missing); use another Python, such as python.org's or the system's"
        ) from error
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(read_bytes(path)))) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive}


def _write_bytes(path, content):
    with open(path, "wb") as file:
        file.write(content)


def _write_model(exported, manifest, folder, name):
    os.mkdir(folder)
    for network in NETWORKS:
        file = f"{network}.tflite"
        shutil.copyfile(os.path.join(exported, file), os.path.join(folder, file))
    name = name or os.path.basename(os.path.normpath(exported)).removesuffix(".litert")
    # What is known about its training may be private, and no page needs it.
    shown = manifest | {"name": name, "about": {}, "settings": settings_of(manifest)}
    _write_bytes(os.path.join(folder, MANIFEST), manifest_text(shown).encode())


def settings_of(manifest):
    """The search settings of the page, with what the model stores as defaults.

    Args:
        manifest: dict. Of a model exported for LiteRT.

    Returns:
        list of dicts: name, JSON schema (type, default, minimum ...), methods, help and label.

    Example:
    >>> manifest = manifest_of("captioner/presets/everyday.litert")
    >>> [each["name"] for each in settings_of(manifest)][:4]
    ['method', 'beam_size', 'length_penalty', 'n_best']
    """
    stored = dict(manifest["generation"])
    if stored.get("method") not in METHODS:
        stored["method"] = DEFAULT.method
    fields = []
    for name, setting in SETTINGS.items():
        methods = [each for each in METHODS if each in setting.methods]
        # Models older than this rule do not know which words may be repeated.
        is_known = name != "no_repeat_word" or manifest["vocabulary"].get("repeatable") is not None
        if not is_known or not (methods or name == "method"):
            continue
        schema = setting.schema(stored.get(name, setting.default))
        if name == "method":
            schema["enum"] = list(METHODS)
        fields.append(
            {"name": name, **schema, "methods": methods, "help": setting.help}
            | {"label": setting.label}
        )
    return fields


def list_files(folder):
    """What `files.json` says: all files below a folder, and one version for their whole content.

    Args:
        folder: str. One without `files.json`.

    Returns:
        dict: "version", str; and "files", list of dicts with "path", "bytes" and "sha256".

    Example:
    >>> list_files("data/samples")["files"][0]["path"]
    'astronaut.jpg'
    """
    paths = sorted(
        os.path.relpath(os.path.join(place, name), folder).replace(os.sep, "/")
        for place, _, names in os.walk(folder)
        for name in names
    )
    files = []
    for path in paths:
        content = read_bytes(os.path.join(folder, path))
        checksum = hashlib.sha256(content).hexdigest()
        files.append({"path": path, "bytes": len(content), "sha256": checksum})
    version = hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]
    return {"version": version, "files": files}
