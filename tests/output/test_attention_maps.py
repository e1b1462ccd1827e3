"""Where each word looked, as pictures: one each, and no name is used twice."""

import os

import numpy as np
import pytest
from PIL import Image

from captioner.errors import CaptionerError
from captioner.generation import Caption
from captioner.output.attention_maps import AttentionMaps

CAPTION = Caption("a dog", -0.5, ("a", "dog"), (-0.2, -0.3, -0.4), np.full((2, 3, 3), 1 / 9))


def test_pictures_of_one_name_get_maps_of_different_names(photos, tmp_path):
    (photos / "below").mkdir()
    Image.new("RGB", (9, 9)).save(photos / "below" / "a.jpg")
    folder = tmp_path / "new" / "maps"
    maps = AttentionMaps(str(folder))
    for picture in (photos / "a.png", photos / "below" / "a.jpg", photos / "b.jpg"):
        maps.write(str(picture), CAPTION)
    assert sorted(os.listdir(folder)) == ["a-2.png", "a.png", "b.png"]
    for name in os.listdir(folder):
        with Image.open(folder / name) as image:
            assert image.width > image.height  # the picture, and one panel per word


def test_a_caption_without_attention_is_refused(photos, tmp_path):
    with pytest.raises(CaptionerError, match="does not report where it looks; train one with"):
        AttentionMaps(str(tmp_path)).write(str(photos / "a.png"), CAPTION._replace(attention=None))


def test_what_cannot_be_written_is_one_line(photos, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CaptionerError, match="file: cannot be made"):
        AttentionMaps(str(tmp_path / "file"))
    maps = AttentionMaps(str(tmp_path / "maps"))
    (tmp_path / "maps" / "a.png").mkdir()
    with pytest.raises(CaptionerError, match=r"a\.png: cannot be written \(Is a directory\)"):
        maps.write(str(photos / "a.png"), CAPTION)
