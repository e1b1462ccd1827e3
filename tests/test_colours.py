"""Colours: the same picture in any colour space is seen alike, and sRGB stays as it is."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from captioner import colours
from captioner.colours import prepared
from captioner.finding import find_images
from captioner.images import read_image
from tests import colour_profiles as icc
from tests.colour_profiles import DISPLAY_P3, SRGB, as_srgb, cmyk_profile, grey_profile
from tests.hostile import encoded, mutated_bytes, photo

SAMPLES, _ = find_images(["data/samples"])
SIZE = (24, 24)
# Within them, and not at the edge of sRGB, which cuts off what is beyond.
WIDE = Image.fromarray((64 + np.asarray(photo((96, 64))) // 3).astype(np.uint8))
SPACES = {
    "P3": (DISPLAY_P3, icc.P3_COLOURS, 2.2),
    "Adobe RGB": (icc.ADOBE_RGB, icc.ADOBE_COLOURS, 2.2),
    "linear": (icc.rgb_profile(icc.SRGB_COLOURS, 1.0), icc.SRGB_COLOURS, 1.0),
    "ProPhoto": (icc.PROPHOTO, icc.PROPHOTO_COLOURS, 1.8),
}
BUILT_IN = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("space", SPACES)
def test_wide_colour_spaces(space, format):
    profile, primaries, gamma = SPACES[space]
    exact = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100}}.get(format, {})
    content = encoded(WIDE, format, icc_profile=profile, **exact)
    plain = read_image(encoded(WIDE, format, **exact), SIZE)
    wanted = as_srgb(plain, primaries, gamma)
    seen = read_image(content, SIZE).astype(float)
    assert np.abs(plain - wanted).mean() > 3  # else nothing would be tested
    assert np.abs(seen - wanted).mean() < 1
    assert np.abs(seen - wanted).max() <= 4  # cut off where sRGB has no such colour


@pytest.mark.parametrize("curve", [1.0, 1.8, 2.2, "dot gain"])
def test_grey_profiles(curve):
    steps = np.linspace(0, 1, 256)
    if curve == "dot gain":  # of 20 percent: where half the paper is inked, 0.7 of it is dark
        curve = light = 1 - (1 - steps) - 0.8 * steps * (1 - steps)
    else:
        light = steps**curve
    values = np.tile(np.arange(256, dtype=np.uint8), (8, 1))
    wanted = 255 * icc.srgb_values(light)
    for image in (
        Image.fromarray(values),
        Image.merge("LA", [Image.fromarray(values), Image.new("L", (256, 8), 255)]),
        Image.fromarray(values.astype(np.uint16) * 257),
    ):
        content = encoded(image, "PNG", icc_profile=grey_profile(curve))
        seen = read_image(content, (8, 256))
        assert (np.ptp(seen.astype(int), axis=2) <= 1).all()
        assert np.abs(seen[0, :, 0] - wanted).max() <= 2


def test_grey_without_a_profile_and_with_that_of_srgb():
    grey = WIDE.convert("L")
    plain = read_image(encoded(grey, "PNG"), SIZE)
    np.testing.assert_array_equal(read_image(encoded(grey, "PNG", icc_profile=SRGB), SIZE), plain)
    seen = read_image(encoded(grey, "PNG", icc_profile=icc.ADOBE_RGB), SIZE)
    assert 0 < np.abs(seen.astype(int) - plain).max() <= 12  # only the curves differ


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_printing_inks(format):
    """The profile's black ink is half as dark as Pillow's: L is 87.5 where it would be 0."""
    image = Image.new("CMYK", (64, 64), (0, 0, 0, 255))
    without = read_image(encoded(image, format), SIZE)
    seen = read_image(encoded(image, format, icc_profile=cmyk_profile()), SIZE)
    paper = encoded(Image.new("CMYK", (64, 64)), format, icc_profile=cmyk_profile())
    light = ((87.5 + 16) / 116) ** 3  # CIE's definition of L
    assert without.max() <= 2
    assert np.abs(seen.astype(float) - 255 * icc.srgb_values(light)).max() <= 3
    assert read_image(paper, SIZE).min() >= 253


def test_a_profile_of_other_pixels_is_ignored():
    inks = Image.new("CMYK", (20, 20), (0, 200, 100, 30))
    pairs = [(WIDE, cmyk_profile()), (WIDE, grey_profile(1.0)), (inks, DISPLAY_P3)]
    pairs += [(inks, grey_profile(1.8)), (WIDE.convert("L"), cmyk_profile())]
    for image, profile in pairs:
        plain = read_image(image, SIZE)
        changed = image.copy()
        changed.info["icc_profile"] = profile
        np.testing.assert_array_equal(read_image(changed, SIZE), plain)


@pytest.mark.parametrize(
    "profile",
    [b"", b"x", bytes(128), DISPLAY_P3[:100], DISPLAY_P3[:300], DISPLAY_P3.replace(b"XYZ", b"ZYX"),
     b"\xff" * 5000, DISPLAY_P3.replace(b"acsp", b"none")],
)  # fmt: skip
def test_a_broken_profile_is_ignored_without_a_word(profile, recwarn, capfd):
    plain = read_image(encoded(WIDE, "TIFF"), SIZE)
    changed = WIDE.copy()
    changed.info["icc_profile"] = profile
    np.testing.assert_array_equal(read_image(changed, SIZE), plain)
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("profile", "mode"), [(DISPLAY_P3, "RGB"), (grey_profile(1.8), "L"), (cmyk_profile(), "CMYK")]
)
def test_damaged_profiles_give_a_picture(profile, mode):
    rng, image = np.random.default_rng(0), WIDE.convert(mode)
    for _ in range(150):
        image.info["icc_profile"] = mutated_bytes(profile, rng)
        assert read_image(image, SIZE).shape == (*SIZE, 3)


def test_a_profile_too_large_is_ignored(monkeypatch):
    monkeypatch.setattr(colours, "LARGEST_PROFILE", len(DISPLAY_P3) - 1)
    content = encoded(WIDE, "PNG", icc_profile=DISPLAY_P3)
    np.testing.assert_array_equal(read_image(content, SIZE), read_image(WIDE, SIZE))


@pytest.mark.parametrize("profile", [None, SRGB, BUILT_IN], ids=["none", "made", "built in"])
@pytest.mark.parametrize("path", SAMPLES)
def test_srgb_stays_bit_for_bit(path, profile):
    image = Image.open(path)
    assert "icc_profile" not in image.info
    wanted = np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC))
    content = encoded(image, "PNG", **({"icc_profile": profile} if profile else {}))
    np.testing.assert_array_equal(read_image(content, (224, 224)), wanted)


def test_srgb_takes_the_fast_way():
    image = WIDE.copy()
    image.info["icc_profile"] = SRGB
    assert prepared(image) == (image, None)
    before = colours._transform.cache_info().misses
    for _ in range(5):
        prepared(image)
    assert colours._transform.cache_info().misses == before


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_a_small_picture_is_converted_as_the_large_one_would_be(mode):
    image = Image.open("data/samples/coffee.jpg").resize((1600, 1200)).convert(mode)
    profile = DISPLAY_P3 if mode == "RGB" else cmyk_profile()
    content = encoded(image, "JPEG", quality=95, icc_profile=profile)
    own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.createProfile("sRGB")
    large = ImageCms.profileToProfile(Image.open(io.BytesIO(content)), own, srgb, outputMode="RGB")
    wanted = np.asarray(large.resize((224, 224), Image.Resampling.BICUBIC)).astype(int)
    difference = np.abs(read_image(content, (224, 224)) - wanted)
    assert difference.mean() < 1


def test_transparent_pictures_keep_white_behind_them():
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert (read_image(encoded(image, "PNG", icc_profile=DISPLAY_P3), SIZE) >= 254).all()
    image = Image.new("RGBA", (20, 20), (200, 100, 60, 255))
    seen = read_image(encoded(image, "PNG", icc_profile=DISPLAY_P3), SIZE)
    assert np.abs(seen[0, 0] - as_srgb((200, 100, 60), icc.P3_COLOURS, 2.2)).max() <= 2


def test_palettes():
    image = Image.new("P", (20, 20), 1)
    image.putpalette([0, 0, 0, 200, 100, 60])
    seen = read_image(encoded(image, "PNG", icc_profile=DISPLAY_P3), SIZE)
    assert np.abs(seen[0, 0] - as_srgb((200, 100, 60), icc.P3_COLOURS, 2.2)).max() <= 2


@pytest.mark.parametrize("profile", [None, DISPLAY_P3, cmyk_profile()], ids=["none", "P3", "CMYK"])
def test_lab_needs_no_profile(profile):
    """A lightness of 50 is the grey 119 of sRGB, by CIE's definition."""
    image = Image.new("LAB", (20, 20), (round(255 * 0.5), 128, 128))
    settings = {"icc_profile": profile} if profile else {}
    seen = read_image(encoded(image, "TIFF", **settings), SIZE)
    assert np.abs(seen.astype(int) - 119).max() <= 1


def test_sixteen_bits():
    values = np.tile(np.arange(0, 65536, 257, dtype=np.uint16), (8, 1))
    for format in ("PNG", "TIFF"):
        content = encoded(Image.fromarray(values), format, icc_profile=grey_profile(1.8))
        wanted = 255 * icc.srgb_values(np.linspace(0, 1, 256) ** 1.8)
        assert np.abs(read_image(content, (8, 256))[0, :, 1] - wanted).max() <= 2


def test_a_picture_turned_upright_keeps_its_profile():
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = read_image(encoded(WIDE, "PNG", icc_profile=DISPLAY_P3, exif=exif), SIZE)
    upright = read_image(encoded(WIDE, "PNG", icc_profile=DISPLAY_P3), SIZE)
    assert np.abs(turned.astype(int) - np.rot90(upright, -1)).max() <= 2  # rounding in between


def test_thumbnails_too():
    seen = read_image(encoded(WIDE, "PNG", icc_profile=icc.PROPHOTO), 48)
    plain = read_image(encoded(WIDE, "PNG"), 48)
    assert seen.shape == plain.shape == (32, 48, 3)
    assert np.abs(seen - as_srgb(plain, icc.PROPHOTO_COLOURS, 1.8)).mean() < 1
