"""Calibrating a captioner: learned from its captions, stored in either form."""

import pytest

from captioner import CaptionerError, load
from captioner.confidence import Confidence
from captioner.datasets import CaptionDataset
from captioner.exporting.formats import export
from captioner.generation import Caption
from captioner.images import ImageError
from captioner.metrics.calibration import TooFewPicturesError
from captioner.output.calibration import calibrate_model, require_storable, store_confidence

CONFIDENCE = Confidence(bias=-2.0, probability=5.0, length=-0.1)


class Teller:
    """A captioner that is right about pictures with an even number, and sure of these."""

    def generate_all(self, images, batch_size, **search):
        assert not search  # the stored one
        for n, image in enumerate(images):
            if image == "broken.jpg":
                yield n, image, ImageError("broken.jpg: broken")
            sure = n % 2 == 0
            text = f"a thing number {n} in a row" if sure else "nothing"
            yield n, image, [Caption(text, 0.0, (), (-0.1,) * 5 if sure else (-2.0,) * 5)]


def dataset(count):
    names = [f"{n}.jpg" for n in range(count)]
    return CaptionDataset(names, names, [[f"a thing number {n} in a row"] for n in range(count)])


def test_it_learns_when_the_captioner_is_right():
    seen = []

    def watch(captions):
        for each in captions:
            seen.append(each)
            yield each

    found = calibrate_model(Teller(), [dataset(60), dataset(40)], watch=watch)
    assert len(seen) == len(found.is_right) == 100
    assert found.confidence.of((-0.1,) * 5) > 0.9
    assert found.confidence.of((-2.0,) * 5) < 0.1
    assert found.auc() == 1


def test_pictures_that_cannot_be_used():
    with pytest.raises(TooFewPicturesError, match="10 of 20 captions are right"):
        calibrate_model(Teller(), [dataset(20)])
    broken = CaptionDataset(["a"], ["broken.jpg"], [["a dog"]])
    with pytest.raises(ImageError, match="broken"):
        calibrate_model(Teller(), [broken])


def test_it_is_stored_in_either_form(model, tiny_captioner, tmp_path):
    exported = str(tmp_path / "exported")
    export(tiny_captioner, exported)
    for path in (model, exported):
        store_confidence(path, CONFIDENCE, path)
        assert load(path).confidence == CONFIDENCE
    export(load(model), str(tmp_path / "again"))
    assert load(tmp_path / "again").confidence == CONFIDENCE


@pytest.mark.parametrize(
    ("source", "out", "message"),
    [
        ("m.keras", "new.h5", "a model's file name ends in .keras"),
        ("m.keras", "folder.keras", "is a folder"),
        ("m.keras", "none/new.keras", "none is not a folder; make it first"),
        ("exported", "m.keras", "is not an exported captioner"),
        ("exported", "folder.keras", "is not an exported captioner"),
        ("m.keras", "new.keras", None),
        ("m.keras", "m.keras", None),
        ("exported", "exported", None),
        ("exported", "new", None),
        ("exported", "empty", None),
    ],
)
def test_where_it_can_be_stored(tmp_path, monkeypatch, source, out, message):
    monkeypatch.chdir(tmp_path)
    for name in ("exported", "folder.keras", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "folder.keras" / "mine.txt").touch()
    (tmp_path / "exported" / "manifest.json").touch()
    (tmp_path / "m.keras").touch()
    if message is None:
        require_storable(source, out)
        return
    with pytest.raises(CaptionerError, match=message):
        require_storable(source, out)


def test_only_a_captioner_is_replaced(tmp_path):
    other = tmp_path / "other.keras"
    other.write_text("precious")
    with pytest.raises(CaptionerError, match=r"other\.keras: cannot be opened as a captioner"):
        require_storable("model.keras", str(other))
