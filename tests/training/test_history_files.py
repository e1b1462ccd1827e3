"""The files that tell people of a run's epochs."""

import pytest

from captioner.training import history_files

HISTORY = [
    {"epoch": 1, "stage": "features", "train_loss": 3.5, "reward": "", "val_loss": 3.0,
     "CIDEr": 0.25, "BLEU-4": 0.125, "learning_rate": 0.002, "train_seconds": 1.5, "seconds": 2.0},
    {"epoch": 2, "stage": "rewards", "train_loss": "", "reward": 0.5, "val_loss": 2.5,
     "CIDEr": 0.5, "BLEU-4": 0.25, "learning_rate": 0.001, "train_seconds": 1.25, "seconds": 2.5},
]  # fmt: skip


def test_a_table_without_times(tmp_path):
    path = tmp_path / "history.csv"
    history_files.write_table(HISTORY, path)
    assert path.read_text().splitlines() == [
        "epoch,stage,train_loss,reward,val_loss,CIDEr,BLEU-4,learning_rate",
        "1,features,3.5,,3.0,0.25,0.125,0.002",
        "2,rewards,,0.5,2.5,0.5,0.25,0.001",
    ]


def test_curves_are_a_picture(tmp_path):
    from PIL import Image

    path = tmp_path / "curves.png"
    history_files.write_curves(HISTORY, path)
    with Image.open(path) as image:
        assert image.format == "PNG"


def test_each_epoch_is_added_to_the_events(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for epochs in (1, 2):
        history_files.add_events(HISTORY[:epochs], str(tmp_path))
    # Of files begun in the same second, the tenth of a process is read before the ninth.
    events = EventAccumulator(str(tmp_path), purge_orphaned_data=False)
    events.Reload()
    kind = events.Scalars if "CIDEr" in events.Tags()["scalars"] else events.Tensors
    assert sorted(each.step for each in kind("CIDEr")) == [1, 2]


@pytest.mark.parametrize(
    ("missing", "line", "names"),
    [
        (None, [], ["history.csv", "curves.png", "tensorboard"]),
        ("matplotlib", ["no curves.png, for matplotlib is not installed"],
         ["history.csv", "tensorboard"]),
        ("tensorboard", ["no TensorBoard events, for tensorboard is not installed"],
         ["history.csv", "curves.png"]),
    ],
)  # fmt: skip
def test_a_file_whose_package_is_missing_is_left_out(monkeypatch, missing, line, names):
    monkeypatch.setattr(history_files, "_is_installed", lambda name: name != missing)
    assert history_files.left_out() == line
    assert list(history_files.writers()) == names
