import io
import os

import numpy as np
import pytest
from PIL import Image

from captioner.images import ImageError, read_image, read_images

SIZE = (8, 8)
RED = (255, 0, 0)


def saved(tmp_path, image, name="picture.png", **settings):
    path = tmp_path / name
    image.save(path, **settings)
    return str(path)


def is_red(pixels):
    return np.abs(pixels.astype(int) - RED).max() < 6


@pytest.mark.parametrize("name", ["p.png", "p.jpg", "p.webp", "p.gif", "p.bmp", "p.tif"])
def test_formats(tmp_path, name):
    pixels = read_image(saved(tmp_path, Image.new("RGB", (30, 20), RED), name), SIZE)
    assert pixels.shape == (8, 8, 3)
    assert pixels.dtype == np.uint8
    assert is_red(pixels)


def test_cmyk(tmp_path):
    image = Image.new("CMYK", (20, 20), (0, 255, 255, 0))
    assert is_red(read_image(saved(tmp_path, image, "p.jpg", quality=100), SIZE))


def test_what_is_transparent_is_white(tmp_path):
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert (read_image(saved(tmp_path, image), SIZE) == 255).all()
    grey = Image.new("LA", (20, 20), (10, 0))
    assert (read_image(saved(tmp_path, grey), SIZE) == 255).all()


def test_palette_with_transparency(tmp_path):
    image = Image.new("P", (20, 20), 1)
    image.putpalette([0, 0, 255, 255, 0, 0])
    assert is_red(read_image(saved(tmp_path, image, transparency=0), SIZE))
    assert (read_image(saved(tmp_path, image, transparency=1), SIZE) == 255).all()


def test_sixteen_bits_are_scaled(tmp_path):
    image = Image.fromarray(np.full((20, 20), 65535 // 2, np.uint16))
    assert image.mode.startswith("I;16")
    pixels = read_image(saved(tmp_path, image), SIZE)
    assert set(np.unique(pixels)) <= {127, 128}


def test_of_an_animation_the_first_frame_counts(tmp_path):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    path = saved(tmp_path, frames[0], "p.gif", save_all=True, append_images=frames[1:])
    assert is_red(read_image(path, SIZE))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_picture_upright(tmp_path, orientation):
    upright = Image.fromarray(
        np.arange(3 * 24 * 16, dtype=np.uint32).reshape(24, 16, 3).astype(np.uint8)
    )
    # What a camera held the other way stores: the inverse of what EXIF says is to be done.
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }.get(orientation)
    stored = upright if inverse is None else upright.transpose(inverse)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, stored, exif=exif)
    np.testing.assert_array_equal(read_image(path, (24, 16)), np.asarray(upright))


def test_a_large_jpeg_looks_as_if_decoded_whole(tmp_path):
    y, x = np.mgrid[:800, :1200]
    image = Image.fromarray(np.stack([x / 5, y / 4, (x + y) / 10], -1).astype(np.uint8))
    path = saved(tmp_path, image, "p.jpg", quality=95)
    pixels = read_image(path, (32, 32)).astype(int)
    whole = Image.open(path).resize((32, 32), Image.Resampling.BICUBIC)
    assert np.abs(pixels - np.asarray(whole)).max() <= 4


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "file is empty"), (b"no picture at all", "not a picture")],
)
def test_what_is_not_a_picture(tmp_path, content, reason):
    path = tmp_path / "p.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=f"p.jpg: .*{reason}") as caught:
        read_image(path, SIZE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_truncated_anywhere_is_one_line(tmp_path, format):
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(buffer, format)
    content = buffer.getvalue()
    path = tmp_path / "cut"
    for length in range(1, len(content) - 200, 97):
        path.write_bytes(content[:length])
        with pytest.raises(ImageError) as caught:
            read_image(path, SIZE)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)


def test_a_decompression_bomb_is_refused(tmp_path):
    path = saved(tmp_path, Image.new("1", (20000, 20000)))
    assert os.path.getsize(path) < 200_000
    with pytest.raises(ImageError, match="megapixels"):
        read_image(path, SIZE)


def test_paths_that_are_not_files(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, reason in [("folder.jpg", "folder"), ("pipe.jpg", "regular"), ("x.jpg", "No such")]:
        with pytest.raises(ImageError, match=reason):
            read_image(tmp_path / name, SIZE)


def test_arrays():
    red = np.zeros((20, 30, 3), np.uint8) + np.array(RED, np.uint8)
    for array in (red, red.astype("float32"), red / 255.0, red.astype("uint16") * 257):
        assert is_red(read_image(array, SIZE)), array.dtype
    assert (read_image(np.zeros((5, 5, 4), np.uint8), SIZE) == 255).all()
    assert read_image(np.ones((5, 5, 1), np.uint8), SIZE).shape == (8, 8, 3)


@pytest.mark.parametrize(
    "array",
    [np.zeros((3, 5, 7)), np.zeros((0, 5, 3)), np.full((5, 5), np.nan), np.full((5, 5, 3), -1.0)],
)
def test_arrays_that_are_not_pictures(array):
    with pytest.raises(ImageError, match="array of shape"):
        read_image(array, SIZE)


def test_many_in_order_and_past_a_broken_one(photos):
    (photos / "bb.jpg").write_bytes(b"broken")
    paths = sorted(map(str, photos.iterdir())) * 40
    results = list(read_images(iter(paths), SIZE))
    assert [path for _, path, _ in results] == paths
    assert [index for index, _, _ in results] == list(range(160))
    assert [isinstance(r, ImageError) for _, _, r in results] == [False, False, True, False] * 40
