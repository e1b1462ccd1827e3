"""Captions by many processes: those of one process, each picture once, whatever is killed."""

import functools
import glob
import itertools
import json
import os
import re
import shutil
import signal
import sys

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from captioner.bulk import object_stores, ray_captioning
from captioner.bulk.object_stores import ObjectStores, PictureReader
from captioner.bulk.parts_folder import PartsFolder, Plan
from captioner.bulk.picture_lists import ListIndex, pictures_of, read_lines, read_manifest
from captioner.bulk.ray_captioning import ModelFiles, connected
from captioner.cli import main, ray_engine
from captioner.errors import CaptionerError
from captioner.images import ImageError, read_image, read_images
from captioner.presets import DEFAULT_PRESET, exported_form
from tests.conftest import until
from tests.hostile import encoded, photo
from tests.test_reranked import model as model_of
from tests.training.test_killed_runs import SmallDisk

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")

ODD_NAMES = ["two\nlines.png", os.fsdecode(b"not utf-8 \xff.png"), "a%20b? #c.png", "猫.png"]


@pytest.fixture(scope="module")
def cluster():
    """One Ray for all tests, which is slow to start."""
    with connected(actors=2):
        yield


@pytest.fixture
def pictures(tmp_path):
    """A folder of drawn scenes, two below it, and a broken one."""
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    scenes = sorted(glob.glob("data/shapes/images/*.png"))
    for number, scene in enumerate(scenes[:9]):
        shutil.copy(scene, folder / ("below" if number < 2 else "") / os.path.basename(scene))
    (folder / "broken.jpg").write_bytes(b"broken")
    return folder


@pytest.fixture
def reports(monkeypatch):
    """What the actors have told, and a function called after each report."""
    told, caption_parts = Told(), ray_engine.caption_parts

    def listening(*arguments):
        for report in caption_parts(*arguments):
            told.append(report)
            yield report
            told.afterwards(report)

    monkeypatch.setattr(ray_engine, "caption_parts", listening)
    return told


class Told(list):
    def afterwards(self, report):
        pass


def ray(*arguments, output):
    command = ["caption", *map(str, arguments), "--engine", "ray", "--actors", "2"]
    return main([*command, "--output", str(output)])


def parts_of(output):
    return sorted((output / "captions").iterdir())


def entries_of(output):
    lines = [line for part in parts_of(output) for line in part.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def by_one_process(tmp_path, *arguments):
    """The JSON lines that the local engine writes."""
    path = tmp_path / "local.jsonl"
    main(["caption", *map(str, arguments), "--format", "jsonl", "--output", str(path)])
    return path.read_text().splitlines()


def state_of(paths):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def test_the_same_captions_as_one_process(cluster, pictures, tmp_path, capsys, reports):
    """Though one of the processes that write them is killed."""
    killed = []

    def kill(report):
        if not killed:
            killed.append(report.process)
            os.kill(report.process, signal.SIGKILL)

    reports.afterwards = kill
    for name in ODD_NAMES:
        photo().save(pictures / name)
    arguments = [pictures, pictures / "below", tmp_path / "nothing.png"]
    flags = ["--scores", "--n-best", "2"]
    wanted = by_one_process(tmp_path, *arguments, *flags)
    said = capsys.readouterr().err.splitlines()
    output = tmp_path / "out"
    assert ray(*arguments, *flags, "--part-size", 3, output=output) == 1
    assert sorted(capsys.readouterr().err.splitlines()) == sorted(said)
    assert len(said) == 2
    found = [line for part in parts_of(output) for line in part.read_text().splitlines()]
    assert [line for line in found if "error" not in json.loads(line)] == wanted
    assert len(wanted) == 13
    [failure] = [json.loads(line) for line in found if "error" in json.loads(line)]
    assert failure["image"] == str(pictures / "broken.jpg")
    assert "not a picture" in failure["error"]
    assert [len(part.read_text().splitlines()) for part in parts_of(output)] == [3, 3, 3, 3, 2]
    processes = {report.process for report in reports}
    assert len(processes - set(killed)) >= 2  # both, or one and that in place of the killed
    assert os.getpid() not in processes


def test_an_interrupted_run_goes_on(cluster, pictures, tmp_path, capsys, reports):
    def interrupt(report):
        raise KeyboardInterrupt

    output, command = tmp_path / "out", [pictures, "--format", "parquet"]
    wanted = [json.loads(line) for line in by_one_process(tmp_path, pictures, "--scores")]
    capsys.readouterr()
    reports.afterwards = interrupt
    assert ray(*command, "--part-size", 2, output=output) == 130
    assert "interrupted; continue with --resume" in capsys.readouterr().err
    package = ray_captioning.require_ray()
    until(lambda: package.available_resources().get("CPU") == 2)  # the actors have gone
    done = state_of(parts_of(output))
    assert 1 <= len(done) < 5

    assert ray(*command, "--part-size", 2, output=output) == 2
    assert "holds a run already; go on with it by --resume" in capsys.readouterr().err
    assert ray(*command, "--part-size", 3, "--resume", output=output) == 2
    assert "part_size was 2, is 3" in capsys.readouterr().err

    reports.afterwards = lambda report: None
    reports.clear()
    assert ray(*command, "--part-size", 2, "--resume", output=output) == 1
    assert f"going on after {2 * len(done)} of 10 pictures" in capsys.readouterr().err
    assert len(reports) == 5 - len(done)
    assert state_of(done) == done

    table = pyarrow.parquet.read_table(output / "captions")
    assert table.column_names == ["image", "caption", "score", "captions", "error"]
    assert table.schema.field("score").type == pyarrow.float32()
    assert table.schema.field("captions").type == pyarrow.list_(pyarrow.string())
    rows = sorted(table.to_pylist(), key=lambda row: row["image"])
    [broken] = [row for row in rows if row["error"]]
    assert broken["image"] == str(pictures / "broken.jpg")
    assert broken["caption"] is broken["score"] is broken["captions"] is None
    rows.remove(broken)
    wanted.sort(key=lambda entry: entry["image"])
    assert [row["image"] for row in rows] == [entry["image"] for entry in wanted]
    assert [row["caption"] for row in rows] == [entry["caption"] for entry in wanted]
    assert [row["captions"] for row in rows] == [[entry["caption"]] for entry in wanted]
    scores = [entry["score"] for entry in wanted]
    np.testing.assert_allclose([row["score"] for row in rows], scores, atol=1e-4)

    assert ray(*command, "--part-size", 2, "--resume", output=output) == 1  # one has failed
    assert "is complete" in capsys.readouterr().err


def dying(results, with_scores):
    """Writes a part, unless a picture is in it that no process survives."""
    if any(picture.endswith("deadly.png") for picture, _ in results):
        os.kill(os.getpid(), signal.SIGKILL)
    return ray_engine._as_json_lines(results, with_scores)


@pytest.mark.long  # a minute: processes are slow to start
def test_what_kills_every_process_is_left_out(cluster, pictures, tmp_path, monkeypatch, capsys):
    photo().save(pictures / "deadly.png")
    os.remove(pictures / "broken.jpg")
    output = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setitem(ray_engine.FORMATS, "jsonl", dying)
        assert ray(pictures, "--part-size", 2, output=output) == 1
    said = capsys.readouterr().err
    assert re.search("deadly.png to .*: is left out, its process died 3 times", said)
    assert "2 of 10 pictures are not done; go on with --resume" in said
    assert len(entries_of(output)) == 8
    assert ray(pictures, "--part-size", 2, "--resume", output=output) == 0
    assert len(entries_of(output)) == 10


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--format", "html"], "--format html: is for --engine local; ray writes jsonl or parquet"),
        (["--sidecar"], "--sidecar: is for --engine local"),
        (["--write-metadata"], "--write-metadata: is for --engine local"),
        (["--attention-maps", "maps"], "--attention-maps: is for --engine local"),
        (["--part-size", "0"], "--part-size 0: must be 1 or more"),
        (["--actor-gpus", "1", "--runtime", "litert"], "LiteRT uses no GPU"),
        (["--model", "nonsense"], "nonsense: no such model"),
        (["file://host/a.jpg"], "not a URI of this machine"),
        (["http://host/a.jpg"], "http://host: cannot be opened"),
        (["s3://key:word@bucket/"], "a password in a URI would be written down"),
        (["--manifest", "list.doc"], "a manifest's name ends in .txt, .csv, .jsonl, .parquet"),
    ],
)
def test_mistakes(photos, tmp_path, capsys, flags, message):
    paths = [] if flags[0] == "--manifest" or "://" in flags[0] else [photos]
    assert ray(*paths, *flags, output=tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "parquet"], "--format parquet: is for --engine ray"),
        (["--actors", "2"], "--actors: is for --engine ray"),
        (["--part-size", "2"], "--part-size: is for --engine ray"),
        (["s3://bucket/a.jpg"], "s3://bucket/a.jpg: URIs are for --engine ray"),
        (["--engine", "ray"], "needs --output, a folder"),
    ],
)
def test_mistakes_of_one_process(photos, capsys, arguments, message):
    assert main(["caption", str(photos), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_nothing_named(capsys):
    assert main(["caption"]) == 2
    assert "no pictures named; give PATH, or --manifest FILE" in capsys.readouterr().err


def test_without_ray_it_says_what_to_install(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert ray(photos, output=tmp_path / "out") == 2
    assert "pip install 'captioner[ray]'" in capsys.readouterr().err


def test_a_cluster_that_is_not_there(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    assert ray(photos, output=tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "RAY_ADDRESS 127.0.0.1:9: cannot be reached" in said
    assert len(said.splitlines()) == 1


def test_folders_that_hold_something_else(photos, tmp_path, capsys):
    output = tmp_path / "out"
    output.mkdir()
    (output / "diary").write_text("mine")
    assert ray(photos, output=output) == 2
    assert "folder is not empty" in capsys.readouterr().err
    assert os.listdir(output) == ["diary"]
    (output / "settings.json").write_text("[]")
    assert ray(photos, "--resume", output=output) == 2
    assert "not what a run leaves" in capsys.readouterr().err
    assert ray(photos, output=output / "diary") == 2
    assert "is a file" in capsys.readouterr().err


NAMES = ["a.jpg", "s3://bucket/b c%20d.jpg", "été/猫.png", os.fsdecode(b"\xff.jpg")]


def manifest_of(folder, ending, names, key="image"):
    path = folder / f"list.{ending}"
    if ending == "parquet":
        pyarrow.parquet.write_table(pyarrow.table({"n": range(len(names)), key: names}), path)
        return str(path)
    lines = {
        "txt": [*names, ""],
        "csv": [f"n,{key}", *(f'{number},"{name}"' for number, name in enumerate(names))],
        "jsonl": [json.dumps({"n": 1, key: name}) for name in names],
    }[ending]
    path.write_bytes("".join(line + "\r\n" for line in lines).encode("utf-8", "surrogateescape"))
    return str(path)


@pytest.mark.parametrize("key", ["image", "path"])
@pytest.mark.parametrize("ending", ["txt", "csv", "jsonl", "parquet"])
def test_manifests(tmp_path, ending, key):
    names = list(NAMES)
    if ending == "parquet":
        names.pop()  # its texts are UTF-8
    if ending != "txt":
        names.append("two\nlines.png")
    manifest = manifest_of(tmp_path, ending, names, key)
    assert list(read_manifest(manifest, ObjectStores())) == names
    assert list(read_manifest(f"file://{manifest}", ObjectStores())) == names


@pytest.mark.parametrize(
    ("ending", "content", "message"),
    [
        ("csv", b"", "has no column image or path; it has none"),
        ("csv", b"file,n\na.jpg,1\n", "has no column image or path; it has file, n"),
        ("csv", b"n,image\n1,a.jpg\n2\n", "line 3: no picture in column image"),
        ("jsonl", b'{"image": "a.jpg"}\n{"image": \n', "line 2: broken JSON"),
        ("jsonl", b'{"image": 3}\n', "line 1: names no picture"),
        ("jsonl", b"[]\n", "line 1: names no picture"),
        ("parquet", b"no table", "broken Parquet"),
        ("parquet", [1, 2], "row 1: no picture in column image"),
        ("parquet", ["a.jpg", None], "row 2: no picture in column image"),
        ("doc", b"", "a manifest's name ends in"),
        ("txt", None, "cannot be read (No such file or directory)"),
    ],
)
def test_broken_manifests(tmp_path, ending, content, message):
    path = tmp_path / f"list.{ending}"
    if isinstance(content, list):
        manifest_of(tmp_path, ending, content)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(CaptionerError) as caught:
        list(read_manifest(str(path), ObjectStores()))
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_a_manifest_for_one_process(photos, tmp_path, capsys, monkeypatch):
    manifest = manifest_of(tmp_path, "csv", ["photos/a.png", "photos/b.jpg"])
    monkeypatch.chdir(tmp_path)  # where its paths start
    assert main(["caption", "--manifest", manifest]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["photos/a.png", "photos/b.jpg"]


def test_a_uri_of_a_folder_of_this_machine(pictures, tmp_path):
    for name in ODD_NAMES:
        photo().save(pictures / name)
    problems = []
    arguments = [f"file://{pictures}/", str(pictures / "below"), f"file://{tmp_path}/nothing"]
    found = list(pictures_of(arguments, [], ObjectStores(), problems))
    plain = list(pictures_of([str(pictures)], [], ObjectStores(), []))
    assert found == ["file://" + each for each in plain]
    assert problems == [f"{tmp_path}/nothing: no such file or folder"]
    sources = PictureReader(ObjectStores()).sources(found)
    results = [result for _, _, result in read_images(sources, (8, 8))]
    assert [isinstance(each, ImageError) for each in results] == [
        "broken" in each for each in found
    ]


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Object stores whose buckets are folders: `mem://bucket/key`, read as S3's are."""
    (tmp_path / "buckets/bucket").mkdir(parents=True)
    system = SubTreeFileSystem(str(tmp_path / "buckets"), LocalFileSystem())
    monkeypatch.setattr(
        ObjectStores, "_connect", lambda self, bucket: (system, bucket.removeprefix("mem://"))
    )
    return tmp_path / "buckets/bucket"


def test_pictures_in_a_store(store, monkeypatch):
    for name in ("b.png", "below/a%20b? #c.png", ".hidden.png", "below/.thumbs/d.png", "é/x.PNG"):
        path = store / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        photo().save(path)
    (store / "photos/notes.txt").write_text("no picture")
    (store / "photos/broken.jpg").write_bytes(b"broken")
    (store / "empty").mkdir()
    stores, problems = ObjectStores(), []
    arguments = ["photos/", "photos/b.png", "empty", "nothing"]
    uris = [f"mem://bucket/{each}" for each in arguments]
    found = list(pictures_of(uris, [], stores, problems))
    assert found == [
        f"mem://bucket/photos/{name}"
        for name in ("b.png", "broken.jpg", "below/a%20b? #c.png", "é/x.PNG", "b.png")
    ]
    assert problems == [
        "mem://bucket/empty: folder holds no pictures",
        "mem://bucket/nothing: no such file or folder",
    ]
    found.append("mem://bucket/photos/gone.jpg")
    for most in (object_stores.MOST_AHEAD, 100):  # large ones are read when they are asked for
        monkeypatch.setattr(object_stores, "MOST_AHEAD", most)
        results = list(read_images(PictureReader(stores).sources(found), (8, 8)))
        wanted = read_image(store / "photos/b.png", (8, 8))
        for index, source, result in results:
            if index in (1, 5):
                assert str(result).startswith(f"{found[index]}: ")
            else:
                np.testing.assert_array_equal(result, wanted)
            assert source._content is None  # its bytes are not kept
        assert "not a picture" in str(results[1][2])
        assert "no such object" in str(results[5][2])
    monkeypatch.setattr(object_stores, "MOST_AT_ONCE", 100)
    [(_, _, result)] = read_images(PictureReader(stores).sources(found[:1]), (8, 8))
    assert "b.png: larger than" in str(result)


def test_options_of_a_store():
    stores = ObjectStores()
    uri = "s3://bucket/photos/?endpoint_override=localhost:9000&scheme=http"
    assert stores.take_options(uri) == "s3://bucket/photos/"
    assert stores.take_options("s3://bucket/out") == "s3://bucket/out"
    assert stores.options == {"s3://bucket": "endpoint_override=localhost:9000&scheme=http"}
    assert stores.take_options("s3://other/what?.jpg") == "s3://other/what?.jpg"
    assert stores.take_options("photos/?x=1") == "photos/?x=1"
    with pytest.raises(CaptionerError, match="give one of them"):
        stores.take_options("s3://bucket/?region=eu-west-1")
    with pytest.raises(CaptionerError, match="password"):
        stores.take_options("s3://bucket/?secret_key=x")
    assert stores.take_options("gs://anonymous@bucket/a") == "gs://anonymous@bucket/a"


class ActorHere:
    """The actor in this process, and what it is told to do."""

    def __init__(self, folder, plan, model=None, backward=None):
        package = ray_captioning.require_ray()
        self.job = ray_captioning.Job(
            folder=folder,
            ending="jsonl",
            options={},
            open_model=ray_engine.load_models,
            models=[model or ModelFiles(DEFAULT_PRESET, None)],
            backward=backward,
            search={},
            batch_size=32,
            content_of=functools.partial(ray_engine._as_json_lines, with_scores=True),
        )
        self.plan = plan
        self.attempts = package.remote(num_cpus=0)(ray_captioning.Attempts).remote(actors=1)
        self.actor = ray_captioning.PartCaptioner(
            package.put(self.job), plan.directory, self.attempts
        )

    def begin(self, part):
        """As another process would that died then."""
        return ray_captioning.require_ray().get(self.attempts.begin.remote(part))

    def caption(self, part):
        """The problems and why it stops, where it does."""
        places = {"start": self.plan.places[part], "end": self.plan.places[part + 1]}
        row = {"part": part, "pictures": self.plan.size_of(part), **places}
        told = self.actor({name: np.array([value]) for name, value in row.items()})
        return told["problems"][0], told["stop"][0]


def planned(folder, names, part_size, stores=None):
    folder = PartsFolder(str(folder), stores or ObjectStores(), "jsonl")
    assert folder.open({"x": 1}, resume=False) is None
    plan = folder.begin({"x": 1}, names, part_size=part_size, parts=1, problems=[])
    assert folder.open({"x": 1}, resume=True) == plan
    return folder, plan


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
    uris = pictures_of(["mem://bucket/"], [], stores, [])
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


def test_a_part_that_was_done_by_a_process_that_died(cluster, photos, tmp_path):
    names = [str(photos / "a.png"), str(tmp_path / "gone.png")]
    folder, plan = planned(tmp_path / "out", names, 2)
    gone = f"{tmp_path}/gone.png: cannot be read (No such file or directory)"
    assert ActorHere(folder.name, plan).caption(0) == (gone, "")
    before = state_of(parts_of(tmp_path / "out"))
    assert ActorHere(folder.name, plan).caption(0) == (gone, "")  # told again, not done again
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
    package = ray_captioning.require_ray()
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
    monkeypatch.setattr(ray_captioning, "__version__", "0.0.1")
    assert "captioner 0.0.1 is on a machine" in ActorHere(folder.name, plan).caption(0)[1]


def test_settings_that_no_search_has_are_told_in_one_line(cluster, pictures, tmp_path, capsys):
    assert ray(pictures, "--beam-size", "0", output=tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "beam" in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("parts", [1, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 7, 23, 24, 25, 61])
def test_a_list_is_cut_into_parts(count, parts):
    names = [f"{'x' * (number % 7)}\n{number}" for number in range(count)]
    index = ListIndex(part_size=3, parts=parts)
    content = b"".join(index.lines(names))
    places = index.close()
    found = [read_lines(content[start:end]) for start, end in itertools.pairwise(places)]
    assert [name for part in found for name in part] == names
    assert {len(part) for part in found[:-1]} <= {index.part_size}
    assert index.part_size <= 3
    if count >= parts:
        assert len(found) >= parts / 2
    assert Plan({}, count, index.part_size, places, None, []).parts == len(found)


def test_blocks_hold_each_part_once_and_become_small(monkeypatch):
    monkeypatch.setattr(ray_captioning, "MOST_BLOCKS", 10)
    places = list(range(0, 1010, 10))
    plan = Plan({}, 995, 10, places, None, [])
    todo = [part for part in range(100) if part % 7]
    blocks = ray_captioning._blocks(plan, todo, actors=2)
    rows = [row for block in blocks for row in block.to_pylist()]
    assert [row["part"] for row in rows] == todo
    assert all(row["start"] == 10 * row["part"] == row["end"] - 10 for row in rows)
    assert sum(row["pictures"] for row in rows) == 10 * len(todo) - 5
    sizes = [len(block) for block in blocks]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 9
    assert sizes[-8:] == [1] * 8


def test_no_room_for_a_part(tmp_path):
    folder = PartsFolder(str(tmp_path / "out"), ObjectStores(), "jsonl")
    with folder.held():
        folder.begin({}, ["a.jpg", "b.jpg"], part_size=1, parts=1, problems=[])
        folder.write_captions(0, b"short", [])
        with SmallDisk(100), pytest.raises(CaptionerError, match="cannot be written"):
            folder.write_captions(1, b"x" * 1000, [])
        assert list(folder.done(2)) == [1, 0]
        assert os.listdir(tmp_path / "out/captions") == ["part-00000000.jsonl"]


def test_two_processes_cannot_write_one_folder(tmp_path):
    folder = PartsFolder(str(tmp_path / "out"), ObjectStores(), "jsonl")
    with folder.held():
        other = PartsFolder(str(tmp_path / "out"), ObjectStores(), "jsonl")
        with pytest.raises(CaptionerError, match="another process is writing"), other.held():
            pass
        (tmp_path / "out/captions/.writing-1").write_text("half")
    with folder.held():  # sweeps what the killed have left
        assert os.listdir(tmp_path / "out/captions") == []
    assert os.listdir(tmp_path / "out") == []


def test_a_picture_out_of_an_open_file(tmp_path):
    class Source:
        name = "s3://bucket/a\nb.png"

        def __init__(self, content):
            self.read = lambda: content

    content = encoded(photo(), "PNG")
    np.testing.assert_array_equal(read_image(Source(content), (8, 8)), read_image(content, (8, 8)))
    with pytest.raises(ImageError, match=r"^s3://bucket/a\\nb.png: not a picture"):
        read_image(Source(b"broken"), (8, 8))
    with pytest.raises(ImageError, match="file is empty"):
        read_image(Source(b""), (8, 8))
