"""Pictures of unknown sources: a right caption, or one line with name and reason; never more."""

import csv
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from captioner import images
from captioner.cli import main
from captioner.images import ImageError, read_image, read_images
from captioner.presets import DEFAULT_PRESET
from tests.hostile import bad_pictures, encoded, good_pictures, in_iptc, many_scans, photo

SIZE = (32, 32)
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM", "TGA", "QOI",
           "PCX", "SGI", "ICO", "DDS")  # fmt: skip


def require_one_line(error, path):
    message = str(error)
    assert message.startswith(f"{images.describe(path)}: ")
    assert message.isprintable()
    assert len(message) < len(os.fsencode(path)) * 4 + 300


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_shows_the_picture(tmp_path, format):
    path = tmp_path / "picture"
    path.write_bytes(encoded(photo(), format))
    wanted = np.asarray(photo().resize(SIZE, Image.Resampling.BICUBIC)).astype(int)
    found = read_image(path, SIZE).astype(int)
    lossy = {"JPEG": 40, "WEBP": 60, "AVIF": 40, "GIF": 60, "ICO": 60}.get(format, 0)
    assert np.abs(found - wanted).mean() <= lossy / 4


def test_unusual_but_whole(tmp_path):
    for path in good_pictures(tmp_path):
        assert read_image(path, SIZE).shape == (*SIZE, 3), path


def test_wrong_in_every_way(tmp_path):
    for path, reason in bad_pictures(tmp_path).items():
        with pytest.raises(ImageError, match=reason) as caught:
            read_image(path, SIZE)
        require_one_line(caught.value, path)


def test_no_permission(tmp_path):
    path = tmp_path / "secret.png"
    photo().save(path)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(ImageError, match="Permission denied"):
        read_image(path, SIZE)


def test_postscript_runs_no_program(tmp_path, monkeypatch):
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # it looks for the program anew
    path = tmp_path / "p.jpg"
    for content in (encoded(photo(), "EPS"), in_iptc(encoded(photo(), "EPS"))):
        path.write_bytes(content)
        with Image.open(path) as image:  # so Pillow itself would run it
            assert image.format in ("EPS", "IPTC")
        with pytest.raises(ImageError):
            read_image(path, SIZE)
        assert not (tmp_path / "ran").exists()


BASES = [encoded(photo((24, 16)), format) for format in FORMATS]


@settings(
    max_examples=600, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    base=st.sampled_from(BASES),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=12),
    end=st.floats(0, 1) | st.just(1.0),
    insert=st.binary(max_size=40),
    place=st.floats(0, 1),
)
def test_any_change_of_a_file(tmp_path, base, changes, end, insert, place):
    content = bytearray(base[: int(end * len(base))])
    for position, value in changes:
        if content:
            content[int(position * (len(content) - 1))] = value
    at = int(place * len(content))
    content[at:at] = insert
    path = tmp_path / "changed"
    path.write_bytes(content)
    try:
        assert read_image(path, SIZE).shape == (*SIZE, 3)
    except ImageError as error:
        require_one_line(error, path)


@pytest.mark.parametrize("format", FORMATS)
def test_bits_flipped(tmp_path, format):
    content, rng = encoded(photo(), format), np.random.default_rng(0)
    path = tmp_path / "flipped"
    for _ in range(60):
        changed = bytearray(content)
        for place in rng.integers(len(content), size=3):
            changed[place] ^= 1 << rng.integers(8)
        path.write_bytes(changed)
        try:
            assert read_image(path, SIZE).dtype == np.uint8
        except ImageError as error:
            require_one_line(error, path)


def test_a_picture_that_takes_too_long(tmp_path, monkeypatch):
    path = tmp_path / "scans.jpg"
    path.write_bytes(many_scans(4_000))
    assert path.stat().st_size < 10_000_000
    monkeypatch.setattr(images, "MOST_SECONDS", 0.3)
    with pytest.raises(ImageError, match=r"scans.jpg: takes more than 0.3 seconds"):
        read_image(path, SIZE)


def test_a_file_that_would_be_read_at_once(tmp_path, monkeypatch):
    path = tmp_path / "p.webp"
    photo().save(path)
    monkeypatch.setattr(images, "MOST_AT_ONCE", 100)
    with pytest.raises(ImageError, match="would have to be read at once"):
        read_image(path, SIZE)


@pytest.mark.long
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="Linux tells the peak there")
def test_the_memory_that_large_pictures_take(tmp_path):
    """Four of 64 megapixels, 256 MB each when decoded, which four threads ask for."""
    path = tmp_path / "large.png"
    Image.new("RGBA", (8000, 8000), (255, 0, 0, 128)).save(path, compress_level=1)
    program = (
        "import sys; from captioner.images import read_images\n"
        "results = list(read_images([sys.argv[1]] * 4, (224, 224)))\n"
        "assert all(pixels.shape == (224, 224, 3) for _, _, pixels in results)\n"
        "status = dict(line.split(':') for line in open('/proc/self/status'))\n"
        "print(status['VmHWM'].split()[0])"  # kB, the most that it had
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 700_000


def test_a_hundred_thousand_pictures_are_not_kept(monkeypatch):
    """However many come, only a few are in memory at a time."""
    alive = most = 0

    def read(source, size):
        nonlocal alive, most
        alive += 1
        most = max(most, alive)
        return np.zeros((1, 1, 3), np.uint8)

    monkeypatch.setattr(images, "read_image", read)
    for _, _, _ in read_images(range(2000), SIZE):
        alive -= 1
    assert most <= images.READ_AHEAD + images.THREADS


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    return good_pictures(folder), bad_pictures(folder)


@pytest.mark.long
@pytest.mark.parametrize("format", ["text", "jsonl", "json", "csv", "coco"])
def test_a_folder_of_all_of_them(corpus, tiny_captioner, tmp_path, capsys, format):
    good, bad = corpus
    tiny_captioner.save(tmp_path / "m.keras")
    output = tmp_path / "captions"
    options = ["--model", str(tmp_path / "m.keras"), "--format", format, "--output", str(output)]
    assert main(["caption", *good, *bad, *options]) == 1
    lines = capsys.readouterr().err.splitlines()
    bad_files = [path for path in bad if not os.path.isdir(path)]
    assert len(lines) == len(bad)
    for path in bad_files:
        assert sum(images.describe(path) in line for line in lines) == 1
    found = pictures_in(output, format)
    if format == "coco":
        assert len(found) == len(good)
    elif format == "text":
        escaped = {path.replace("\t", "\\t").replace("\n", "\\n") for path in good}
        assert set(found) == escaped
    else:
        assert found == good


def pictures_in(output, format):
    """The paths in an output file."""
    text = output.read_bytes().decode("utf-8", "surrogateescape")
    if format == "text":
        return [line.split("\t")[0] for line in text.split("\n")[:-1]]
    if format == "csv":
        return [row[0] for row in csv.reader(io.StringIO(text, newline=""))][1:]
    if format == "jsonl":
        return [json.loads(line)["image"] for line in text.split("\n")[:-1]]
    return [entry.get("image", entry.get("image_id")) for entry in json.loads(text)]


@pytest.mark.long
def test_the_same_picture_in_every_form_gets_the_same_caption(tmp_path):
    from captioner import Captioner

    model = Captioner.from_preset(DEFAULT_PRESET)
    for name in ("photographer", "coffee"):
        source = Image.open(f"data/samples/{name}.jpg").convert("RGB")
        turned = source.transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6
        opaque = source.copy()
        opaque.putalpha(255)
        clear = Image.new("RGBA", source.size, (0, 0, 0, 0))
        clear.paste(opaque)
        forms = {
            "p.png": (source, {}), "p95.jpg": (source, {"quality": 95}),
            "p.webp": (source, {"quality": 95}), "lossless.webp": (source, {"lossless": True}),
            "p.tif": (source, {}), "turned.jpg": (turned, {"exif": exif, "quality": 95}),
            "turned.png": (turned, {"exif": exif}), "alpha.png": (clear, {}), "p.bmp": (source, {}),
        }  # fmt: skip
        paths = [f"data/samples/{name}.jpg"]
        for form, (image, options) in forms.items():
            paths.append(str(tmp_path / form))
            image.save(paths[-1], **options)
        captions = model.generate(paths)
        assert dict(zip(paths, captions, strict=True)) == dict.fromkeys(paths, captions[0])
