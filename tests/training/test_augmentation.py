"""Random changes to training pictures."""

import numpy as np
import pytest
from PIL import Image

from captioner import images
from captioner.training.augmentation import COLOUR_CHANGE, View, augment, may_mirror


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
    changed = [augment(half_white(), True, rng, 0.6) for _ in range(200)]
    assert all(each.shape == (40, 40, 3) and each.dtype == np.uint8 for each in changed)
    mirrored = sum(each[:, 0].mean() > each[:, -1].mean() for each in changed)
    assert 70 <= mirrored <= 130
    assert not any(
        each[:, 0].mean() > each[:, -1].mean()
        for each in (augment(half_white(), False, rng, 0.6) for _ in range(50))
    )


@pytest.mark.parametrize(("smallest_crop", "cut"), [(1.0, 0), (0.8, 8), (0.6, 16)])
def test_a_crop_keeps_most_of_the_picture(smallest_crop, cut):
    """Of 40 columns at most `cut` are cut away; what is left is as wide as before."""
    rng = np.random.default_rng(0)
    edges = []
    for _ in range(100):
        white = augment(half_white(), False, rng, smallest_crop).mean(axis=(0, 2)) > 100
        edges.append(40 - np.count_nonzero(white))  # where black ends and white begins
    # Where most is cut away on the left, the middle, 20, is at 20 - cut of 40 - cut.
    first = 40 * (20 - cut) / (40 - cut)
    assert first - 1 <= min(edges) <= first + cut / 4
    assert 40 - first - cut / 4 <= max(edges) <= 40 - first + 1


def test_colours_change_a_little_and_hues_do_not():
    rng = np.random.default_rng(0)
    gray = np.full((8, 8, 3), 100, "uint8")
    levels = set()
    for _ in range(50):
        changed = augment(gray, False, rng, 0.6)
        assert (changed == changed[:1, :1, :1]).all()  # gray stays gray
        levels.add(int(changed[0, 0, 0]))
    assert len(levels) > 10
    assert 100 * (1 - COLOUR_CHANGE) - 1 <= min(levels) < 90
    assert 110 < max(levels) <= 100 * (1 + COLOUR_CHANGE) + 1


def test_a_view_shows_a_picture_the_same_way_every_time():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (16, 16, 3), "uint8")
    settings = {"number": 1, "mirrored": [True, True], "seed": 0, "smallest_crop": 0.6}
    view = View(**settings)
    np.testing.assert_array_equal(view(0, pixels), View(**settings)(0, pixels))
    assert (view(1, pixels) != view(0, pixels)).any()
    changes = {"number": 2, "mirrored": [True, False], "seed": 1, "smallest_crop": 0.7}
    others = [View(**{**settings, name: value}) for name, value in changes.items()]
    for other in others[:1] + others[2:]:
        assert (other(0, pixels) != view(0, pixels)).any()
    assert len({view.name(), *(other.name() for other in others)}) == 5


def test_threads_change_each_picture_the_same_way(tmp_path, monkeypatch):
    """Whatever their number, and in the order of the files."""
    pixels = np.random.default_rng(0).integers(0, 256, (30, 24, 24, 3), "uint8")
    for number, each in enumerate(pixels):
        Image.fromarray(each).save(tmp_path / f"{number}.png")
    paths = [str(tmp_path / f"{number}.png") for number in range(30)]
    view, results = View(1, [True] * 30, seed=0, smallest_crop=0.6), []
    for threads in (1, 16):
        monkeypatch.setattr(images, "THREADS", threads)
        found = images.read_images(paths, (24, 24), change=view)
        results.append([result for _, _, result in found])
    wanted = [view(number, each) for number, each in enumerate(pixels)]
    np.testing.assert_array_equal(results, [wanted, wanted])
