"""Scoring: captions of a model or a file, against references, with nothing left out silently."""

import json

import pytest

from captioner import metrics
from captioner.datasets import CaptionDataset
from captioner.ensemble import Ensemble
from captioner.errors import CaptionerError, CaptionerWarning
from captioner.generation import Generation
from captioner.images import ImageError
from captioner.output.evaluation import (
    captions_of_model,
    captions_of_results,
    learned_from,
    score_captions,
)

CAPTIONS = [["a dog runs", "a brown dog"], ["two cats sleep"], ["a red field"]]


@pytest.fixture
def dataset(photos):
    paths = sorted(str(path) for path in photos.iterdir())
    return CaptionDataset([1, 2, 3], paths, CAPTIONS)


def results_of(tmp_path, captions):
    path = tmp_path / "results.json"
    path.write_text(json.dumps([{"image_id": k, "caption": v} for k, v in captions.items()]))
    return str(path)


def test_a_model_captions_every_picture(tiny_captioner, dataset):
    found = dict(captions_of_model(tiny_captioner, dataset, n_best=2))
    wanted = tiny_captioner.generate(dataset.image_paths, n_best=2)
    assert [[each.text for each in found[name]] for name in (1, 2, 3)] == wanted


def test_a_picture_that_cannot_be_read_stops_it(tiny_captioner, dataset, photos):
    (photos / "b.jpg").write_bytes(b"broken")
    with pytest.raises(ImageError, match=r"b\.jpg: not a picture"):
        dict(captions_of_model(tiny_captioner, dataset))


def test_a_results_file_must_be_of_the_data_set(tmp_path, dataset, recwarn):
    found = captions_of_results(results_of(tmp_path, {3: "red", 1: "a dog", 2: "cats"}), dataset)
    assert {name: [each.text for each in captions] for name, captions in found.items()} == {
        1: ["a dog"], 2: ["cats"], 3: ["red"],
    }  # fmt: skip
    assert list(found) == [1, 2, 3]
    assert found[1][0].words == ("a", "dog")
    assert not recwarn.list
    with pytest.raises(CaptionerError, match=r"no caption for 2 of 3 pictures, .* image id 2, "):
        captions_of_results(results_of(tmp_path, {1: "a dog", 9: "a cat"}), dataset)


def test_results_of_a_part_of_the_data_set_are_scored(tmp_path, dataset):
    path = results_of(tmp_path, {1: "a dog"})
    with pytest.warns(CaptionerWarning, match="no caption for 2 of 3 pictures; left out"):
        assert list(captions_of_results(path, dataset)) == [1]


def test_notes_tell_how_results_are_matched_and_what_is_left_out(tmp_path, dataset):
    names = [path.rpartition("/")[2] for path in dataset.image_paths]
    path = results_of(tmp_path, dict.fromkeys(["x.jpg", *names, "y.jpg"], "a dog"))
    with pytest.warns(CaptionerWarning) as notes:
        found = captions_of_results(path, dataset)
    assert list(found) == [1, 2, 3]
    assert [str(note.message) for note in notes] == [
        f"{path}: its captions are matched to pictures by file name",
        f"{path}: 2 of 5 captions are of pictures that are not scored; left out",
    ]


class Trained(Generation):
    """A captioner whose file says what it was trained with."""

    def __init__(self, **trained_with):
        self.about = {"trained_with": trained_with} if trained_with else {}


def ensemble_of(*models):
    ensemble = Ensemble.__new__(Ensemble)
    ensemble.members = models
    return ensemble


@pytest.mark.parametrize(
    ("model", "learned"),
    [
        (Trained(), "none"),
        (Trained(data="other.csv", val_data=""), "none"),
        (Trained(data="mine.csv"), "train"),
        (Trained(data=["other.csv", "mine.csv"], val_data=""), "train"),
        (Trained(data="mine.csv", val_data="val.csv"), "all"),
        (ensemble_of(Trained(data="other.csv"), Trained(data="mine.csv")), "train"),
        (ensemble_of(Trained(data="mine.csv"), Trained(data="mine.csv", val_data="v")), "all"),
    ],
)
def test_what_a_captioner_has_learned_from(model, learned):
    assert learned_from(model, "some/folder/mine.csv") == learned


def test_a_captioner_has_learned_from_what_it_started_from():
    model = Trained(data="other.csv")
    model.about["started_from"] = Trained(data="photos").about
    assert learned_from(model, "my/photos/") == "train"
    assert learned_from(Trained(data="captions_train.json"), "captions_train.json") == "all"


def test_scores_are_those_of_metrics_for_the_pictures_that_have_captions(dataset):
    captions = {1: "a dog runs", 2: "two cats"}
    references = {1: CAPTIONS[0], 2: CAPTIONS[1]}
    wanted = metrics.score(references, captions, ["bleu", "rouge"])
    assert score_captions(captions, dataset, ["bleu", "rouge"]) == wanted


def test_faults_stand_beside_those_of_people(dataset):
    captions = {1: "a dog and a dog", 2: "two cats sleep", 3: "a red field"}
    scores = score_captions(captions, dataset, ["bleu"], with_faults=True)
    assert scores["X and X"] == pytest.approx(1 / 3)
    assert scores["X and X, people"] == 0


def test_copied_captions_are_counted():
    dataset = CaptionDataset([1], ["a.png"], [["a dog"]])
    [learned, *_] = open_captions("data/shapes/captions_train.json")
    for caption, share in ((learned, 1.0), ("no one says this", 0.0)):
        scores = score_captions({1: caption}, dataset, ["bleu"], training_data=["data/shapes"])
        assert scores["copied"] == share


def open_captions(path):
    with open(path, encoding="utf-8") as file:
        return [each["caption"] for each in json.load(file)["annotations"]]
