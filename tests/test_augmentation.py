"""Random changes to training pictures."""

import numpy as np
import pytest
from PIL import Image

from captioner import images
from captioner.augmentation import COLOUR_CHANGE, View, augment, may_mirror


@pytest.mark.parametrize(
    ("captions", "allowed"),
    [
        (["a dog runs", "two dogs"], True),
        (["a dog runs", "A dog on the LEFT."], False),
        (["the rightmost man waves"], False),
        (["leftovers on a bright table"], True),
    ],
)
def test_a_picture_is_mirrored_only_where_no_caption_says_a_side(captions, allowed):
    assert may_mirror(captions) is allowed


def half_white(size=40):
    """Black on the left, white on the right."""
    pixels = np.zeros((size, size, 3), "uint8")
    pixels[:, size // 2 :] = 255
    return pixels


def test_about_half_of_the_pictures_are_mirrored():
    rng = np.random.default_rng(0)
    changed = [augment(half_white(), True, rng) for _ in range(200)]
    assert all(each.shape == (40, 40, 3) and each.dtype == np.uint8 for each in changed)
    mirrored = sum(each[:, 0].mean() > each[:, -1].mean() for each in changed)
    assert 70 <= mirrored <= 130
    assert not any(
        each[:, 0].mean() > each[:, -1].mean()
        for each in (augment(half_white(), False, rng) for _ in range(50))
    )


def test_a_crop_keeps_most_of_the_picture():
    rng = np.random.default_rng(0)
    edges = []
    for _ in range(100):
        white = augment(half_white(), False, rng).mean(axis=(0, 2)) > 100
        edges.append(40 - np.count_nonzero(white))  # where black ends and white begins
    # At most a fifth of the width is cut away: the middle, 20, lies in 12 of 32 to 20 of 32.
    assert 14 <= min(edges) < 18
    assert 22 < max(edges) <= 26


def test_colours_change_a_little_and_hues_do_not():
    rng = np.random.default_rng(0)
    gray = np.full((8, 8, 3), 100, "uint8")
    levels = set()
    for _ in range(50):
        changed = augment(gray, False, rng)
        assert (changed == changed[:1, :1, :1]).all()  # gray stays gray
        levels.add(int(changed[0, 0, 0]))
    assert len(levels) > 10
    assert 100 * (1 - COLOUR_CHANGE) - 1 <= min(levels) < 90
    assert 110 < max(levels) <= 100 * (1 + COLOUR_CHANGE) + 1


def test_a_view_shows_a_picture_the_same_way_every_time():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (16, 16, 3), "uint8")
    view = View(1, [True, True], seed=0)
    np.testing.assert_array_equal(view(0, pixels), View(1, [True, True], seed=0)(0, pixels))
    for other in (view(1, pixels), View(2, [True, True], 0)(0, pixels)):
        assert (other != view(0, pixels)).any()
    names = [view.name(), View(2, [True, True], 0).name(), View(1, [True, False], 0).name(),
             View(1, [True, True], 1).name()]  # fmt: skip
    assert len(set(names)) == 4


def test_threads_change_each_picture_the_same_way(tmp_path, monkeypatch):
    """Whatever their number, and in the order of the files."""
    pixels = np.random.default_rng(0).integers(0, 256, (30, 24, 24, 3), "uint8")
    for number, each in enumerate(pixels):
        Image.fromarray(each).save(tmp_path / f"{number}.png")
    paths = [str(tmp_path / f"{number}.png") for number in range(30)]
    view, results = View(1, [True] * 30, seed=0), []
    for threads in (1, 16):
        monkeypatch.setattr(images, "THREADS", threads)
        found = images.read_images(paths, (24, 24), change=view)
        results.append([result for _, _, result in found])
    wanted = [view(number, each) for number, each in enumerate(pixels)]
    np.testing.assert_array_equal(results, [wanted, wanted])
