"""HEIC pictures, with pillow-heif and without it."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from captioner import heif
from captioner.colours import prepared
from captioner.images import ImageError, read_image
from tests.hostile import photo

HEAD = bytes(3) + b"\x18ftyp%b" + bytes(4) + b"mif1heic"


@pytest.fixture
def heic():
    """The bytes of a HEIC picture."""
    heif.register()
    buffer = io.BytesIO()
    photo().save(buffer, "HEIF", quality=95)
    return buffer.getvalue()


@pytest.fixture
def without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)


def test_a_heic_looks_as_it_does_as_png(heic):
    pixels = read_image(heic, (16, 16)).astype(int)
    assert np.abs(pixels - read_image(photo(), (16, 16))).mean() < 6


def test_its_colour_profile_is_applied():
    from tests.colour_profiles import DISPLAY_P3

    heif.register()
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 60, 40)).save(
        buffer, "HEIF", quality=100, icc_profile=DISPLAY_P3
    )
    image = Image.open(io.BytesIO(buffer.getvalue()))
    _, to_srgb = prepared(image)
    assert to_srgb is not None
    assert read_image(buffer.getvalue(), (8, 8))[0, 0, 0] > 210  # redder in sRGB's numbers


def test_without_the_package_a_line_says_what_to_install(heic, without_the_package):
    with pytest.raises(ImageError, match=r"pip install 'captioner\[heif\]'") as caught:
        read_image(heic, (16, 16))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"msf1", b"hevc"])
def test_its_first_bytes(brand):
    assert heif.is_heif(HEAD % brand)


@pytest.mark.parametrize("head", [b"", b"\xff\xd8\xff\xe0", HEAD % b"avif", HEAD % b"mp42"])
def test_first_bytes_of_other_files(head):
    assert not heif.is_heif(head)


def test_pictures_of_other_kinds_do_not_load_it():
    program = (
        "import sys; from captioner.images import read_image\n"
        "read_image('data/samples/cat.jpg', (8, 8)); assert 'pillow_heif' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_broken_one_is_one_line(heic):
    for length in range(30, len(heic), 199):
        with pytest.raises(ImageError) as caught:
            read_image(heic[:length], (16, 16))
        assert "\n" not in str(caught.value)
