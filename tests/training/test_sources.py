"""Several data sets in one run: named, checked, learned from by weight, validated on by name."""

import csv
import itertools
import json
import os
import shutil
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from captioner import Captioner, TrainConfig, train
from captioner.cli import main
from captioner.datasets import CaptionDataset
from captioner.errors import CaptionerError
from captioner.generation import Caption
from captioner.output.reports import learning_curves
from captioner.training import choosing, stages
from captioner.training.run_folder import RunFolder
from captioner.training.self_critical import SAMPLES, Reward
from captioner.training.set_scores import score_names, set_scores
from captioner.training.sources import load_sources, read_lines, set_names
from tests.datasets import SMALL, coco_document, make_colours, touch, write_json

WARM, COLD = 4, 12  # pictures to learn from


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Two sets whose pictures have the same ids and names."""
    folder = tmp_path_factory.mktemp("sets")
    for name, colours, pictures in (
        ("warm", ("red", "orange"), WARM), ("cold", ("blue", "green"), COLD),
    ):  # fmt: skip
        (folder / name).mkdir()
        make_colours(folder / name, colours, pictures)
    return [str(folder / "warm"), str(folder / "cold")]


@pytest.fixture(scope="module")
def all_stages(sets):
    home = os.path.dirname(sets[0])
    return SMALL | {
        "data": sets, "data_weights": [0.5, 0.5], "out": f"{home}/whole", "cache": f"{home}/cache",
        "units": 8, "epochs": 2, "batch_size": 4, "patience": 0,
        "fine_tune_from": "block_16_project", "fine_tune_epochs": 1, "fine_tune_batch_size": 2,
        "self_critical": 1,
    }  # fmt: skip


@pytest.fixture
def settings(all_stages, tmp_path):
    """Settings of a run of one epoch."""
    short = {"epochs": 1, "fine_tune_from": "none", "self_critical": 0}
    return all_stages | short | {"out": str(tmp_path / "run")}


def run(settings, resume=False, log=lambda line: None):
    return train(TrainConfig(**settings), resume=resume, log=log, progress=False)


def history(folder):
    with open(os.path.join(folder, "history.csv"), encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def whole(all_stages):
    """A run of all stages: the pictures of each of its epochs, its log, and what it came to."""
    epochs, lines = [], []

    def batches_of(*arguments, make=stages.batches_of):
        batches = make(*arguments)
        epochs.append([picture for batch in batches for picture in batch.pictures])
        return batches

    def reward(self, pictures, words, call=Reward.__call__):
        if len(epochs) == 3:
            epochs.append([])
        epochs[3].extend(pictures[::SAMPLES])
        return call(self, pictures, words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "batches_of", batches_of)
        patch.setattr(Reward, "__call__", reward)
        return epochs, lines, run(all_stages, log=lines.append)


@pytest.mark.long
def test_every_stage_learns_from_each_set_by_its_weight(whole):
    epochs, lines, _ = whole
    *features, pixels, rewards = (Counter(n < WARM for n in epoch) for epoch in epochs)
    assert features == [{True: 16, False: 16}] * 2  # captions, of 8 and 24
    assert pixels == rewards == {True: 8, False: 8}  # pictures
    for line in (
        "warm: 4 pictures with 8 captions, 50.0 % of what is learned from; 4 pictures to choose by",
        "cold: 12 pictures with 24 captions, 50.0 % of what is learned from; 4 pictures to choose "
        "by",
    ):
        assert line in lines


@pytest.mark.long
def test_a_resumed_run_ends_with_the_same_bits(all_stages, whole, tmp_path):
    def stop(line):
        if line.startswith("epoch 2 "):
            raise KeyboardInterrupt

    parts = all_stages | {"out": str(tmp_path / "parts")}
    with pytest.raises(KeyboardInterrupt):
        run(parts, log=stop)
    resumed = run(parts, resume=True)
    assert history(all_stages["out"]) == history(parts["out"])
    for one, other in zip(whole[-1].get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    states = [RunFolder(each["out"]).load_state()[0] for each in (all_stages, parts)]
    for name in states[0]:
        np.testing.assert_array_equal(*(state[name] for state in states))


@pytest.fixture
def spoken(monkeypatch):
    """Captions written in place of the model's, in turn; a set of validation pictures has four.

    So few are to be enough for CIDEr to choose the epoch.
    """
    monkeypatch.setattr(choosing, "FEWEST_PICTURES", 4)
    texts = []

    def decode(self, image, **search):
        said = itertools.cycle(texts)
        return [[Caption(next(said), 0.0, (), ())] for _ in image]

    monkeypatch.setattr(Captioner, "decode", decode)
    return texts


def test_each_set_is_validated_by_name_and_the_mean_chooses(settings, spoken):
    spoken += ["a red field", "a orange field"] * 2 + ["a blue field", "nothing"] * 2
    lines = []
    model = run(settings, log=lines.append)
    [row] = history(settings["out"])
    names = list(row)
    start = names.index("CIDEr")
    columns = ["CIDEr", "BLEU-4", "CIDEr warm", "CIDEr cold", "BLEU-4 warm", "BLEU-4 cold"]
    assert names[start : start + 6] == columns
    scores = {name: float(row[name]) for name in columns}
    for score in ("CIDEr", "BLEU-4"):
        warm, cold = scores[f"{score} warm"], scores[f"{score} cold"]
        assert warm > cold > 0
        assert scores[score] == pytest.approx((warm + cold) / 2)
    assert model.about["validation"] == pytest.approx(scores)
    assert model.about["trained_with"]["data"] == ["warm", "cold"]
    told = f"CIDEr {scores['CIDEr']:.4f} (warm {scores['CIDEr warm']:.4f}, cold "
    assert told in next(line for line in lines if line.startswith("epoch 1"))
    assert len(learning_curves(history(settings["out"])).axes) == 2


@pytest.mark.long
def test_the_mean_chooses_the_epoch(settings, spoken):
    """The first epoch is the best of one set, the second in the mean."""
    good = ["a red field", "a orange field", "a red field", "a orange field"]
    fair, bad = ["a red field", "orange"] * 2, ["no"] * 4
    cold = [text.replace("red", "blue").replace("orange", "green") for text in fair]
    spoken += [*good, *bad]

    def after_epoch(row):
        spoken[:] = [*fair, *cold]

    config = TrainConfig(**settings | {"epochs": 2})
    model = train(config, log=lambda line: None, progress=False, after_epoch=after_epoch)
    first, second = history(settings["out"])
    assert float(first["CIDEr warm"]) > float(second["CIDEr warm"])
    assert float(first["CIDEr"]) < float(second["CIDEr"])
    assert model.about["epoch"] == 2


def test_tensorboard_has_each_set(settings, spoken):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    spoken.append("a red field")
    run(settings)
    events = EventAccumulator(os.path.join(settings["out"], "tensorboard"))
    events.Reload()
    shown = {name for names in events.Tags().values() if isinstance(names, list) for name in names}
    assert {"CIDEr", "CIDEr warm", "CIDEr cold", "BLEU-4 warm", "BLEU-4 cold"} <= shown


def test_the_same_ids_do_not_mix_references():
    def two(words):
        return CaptionDataset([1, 2], ["1.png", "2.png"], [[f"a {word} here"] for word in words])

    whole = two(["dog", "cat"]).named("animals").joined(two(["bus", "train"]).named("things"))
    captions = {0: "a dog here", 1: "a cat here", 2: "a train here", 3: "a bus here"}
    scores = set_scores(whole, captions)
    assert list(scores) == score_names(whole)
    assert scores["CIDEr animals"] > 3
    assert scores["CIDEr things"] < 1
    alone = set_scores(whole.subset([2, 3]), {0: "a train here", 1: "a bus here"})
    assert list(alone) == ["CIDEr", "BLEU-4"]
    assert alone["CIDEr"] == scores["CIDEr things"]


@pytest.mark.long
def test_so_many_pictures_of_each_set_are_validated_on(settings, spoken):
    spoken.append("a red field")
    lines = []
    run(settings | {"validation_pictures": 3}, log=lines.append)
    assert any("6 pictures to choose by" in line for line in lines)
    assert any(line.startswith("cold") and "3 pictures to choose by" in line for line in lines)


def test_another_data_set_joins_the_first(sets):
    config = TrainConfig(data=sets, more_data=sets[1])
    training, validation = load_sources(config)
    assert Counter(training.sets) == {"warm": WARM + COLD, "cold": COLD}
    assert Counter(validation.sets) == {"warm": 4, "cold": 4}


@pytest.mark.long
def test_a_set_that_changed_is_named(settings, sets, spoken):
    spoken.append("a red field")
    run(settings)
    path = os.path.join(sets[1], "captions_val.json")
    with open(path, encoding="utf-8") as file:
        before = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(before.replace("a blue field", "a blue meadow"))
    try:
        with pytest.raises(CaptionerError, match="began: cold val had 4 pictures"):
            run(settings | {"epochs": 2}, resume=True)
    finally:
        with open(path, "w", encoding="utf-8") as file:
            file.write(before)


def test_a_set_of_which_no_picture_can_be_read(settings):
    config = TrainConfig(**settings | {"validation_pictures": 1})
    training, validation = load_sources(config)
    validation.image_paths[validation.sets.index("cold")] = __file__
    with pytest.raises(CaptionerError, match=r"cold: no picture can be read; the first: .*\.py"):
        train(config, log=lambda line: None, progress=False, data=(training, validation))


def test_names_are_those_of_folders_and_files(tmp_path):
    paths = ["a/photos", "b/photos", "c/photos-2", "captions.json", "v1.5"]
    for path in paths:
        (tmp_path / path).mkdir(parents=True) if "." not in path else touch(tmp_path, path)
    (tmp_path / "v1.5").unlink()
    (tmp_path / "v1.5").mkdir()
    config = TrainConfig(data=[str(tmp_path / path) for path in paths])
    assert set_names(config) == ["photos", "photos-2", "photos-2-2", "captions", "v1.5"]
    assert set_names(TrainConfig(data=paths[0])) == [""]


def grammar(*parts):
    return [" ".join(words) for words in itertools.product(*parts)]


ENGLISH = grammar(
    ["a dog", "the woman", "a man in a red shirt", "two children", "a boy with a ball"],
    ["runs", "sits", "is standing", "jumps and plays", "walks"],
    ["on the grass", "in the water", "at the beach", "in front of a house", "next to a street"],
)  # fmt: skip
GERMAN = grammar(
    ["ein hund", "die frau", "ein mann in einem roten hemd", "zwei kinder", "ein junge mit ball"],
    ["läuft", "sitzt", "steht da", "springt und spielt", "geht"],
    ["auf dem gras", "in dem wasser", "am strand", "vor einem haus", "neben der straße"],
)  # fmt: skip
CHINESE = grammar(
    ["一只狗", "一个女人", "穿红衬衫的男人", "两个孩子", "拿着球的男孩"],
    ["跑在", "坐在", "站在", "跳着玩在", "走在"],
    ["草地上", "水里面", "海滩边", "房子前面", "街道旁边", "很大的公园", "白色雪山"],
)  # fmt: skip
NARROW = grammar(
    ["a small", "a big", "the red", "the blue"],
    ["circle", "square", "star", "triangle"],
    ["is above", "is below", "is left of", "is right of"],
    ["the green circle", "a yellow square", "the black star"],
)


def sources_of(tmp_path, **captions):
    """Sets of those captions, one a picture, opened as one."""
    for name, texts in captions.items():
        for split in ("train", "val"):
            files = {f"{split}{n}.png": [text] for n, text in enumerate(texts)}
            touch(tmp_path / name, *files)
            write_json(tmp_path / name / f"captions_{split}.json", coco_document(files))
    return load_sources(TrainConfig(data=[str(tmp_path / name) for name in captions]))


@pytest.mark.parametrize("others", [GERMAN, CHINESE])
def test_sets_in_different_languages(tmp_path, others):
    message = r"third: seems to be in another language than .*first \(often "
    with pytest.raises(CaptionerError, match=message):
        sources_of(tmp_path, first=ENGLISH, second=NARROW, third=others)


def test_sets_in_one_language_or_too_small_to_judge(tmp_path):
    sources_of(tmp_path, one=ENGLISH, two=NARROW, three=GERMAN[:8], four=["red", "blue sky"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"data_weights": [1, 1]}, r"--data-weights 1 1: sum to 2, must sum to 1; give 0\.5 0\.5"),
        ({"data_weights": [1.0]}, "--data-weights 1: 1 weight for 2 data sets; give one for each"),
        ({"data_weights": [1.5, -0.5]}, r"--data-weights 1\.5 -0\.5: each must be more than 0"),
        ({"data_weights": [0.5, "x"]}, "--data-weights 'x': must be a number"),
        ({"data": "warm"}, "2 weights for 1 data set;"),
        ({"images": ["photos"]}, "--images: 1 folder for 2 data sets; give one for each, or none"),
        ({"data": ["warm", 5]}, "--data 5: must be text"),
    ],
)
def test_settings_of_several_sets_that_cannot_be(wrong, message):
    with pytest.raises(CaptionerError, match=message):
        TrainConfig(**{"data": ["warm", "cold"], "data_weights": [0.5, 0.5]} | wrong)


def test_weights_may_be_rounded():
    for count, weight in ((3, 0.333), (7, 0.143)):
        sets = [str(number) for number in range(count)]
        assert TrainConfig(data=sets, data_weights=[weight] * count).data_weights


def test_a_set_given_twice(sets, tmp_path):
    link = str(tmp_path / "link")
    os.symlink(sets[0], link)
    for again, told in ((sets[0], "is given twice;"), (link, f"is given twice, as {sets[0]} bef")):
        with pytest.raises(CaptionerError, match=told):
            load_sources(TrainConfig(data=[sets[0], sets[1], again]))


def test_a_set_given_by_its_folder_and_as_a_copy(sets, tmp_path):
    """The same captions of pictures that differ are another set."""
    touch(tmp_path, *[f"{n}.png" for n in range(20)])
    path = tmp_path / "captions.csv"
    rows = [f"{n}.png,a red field,{'train' if n < 10 else 'val'}" for n in range(20)]
    path.write_text("\n".join(["image,caption,split", *rows]))
    folder, copy = str(tmp_path), tmp_path / "copy"
    with pytest.raises(CaptionerError, match=f"{path} is given twice, as {folder} before; name"):
        load_sources(TrainConfig(data=[folder, str(path)]))
    shutil.copytree(tmp_path, copy, ignore=shutil.ignore_patterns("copy"))
    with pytest.raises(CaptionerError, match=f"{copy} is given twice, as {folder} before; name"):
        load_sources(TrainConfig(data=[folder, str(copy)]))
    for n in range(20):
        with open(copy / f"{n}.png", "ab") as file:
            file.write(b"more")
    assert len(load_sources(TrainConfig(data=[folder, str(copy)]))[0]) == 20


def test_pictures_learned_from_and_validated_on_are_told(tmp_path):
    touch(tmp_path, "1.png", "2.png", "3.png")
    for name, splits in (("one", "train train val"), ("two", "val train train")):
        rows = [f"{n}.png,a {name} field,{split}" for n, split in enumerate(splits.split(), 1)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["image,caption,split", *rows]))
    paths = [str(tmp_path / f"{name}.csv") for name in ("one", "two")]
    [line] = load_sources(TrainConfig(data=paths))[0].warnings
    assert line.startswith("2 pictures are learned from and validated on too, as the data sets")
    assert f"(first: {tmp_path / '1.png'})" in line
    assert load_sources(TrainConfig(data=paths[0]))[0].warnings == []


def fields(folder, name, pictures, split=""):
    """A table of pictures, which are made beside it."""
    touch(folder, *(f"{n}.png" for n in pictures))
    rows = [f"{n}.png,a red field,{split}" for n in pictures]
    (folder / name).write_text("\n".join(["image,caption,split", *rows]))
    return str(folder / name)


def names_of(dataset):
    return [os.path.basename(path) for path in dataset.image_paths]


def test_validation_pictures_of_another_file(tmp_path):
    data = fields(tmp_path, "data.csv", range(20))
    chosen_by = fields(tmp_path, "val.csv", range(20, 25))
    training, validation = load_sources(TrainConfig(data=data, val_data=chosen_by))
    assert names_of(training) == [f"{n}.png" for n in range(20)]  # nothing is divided off
    assert names_of(validation) == [f"{n}.png" for n in range(20, 25)]
    assert training.warnings == validation.warnings == []


def test_splits_that_are_defined_are_kept_with_other_validation_pictures(sets, tmp_path):
    chosen_by = fields(tmp_path, "val.csv", [1, 2], "dev")
    rows = (tmp_path / "val.csv").read_text() + "\n1.png,a red field,train".replace("1", "3")
    (tmp_path / "val.csv").write_text(rows)
    training, validation = load_sources(TrainConfig(data=sets[0], val_data=chosen_by))
    assert (len(training), names_of(validation)) == (WARM, ["1.png", "2.png"])


def test_validation_sets_for_each_data_set_or_for_all(sets, tmp_path):
    one, two = (tmp_path / name for name in ("one", "two"))
    one.mkdir()
    two.mkdir()
    val = [fields(one, "v.csv", [1, 2]), fields(two, "v.csv", [1, 2, 3])]
    _, validation = load_sources(TrainConfig(data=sets, val_data=val))
    assert {name: len(rows) for name, rows in validation.by_set().items()} == {"warm": 2, "cold": 3}
    assert len(score_names(validation)) == 6  # the mean and each set, by its name
    _, validation = load_sources(TrainConfig(data=sets, val_data=val[0]))
    assert score_names(validation) == ["CIDEr", "BLEU-4"]
    with pytest.raises(CaptionerError, match=r"v.csv is given twice; give one --val-data for all"):
        load_sources(TrainConfig(data=sets, val_data=[val[0]] * 2))
    for data, wrong in ((sets[0], val), (sets, [*val, "x"])):
        with pytest.raises(
            CaptionerError, match=r"--val-data: \d data sets for \d data sets?; give"
        ):
            TrainConfig(data=data, val_data=wrong)


@pytest.mark.parametrize("count", [1, 2])
def test_validation_pictures_are_beside_their_captions_or_in_the_folder_given(tmp_path, count):
    data, images, val = [], [], []
    for name, learned, chosen_by in (("a", 1, "in-photos"), ("b", 2, "beside")):
        data.append(fields(tmp_path / name, "data.csv", [learned]))
        images.append(str(tmp_path / f"photos-{name}"))
        touch(tmp_path, f"photos-{name}/{learned}.png")
        val.append(str(tmp_path / f"val/{chosen_by}.csv"))
        touch(tmp_path, f"val/{chosen_by}.csv")
        (tmp_path / f"val/{chosen_by}.csv").write_text(f"image,caption\n{chosen_by}.png,a field\n")
    touch(tmp_path, "photos-a/in-photos.png", "photos-b/beside.png", "val/beside.png")
    config = TrainConfig(data=data[:count], images=images[:count], val_data=val[:count])
    training, validation = load_sources(config)
    assert training.image_paths == [f"{images[0]}/1.png", f"{images[1]}/2.png"][:count]
    assert validation.image_paths == [
        f"{images[0]}/in-photos.png", f"{tmp_path}/val/beside.png"
    ][:count]  # fmt: skip


def test_pictures_of_more_data_are_beside_it_or_in_the_folder_given(tmp_path):
    data = fields(tmp_path / "data", "data.csv", [1], "train")
    (tmp_path / "more.csv").write_text("image,caption,split\n5.png,a field,train\n")
    val = fields(tmp_path / "val", "val.csv", [2])
    settings = {"data": data, "val_data": val, "more_data": str(tmp_path / "more.csv")}
    touch(tmp_path, "photos/1.png", "photos/5.png")
    training, _ = load_sources(TrainConfig(**settings, images=str(tmp_path / "photos")))
    assert training.image_paths == [str(tmp_path / f"photos/{n}.png") for n in (1, 5)]
    touch(tmp_path, "5.png")
    training, _ = load_sources(TrainConfig(**settings))
    assert training.image_paths == [str(tmp_path / each) for each in ("data/1.png", "5.png")]


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_no_picture_is_learned_from_and_validated_on(tmp_path, link):
    data = fields(tmp_path / "data", "data.csv", range(5))
    name = "0.png"
    if link:
        name = "same.png"
        link(tmp_path / "data/0.png", tmp_path / "data/same.png")
    touch(tmp_path / "data", "9.png")
    val = tmp_path / "data/val.csv"
    val.write_text(f"image,caption\n9.png,a field\n{name},a field\n")
    message = r"--val-data: pictures that are learned from too: 1 \(first: .*0.png\); their scores"
    with pytest.raises(CaptionerError, match=message):
        load_sources(TrainConfig(data=data, val_data=str(val)))
    with pytest.raises(CaptionerError, match="--val-data: pictures that are learned from too: 5 "):
        load_sources(TrainConfig(data=data, val_data=data))


def test_a_run_with_validation_pictures_of_its_own_is_resumed(sets, settings, tmp_path):
    val = tmp_path / "val.csv"
    Image.new("RGB", (32, 32), "red").save(tmp_path / "v.png")
    val.write_text("image,caption\nv.png,a red field\n")
    settings |= {"data": sets, "val_data": str(val)}
    lines = []
    model = run(settings, log=lines.append)
    assert lines[0].startswith("16 pictures with 32 captions to learn from, 1 picture to choose")
    assert list(model.about["validation"]) == ["CIDEr", "BLEU-4"]
    assert model.about["trained_with"]["val_data"] == "val.csv"
    stored = json.loads((tmp_path / "run/config.json").read_text())
    assert stored["val_data"] == str(val)
    run(stored | {"epochs": 2}, resume=True)
    assert len(history(settings["out"])) == 2
    val.write_text("image,caption\nv.png,a field\n")
    with pytest.raises(CaptionerError, match=r"val.csv: has changed since the run .*: val had 1 p"):
        run(stored | {"epochs": 3}, resume=True)
    with pytest.raises(CaptionerError, match=r"other settings: val_data was '.*val.csv', is ''"):
        run(stored | {"val_data": ""}, resume=True)


def test_one_file_of_a_pair_brings_the_other(sets):
    training, validation = load_sources(TrainConfig(data=f"{sets[0]}/captions_train.json"))
    whole = load_sources(TrainConfig(data=sets[0]))
    assert [names_of(training), names_of(validation)] == list(map(names_of, whole))
    assert validation.warnings == [
        f"val is read from {sets[0]}/captions_val.json, which is beside "
        f"{sets[0]}/captions_train.json"
    ]


@pytest.mark.parametrize("data", ["", [], ["warm", ""]])
def test_no_data_set(data):
    with pytest.raises(CaptionerError, match="no data set given; add --data"):
        load_sources(TrainConfig(data=data))


def test_a_set_without_captions_in_a_split(sets, tmp_path):
    touch(tmp_path, "1.png")
    write_json(tmp_path / "captions_train.json", coco_document({"1.png": ["a red field"]}))
    with pytest.raises(CaptionerError, match=f"{tmp_path} has no split 'val'; it has train"):
        load_sources(TrainConfig(data=[sets[0], str(tmp_path)]))
    write_json(tmp_path / "captions_val.json", coco_document({"1.png": []}))
    with pytest.raises(CaptionerError, match=f"{tmp_path}: no picture with a caption in val"):
        load_sources(TrainConfig(data=[sets[0], str(tmp_path)]))


def test_pictures_of_each_set_are_where_it_is_said(sets, tmp_path):
    moved = [str(tmp_path / name) for name in ("one", "two")]
    for source, folder in zip(sets, moved, strict=True):
        os.mkdir(folder)
        for split in ("train", "val"):
            os.link(f"{source}/captions_{split}.json", f"{folder}/captions_{split}.json")
    training, _ = load_sources(TrainConfig(data=moved, images=sets))
    assert len(training) == WARM + COLD
    assert training.image_paths[0].startswith(sets[0])
    assert training.image_paths[-1].startswith(sets[1])


def test_one_set_is_the_same_however_it_is_written(tmp_path):
    assert TrainConfig(data=["x"], images=[]) == TrainConfig(data="x")
    several = TrainConfig(data=("x", "y"), data_weights=(0.25, 0.75))
    path = tmp_path / "config.json"
    path.write_text(several.to_json())
    assert TrainConfig.from_file(path) == several
    assert json.loads(several.to_json())["data"] == ["x", "y"]
    before = json.loads(TrainConfig(data="x").to_json())
    assert before.pop("data_weights") == []
    path.write_text(json.dumps(before))  # as it was when there was one set only
    assert TrainConfig.from_file(path) == TrainConfig(data="x")


def test_flags_of_several_sets(sets, tmp_path, capsys):
    touch(tmp_path, "something")
    flags = ["train", "--data", *sets, "--out", str(tmp_path)]
    assert main([*flags, "--data-weights", "0.5", "0.6"]) == 2
    assert "--data-weights 0.5 0.6: sum to 1.1, must sum to 1; give 0.4545" in (
        capsys.readouterr().err
    )
    assert main([*flags, "--data-weights", "0.5", "0.5"]) == 2
    assert "folder is not empty" in capsys.readouterr().err  # looked at once the data are there


def test_validation_pictures_of_their_own_are_in_the_folds(sets, tmp_path):
    from captioner.study.tuning import _folds

    config = TrainConfig(data=sets[0], val_data=fields(tmp_path, "val.csv", range(100, 103)))
    for training, validation in _folds(config, 2):
        assert len(training) + len(validation) == WARM + 3


def test_folds_keep_the_sets_apart(sets):
    from captioner.study.tuning import _folds

    for training, validation in _folds(TrainConfig(data=sets), 2):
        together = Counter(training.sets) + Counter(validation.sets)
        assert together == {"warm": WARM + 4, "cold": COLD + 4}


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b"\n \n", "no captions"), (b"\xff\xfe a", "not UTF-8"),
     (b"...\n!?\n\0\0\n", "no captions")],
)  # fmt: skip
def test_a_text_file_that_cannot_serve(tmp_path, content, message):
    path, other = tmp_path / "captions.txt", tmp_path / "other.txt"
    other.write_text("a red field")
    if content is not None:
        path.write_bytes(content)
    for paths in (str(path), [str(other), str(path)]):
        with pytest.raises(CaptionerError, match=rf"captions\.txt: .*{message}"):
            read_lines(paths)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_text_file_from_any_system(tmp_path, end):
    path = tmp_path / "captions.txt"
    path.write_bytes(f"\ufeffa red field{end}--{end}{end}blue{end}".encode())
    assert read_lines(str(path)) == ["a red field", "blue"]
