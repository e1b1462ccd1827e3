"""An actor: the captions of one process, and every part done once, whoever died."""

import functools
import json
import os
import shutil

import numpy as np
import pytest

from captioner.bulk import ray_actors
from captioner.bulk.model_files import ModelFiles
from captioner.bulk.object_stores import ObjectStores
from captioner.bulk.part_formats import as_json_lines
from captioner.bulk.parts_folder import Plan
from captioner.bulk.picture_lists import pictures_of
from captioner.bulk.ray_cluster import require_ray
from captioner.models import ModelChoice
from captioner.presets import DEFAULT_PRESET, exported_form
from tests.bulk.conftest import by_one_process, entries_of, parts_of, planned, state_of
from tests.hostile import photo
from tests.test_reranked import model as model_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")


class ActorHere:
    """The actor in this process, and its job."""

    def __init__(self, folder, plan, model=None, backward=None):
        package = require_ray()
        self.job = ray_actors.Job(
            folder=folder,
            ending="jsonl",
            options={},
            choice=ModelChoice(),
            models=[model or ModelFiles(DEFAULT_PRESET, None)],
            backward=backward,
            search={},
            batch_size=32,
            content_of=functools.partial(as_json_lines, with_scores=True),
        )
        self.plan = plan
        self.attempts = package.remote(num_cpus=0)(ray_actors.Attempts).remote(actors=1)
        self.actor = ray_actors.PartCaptioner(package.put(self.job), plan.directory, self.attempts)

    def begin(self, part):
        """As another process would that died then."""
        return require_ray().get(self.attempts.begin.remote(part))

    def caption(self, part):
        """The problems and why it stops, where it does."""
        places = {"start": self.plan.places[part], "end": self.plan.places[part + 1]}
        row = {"part": part, "pictures": self.plan.size_of(part), **places}
        report = self.actor({name: np.array([value]) for name, value in row.items()})
        return report["problems"][0], report["stop"][0]


def test_a_model_given_as_a_file_goes_with_the_work(cluster, tiny_captioner, photos, tmp_path):
    path = tmp_path / "model.keras"
    tiny_captioner.save(path)
    wanted = by_one_process(tmp_path, photos, "--model", path, "--scores")
    model = ModelFiles.of(str(path))
    os.remove(path)  # as on another machine
    folder, plan = planned(tmp_path / "out", sorted(map(str, photos.iterdir())), 3)
    assert ActorHere(folder.name, plan, model).caption(0) == ("", "")
    assert [json.dumps(entry) for entry in entries_of(tmp_path / "out")] == wanted
    assert model.digest != model._replace(content={"model.keras": b"another"}).digest
    broken = model._replace(content={"model.keras": b"broken"})
    assert ActorHere(folder.name, plan, broken).caption(0)[1].startswith("model.keras: cannot be")


@pytest.mark.long
def test_a_model_that_re_ranks_goes_with_the_work(cluster, photos, tmp_path):
    paths = [str(tmp_path / f"{direction}.keras") for direction in ("forward", "backward")]
    for seed, path in enumerate(paths):
        model_of(seed, os.path.basename(path)[:-6]).save(path)
    flags = ["--model", paths[0], "--rerank", paths[1], "--scores"]
    wanted = by_one_process(tmp_path, photos, *flags)
    folder, plan = planned(tmp_path / "out", sorted(map(str, photos.iterdir())), 3)
    actor = ActorHere(folder.name, plan, *map(ModelFiles.of, paths))
    assert actor.caption(0) == ("", "")
    assert [json.dumps(entry) for entry in entries_of(tmp_path / "out")] == wanted
    assert wanted != by_one_process(tmp_path, photos, *flags[:2], "--scores")


@pytest.mark.long
def test_an_exported_model_goes_with_the_work(cluster, photos, tmp_path):
    shutil.copytree(exported_form(DEFAULT_PRESET), tmp_path / "exported")
    model = ModelFiles.of(f"{tmp_path}/exported/")
    shutil.rmtree(tmp_path / "exported")
    folder, plan = planned(tmp_path / "out", sorted(map(str, photos.iterdir())), 3)
    assert ActorHere(folder.name, plan, model).caption(0) == ("", "")
    wanted = by_one_process(tmp_path, photos, "--scores")
    assert [json.dumps(entry) for entry in entries_of(tmp_path / "out")] == wanted


def test_a_run_in_a_store(cluster, store):
    for name in ("a.png", "b.png", "c.png"):
        photo().save(store / name)
    stores = ObjectStores()
    uris = pictures_of(["mem://bucket/"], [], stores)
    folder, plan = planned("mem://bucket/out", uris, 2, stores)
    assert (plan.pictures, plan.parts, plan.directory) == (3, 2, None)
    actor = ActorHere("mem://bucket/out", plan)
    os.remove(store / "c.png")
    assert actor.caption(0) == ("", "")
    assert actor.caption(1) == ("mem://bucket/c.png: cannot be read (no such object)", "")
    images = [entry["image"] for entry in entries_of(store / "out")]
    assert images == [f"mem://bucket/{name}.png" for name in "abc"]
    assert list(folder.done(2)) == [1, 1]
    assert list(folder.failed(2)) == [0, 1]
    files = ["captions", "errors", "pictures.txt", "settings.json"]
    assert sorted(os.listdir(store / "out")) == files
    assert len(os.listdir(store / "out/captions")) == 2


@pytest.mark.long
def test_a_part_that_was_done_by_a_process_that_died(cluster, photos, tmp_path):
    names = [str(photos / "a.png"), str(tmp_path / "gone.png")]
    folder, plan = planned(tmp_path / "out", names, 2)
    gone = f"{tmp_path}/gone.png: cannot be read (No such file or directory)"
    assert ActorHere(folder.name, plan).caption(0) == (gone, "")
    before = state_of(parts_of(tmp_path / "out"))
    assert ActorHere(folder.name, plan).caption(0) == (gone, "")  # reported again, not done again
    assert state_of(before) == before


def test_a_part_whose_processes_died(cluster, photos, tmp_path):
    folder, plan = planned(tmp_path / "out", sorted(map(str, photos.iterdir())), 2)
    actor = ActorHere(folder.name, plan)
    assert [actor.begin(0) for _ in range(4)] == [True, True, True, False]
    problems, stop = actor.caption(0)
    assert problems.startswith(f"part 0, from {photos}/a.png to {photos}/b.jpg: is left out")
    assert stop == ""
    assert actor.caption(1) == ("", "")
    assert list(folder.done(2)) == [0, 1]


def test_processes_that_die_while_they_open_the_model(cluster, photos, tmp_path):
    folder, plan = planned(tmp_path / "out", [str(photos / "a.png")], 1)
    actor = ActorHere(folder.name, plan)
    package = require_ray()
    begun = [package.get(actor.attempts.open.remote()) for _ in range(3)]
    assert begun == [True] * 3  # the one above has done it
    actor.actor.__init__(package.put(actor.job), None, actor.attempts)
    assert actor.caption(0)[1].startswith("processes die while they open the model")


def test_a_part_with_nothing_that_can_be_read_is_not_done(cluster, photos, tmp_path):
    names = [f"{tmp_path}/gone/{number}.png" for number in range(10)]
    folder, plan = planned(tmp_path / "out", [*names, *names[:9], str(photos / "a.png")], 10)
    actor = ActorHere(folder.name, plan)
    problems, stop = actor.caption(0)
    assert problems == ""
    assert stop.startswith(f"none of 10 pictures can be read: {names[0]}: cannot be read (No such")
    problems, stop = actor.caption(1)
    assert len(problems.splitlines()) == 9
    assert stop == ""
    assert list(folder.done(2)) == [0, 1]


def test_another_captioner_on_a_machine_of_the_cluster(cluster, photos, tmp_path, monkeypatch):
    folder, plan = planned(tmp_path / "out", [str(photos / "a.png")], 1)
    monkeypatch.setattr(ray_actors, "__version__", "0.0.1")
    assert "captioner 0.0.1 is on a machine" in ActorHere(folder.name, plan).caption(0)[1]


def test_blocks_hold_each_part_once_and_become_small(monkeypatch):
    monkeypatch.setattr(ray_actors, "MOST_BLOCKS", 10)
    places = list(range(0, 1010, 10))
    plan = Plan({}, 995, 10, places, None, [])
    todo = [part for part in range(100) if part % 7]
    blocks = ray_actors._blocks(plan, todo, actors=2)
    rows = [row for block in blocks for row in block.to_pylist()]
    assert [row["part"] for row in rows] == todo
    assert all(row["start"] == 10 * row["part"] == row["end"] - 10 for row in rows)
    assert sum(row["pictures"] for row in rows) == 10 * len(todo) - 5
    sizes = [len(block) for block in blocks]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 9
    assert sizes[-8:] == [1] * 8
