"""Captioning that is killed continues where it was, and never touches what it did not write."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from captioner.bulk import CaptionOptions, Listener, Outcome, caption_files
from captioner.cli import main
from captioner.errors import CaptionerError
from captioner.finding import find_images
from captioner.models import ModelChoice
from tests.bulk.conftest import stopped_after
from tests.bulk.test_picture_lists import manifest_of
from tests.conftest import SmallDisk
from tests.test_hostile_pictures import pictures_in


@pytest.mark.long
@pytest.mark.parametrize("format", ["text", "jsonl", "json", "csv", "coco"])
def test_a_stopped_run_goes_on(model, photos, tmp_path, capsys, monkeypatch, format):
    output, whole = tmp_path / "captions", tmp_path / "whole"
    command = ["caption", str(photos), "--model", model, "--format", format, "--scores"]
    assert main([*command, "--output", str(whole)]) == 0
    stopped_after(monkeypatch, 2)
    assert main([*command, "--output", str(output)]) == 130
    assert "interrupted; continue with --resume" in capsys.readouterr().err
    assert not output.exists()
    assert main([*command, "--output", str(output)]) == 2
    assert "an unfinished run is there" in capsys.readouterr().err
    assert main([*command, "--output", str(output), "--resume"]) == 0
    assert "continuing after 2 of 3 pictures" in capsys.readouterr().err
    assert output.read_bytes() == whole.read_bytes()
    assert not os.path.exists(f"{output}.part")
    assert main([*command, "--output", str(output), "--resume"]) == 0
    assert "is complete" in capsys.readouterr().err


def test_a_picture_given_twice_is_there_once(model, photos, tmp_path):
    output = tmp_path / "captions"
    paths = [str(photos), str(photos / "a.png")]
    assert main(["caption", *paths, "--model", model, "--output", str(output)]) == 0
    assert len(output.read_text().splitlines()) == 3


def test_under_other_settings_it_does_not_go_on(model, photos, tmp_path, capsys, monkeypatch):
    command = ["caption", str(photos), "--model", model, "--output", str(tmp_path / "captions")]
    stopped_after(monkeypatch, 1)
    main(command)
    assert main([*command, "--resume", "--beam-size", "5"]) == 2
    assert "beam_size was None, is 5" in capsys.readouterr().err
    # The page shows where each word looked, which the run so far has not noted.
    assert main([*command, "--resume", "--format", "html"]) == 2
    assert "with_attention was None, is True" in capsys.readouterr().err


def test_a_run_that_did_nothing_leaves_nothing(model, photos, tmp_path):
    output = tmp_path / "captions"
    command = ["caption", str(photos), "--model", model, "--output", str(output)]
    assert main([*command, "--beam-size", "0"]) == 2
    assert not os.path.exists(f"{output}.part")
    assert main(command) == 0


def test_killed_at_any_moment(photos, tmp_path):
    """By the shipped model, in processes of their own, killed again and again."""
    for n in range(60):
        Image.new("RGB", (40, 30), (4 * n, 0, 0)).save(photos / f"{n}.png")
    output = tmp_path / "captions"
    command = [sys.executable, "caption.py", str(photos), "--format", "jsonl", "--resume"]
    command += ["--output", str(output), "--batch-size", "2"]
    kills, sizes = 0, [0]
    while kills < 3:
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        part = f"{output}.part"
        while process.poll() is None and (
            not os.path.exists(part) or os.path.getsize(part) < sizes[-1] + 1000
        ):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
        sizes.append(os.path.getsize(part))
    assert sizes == sorted(set(sizes))  # each went on from the one before
    assert subprocess.run(command, capture_output=True).returncode == 0
    expected = sorted(str(path) for path in photos.iterdir())
    assert sorted(pictures_in(output, "jsonl")) == expected


def test_no_room_for_the_output(model, photos, tmp_path, capsys):
    output = tmp_path / "captions"
    command = ["caption", str(photos), "--model", model, "--output", str(output)]
    output.write_text("older captions")
    with SmallDisk(300):
        assert main([*command, "--overwrite"]) == 2
    error = capsys.readouterr().err
    assert "cannot be written (File too large)" in error
    assert len(error.splitlines()) == 1
    assert output.read_text() == "older captions"
    assert main([*command, "--resume"]) == 0
    assert len(output.read_text().splitlines()) == 3


@pytest.mark.parametrize("flags", [[], ["--format", "json"]])
def test_an_output_of_before_is_not_replaced(model, photos, tmp_path, capsys, flags):
    output = tmp_path / "captions"
    output.write_text("of people")
    command = ["caption", str(photos), "--model", model, "--output", str(output), *flags]
    assert main(command) == 2
    assert f"{output}: exists already; --overwrite replaces it" in capsys.readouterr().err
    assert output.read_text() == "of people"
    assert not os.path.exists(f"{output}.part")
    assert main([*command, "--overwrite"]) == 0
    assert str(photos / "a.png") in output.read_text()


def test_an_empty_file_may_be_written(model, photos, tmp_path):
    output = tmp_path / "of_mktemp"
    output.touch()
    assert main(["caption", str(photos), "--model", model, "--output", str(output)]) == 0
    assert len(output.read_text().splitlines()) == 3


def test_overwrite_needs_something_to_replace(tiny_captioner, photos):
    options = CaptionOptions(overwrite=True)
    with pytest.raises(CaptionerError, match="--overwrite: is for --output, --sidecar and"):
        caption_files(tiny_captioner, [str(photos)], io.StringIO(), options)


class Unsure:
    """A captioner whose confidence is given by the first letter of a picture's name."""

    def __init__(self, captioner, **confidences):
        self._captioner, self._confidences = captioner, confidences
        self.confidence = "how it is found"

    def generate_all(self, pictures, *arguments, **settings):
        for found in self._captioner.generate_all(pictures, *arguments, **settings):
            index, picture, captions = found
            sure = self._confidences[os.path.basename(picture)[0]]
            yield index, picture, [each._replace(confidence=sure) for each in captions]


def test_captions_of_which_it_is_not_sure_are_not_written(tiny_captioner, photos, tmp_path):
    model, options = (
        Unsure(tiny_captioner, a=0.9, b=0.5, c=0.2),
        {"min_score": 0.5, "sidecar": True},
    )
    file = io.StringIO()
    outcome = caption_files(model, [str(photos)], file, CaptionOptions("csv", **options))
    assert outcome == Outcome(pictures=3, has_problems=False, below_min_score=1)
    assert outcome.all_captioned
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert [os.path.basename(row["image"]) for row in rows] == ["a.png", "b.jpg"]
    assert sorted(photos.glob("*.txt")) == [photos / "a.txt", photos / "b.txt"]


def test_a_stopped_run_counts_them_all(tiny_captioner, photos, tmp_path, monkeypatch):
    model, output = Unsure(tiny_captioner, a=0.1, b=0.9, c=0.2), str(tmp_path / "o.jsonl")
    resuming = CaptionOptions("jsonl", resume=True, min_score=0.3)
    stopped_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        caption_files(model, [str(photos)], output, resuming)
    with pytest.raises(CaptionerError, match=r"min_score was 0\.3, is None"):
        caption_files(model, [str(photos)], output, CaptionOptions("jsonl", resume=True))
    heard = Heard()
    outcome = caption_files(model, [str(photos)], output, resuming, listener=heard)
    assert heard.all == [(2, 3), 1]
    assert outcome == Outcome(pictures=3, has_problems=False, below_min_score=2)
    with open(output) as file:
        assert [os.path.basename(json.loads(line)["image"]) for line in file] == ["b.jpg"]


def test_a_model_that_cannot_say_how_sure_it_is(model, photos, capsys):
    assert main(["caption", str(photos), "--model", model, "--min-score", "0.5"]) == 2
    said = capsys.readouterr().err
    assert said.endswith(f"python -m captioner calibrate --model {model} --data DATA\n")
    assert said.startswith("captioner: error: --min-score 0.5: the model cannot say how sure it is")
    two = ["--model", model, "--model", model]
    assert main(["caption", str(photos), *two, "--min-score", "0.5"]) == 2
    assert "averaged or re-ranked cannot say how sure they are" in capsys.readouterr().err


@pytest.mark.parametrize("format", ["text", "csv", "json", "jsonl", "coco", "html"])
def test_texts_around_captions_are_in_every_output(tiny_captioner, photos, format):
    [wanted] = tiny_captioner.generate([str(photos / "a.png")])
    options = CaptionOptions(format, sidecar=True, prefix="a photo of ", suffix=", sks")
    file = io.StringIO()
    caption_files(tiny_captioner, [str(photos / "a.png")], file, options)
    written = file.getvalue().replace("\\u00e9", "é")
    assert f"a photo of {wanted}, sks" in (written.replace('"', "") if format == "csv" else written)
    assert (photos / "a.txt").read_text(encoding="utf-8") == f"a photo of {wanted}, sks\n"


@pytest.mark.parametrize("name", ["prefix", "suffix"])
def test_other_texts_do_not_continue_a_run(tiny_captioner, photos, tmp_path, monkeypatch, name):
    output = str(tmp_path / "o")
    stopped_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        caption_files(tiny_captioner, [str(photos)], output, CaptionOptions())
    with pytest.raises(CaptionerError, match=f"{name} was None, is 'x'"):
        caption_files(
            tiny_captioner, [str(photos)], output, CaptionOptions(resume=True, **{name: "x"})
        )


def test_the_ending_of_files_beside_pictures(model, photos, capsys):
    command = ["caption", str(photos), "--model", model, "--sidecar"]
    (photos / "b.txt").write_text("by hand")
    assert main([*command, "--caption-extension", "caption"]) == 0
    assert len(list(photos.glob("*.caption"))) == 3
    assert [each.name for each in photos.glob("*.txt")] == ["b.txt"]
    capsys.readouterr()
    assert main([*command, "--caption-extension", ".caption"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "captioner: 3 pictures have a caption file already; --overwrite replaces them, --resume "
        "skips them"
    ]


def test_an_address_on_the_web_is_no_file(tiny_captioner, capsys):
    for address in ("http://example.org/a.jpg", "HTTPS://example.org/?a=*.jpg"):
        with pytest.raises(CaptionerError, match="is on the web; download it first"):
            caption_files(tiny_captioner, [address], io.StringIO())


def test_captions_beside_pictures(model, photos, capsys):
    command = ["caption", str(photos), "--model", model, "--sidecar"]
    (photos / "b.txt").write_text("by hand")
    assert main(command) == 1
    printed = capsys.readouterr()
    assert "b.txt exists already; --overwrite replaces it" in printed.err
    captions = dict(line.split("\t") for line in printed.out.splitlines())
    assert sorted(captions) == [str(photos / "a.png"), str(photos / "c.webp")]
    assert (photos / "a.txt").read_text() == captions[str(photos / "a.png")] + "\n"
    assert (photos / "b.txt").read_text() == "by hand"
    assert main([*command, "--resume"]) == 0
    assert capsys.readouterr().out == ""
    assert (photos / "b.txt").read_text() == "by hand"
    assert main([*command, "--overwrite"]) == 0
    assert (photos / "b.txt").read_text() != "by hand"


def test_two_pictures_of_one_name(model, photos, capsys):
    Image.new("RGB", (9, 9)).save(photos / "a.jpg")
    command = ["caption", str(photos), "--model", model, "--sidecar"]
    assert main(command) == 1
    assert "which has the same name" in capsys.readouterr().err


def test_captions_beside_pictures_and_in_a_file(model, photos, tmp_path, monkeypatch):
    output = tmp_path / "o.jsonl"
    command = ["caption", str(photos), "--model", model, "--sidecar", "--output", str(output)]
    stopped_after(monkeypatch, 2)
    assert main([*command, "--format", "jsonl"]) == 130
    assert main([*command, "--format", "jsonl", "--resume"]) == 0
    entries = [json.loads(line) for line in output.read_text().splitlines()]
    assert len(entries) == 3
    for entry in entries:
        with open(os.path.splitext(entry["image"])[0] + ".txt") as file:
            assert file.read() == entry["caption"] + "\n"


def test_a_sampled_run_that_was_stopped_ends_as_if_it_had_not_been(
    model, photos, tmp_path, monkeypatch
):
    sampling = ["--method", "sample", "--seed", "1", "--temperature", "3"]
    command = ["caption", str(photos), "--model", model, *sampling, "--output"]
    assert main([*command, str(tmp_path / "whole")]) == 0
    stopped_after(monkeypatch, 1)
    assert main([*command, str(tmp_path / "o")]) == 130
    assert main([*command, str(tmp_path / "o"), "--resume"]) == 0
    assert (tmp_path / "o").read_bytes() == (tmp_path / "whole").read_bytes()


def test_files_of_names_like_ours_are_not_touched(model, photos):
    victim = photos / "victim"
    victim.write_text("mine")
    (photos / "a.txt.new").symlink_to("victim")
    assert main(["caption", str(photos / "a.png"), "--model", model, "--sidecar"]) == 0
    assert victim.read_text() == "mine"
    assert (photos / "a.txt").read_text().strip()
    assert sorted(os.listdir(photos))[:3] == ["a.png", "a.txt", "a.txt.new"]


def test_an_output_that_is_not_a_file_is_reported_before_the_work(model, photos, tmp_path, capsys):
    assert main(["caption", str(photos), "--model", model, "--output", str(tmp_path)]) == 2
    assert "is not a regular file" in capsys.readouterr().err


def test_a_glob_finds_each_picture_once(photos):
    (photos / "below").mkdir()
    (photos / "a.png").rename(photos / "below" / "a.png")
    paths, _ = find_images([f"{photos}/**"])
    assert sorted(paths) == sorted(set(paths))
    assert len(paths) == 3


def test_a_manifest_for_one_process(photos, tmp_path, capsys, monkeypatch):
    manifest = manifest_of(tmp_path, "csv", ["photos/a.png", "photos/b.jpg"])
    monkeypatch.chdir(tmp_path)  # where its paths start
    assert main(["caption", "--manifest", manifest]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["photos/a.png", "photos/b.jpg"]


def test_a_manifest_of_uris_and_windows_paths(photos, tmp_path, capsys, monkeypatch):
    (photos / "b.jpg").rename(photos / "b c.jpg")
    names = ["photos\\a.png", f"file://{photos}/b%20c.jpg", "photos/c.webp"]
    manifest = manifest_of(tmp_path, "txt", names)
    monkeypatch.chdir(tmp_path)
    assert main(["caption", "--manifest", f"file://{manifest}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = [line.split("\t")[0] for line in lines]
    assert found == ["photos/a.png", f"{photos}/b c.jpg", "photos/c.webp"]


def test_names_that_end_in_zero_bytes(photos, capsys, monkeypatch):
    odd = photos / "two\nlines.png"
    (photos / "a.png").rename(odd)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(os.fsencode(odd))))
    # A number below zero is no flag, though -0 is one.
    assert main(["caption", "-0", "-", "--length-penalty", "-1", "--format", "json"]) == 0
    [entry] = json.loads(capsys.readouterr().out)
    assert entry["image"] == str(odd)


def test_kinds_that_cannot_be_read_are_told_in_one_line(photos, capsys):
    for number in range(3):
        (photos / f"{number}.nef").touch()
    assert main(["caption", str(photos)]) == 1
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 3
    [line] = printed.err.splitlines()
    assert "3 .nef pictures were left out" in line


class Heard(Listener):
    """Everything that a captioning reports, in order."""

    def __init__(self):
        self.all = []

    def problem(self, line):
        self.all.append(line)

    def start(self, done, total):
        self.all.append((done, total))

    def advance(self, pictures):
        self.all.append(pictures)


def test_from_python_into_an_open_file(tiny_captioner, photos):
    (photos / "aa.jpg").write_bytes(b"broken")
    paths = [str(photos), str(photos / "gone.jpg")]
    options = CaptionOptions("csv", search={"method": "greedy"})
    heard, file = Heard(), io.StringIO()
    outcome = caption_files(tiny_captioner, paths, file, options, listener=heard)
    assert outcome == Outcome(pictures=4, has_problems=True)
    assert not outcome.all_captioned
    good = [str(photos / name) for name in ("a.png", "b.jpg", "c.webp")]
    wanted = tiny_captioner.generate(good, method="greedy")
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert [(row["image"], row["caption"]) for row in rows] == list(zip(good, wanted, strict=True))
    missing, start, one, broken, *rest = heard.all
    assert missing == f"{photos}/gone.jpg: no such file or folder"
    assert (start, one, rest) == ((0, 4), 1, [1, 1, 1])
    assert broken.startswith(f"{photos}/aa.jpg: not a picture")


def test_from_python_a_stopped_run_is_continued(tiny_captioner, photos, tmp_path, monkeypatch):
    output, resuming = str(tmp_path / "o.jsonl"), CaptionOptions("jsonl", resume=True)
    stopped_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        caption_files(tiny_captioner, [str(photos)], output, resuming)
    heard = Heard()
    outcome = caption_files(tiny_captioner, [str(photos)], output, resuming, listener=heard)
    assert heard.all == [(2, 3), 1]
    assert outcome == Outcome(pictures=3, has_problems=False)
    again = caption_files(tiny_captioner, [str(photos)], output, resuming, listener=Heard())
    assert again == Outcome(pictures=3, has_problems=False, was_complete=True)


def test_another_model_does_not_continue(tiny_captioner, photos, tmp_path, monkeypatch):
    names = [str(tmp_path / f"{name}.keras") for name in "ab"]
    for name in names:
        tiny_captioner.save(name)
    stopped_after(monkeypatch, 1)
    output, resuming = str(tmp_path / "o"), CaptionOptions(resume=True)
    with pytest.raises(KeyboardInterrupt):
        caption_files(ModelChoice(names[0]), [str(photos)], output, resuming)
    with pytest.raises(CaptionerError, match=r"model was .*a\.keras.*, is .*b\.keras"):
        caption_files(ModelChoice(names[1]), [str(photos)], output, resuming)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "parquet"}, "--format parquet: is for --engine ray"),
        ({"min_score": 1.5}, r"--min-score 1\.5: must be from 0 to 1"),
        ({"prefix": "two\nlines"}, "--prefix 'two.*lines': must be text in one line"),
        ({"caption_extension": ".caption"}, r"--caption-extension \.caption: is for --sidecar"),
        ({"caption_extension": ".jpg", "sidecar": True}, "give an ending of text files"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(CaptionerError, match=message):
        CaptionOptions(**options)


def test_no_pyarrow_and_no_ray_is_needed(photos):
    command = ["caption", str(photos / "a.png")]
    program = (
        f"import sys\nfrom captioner.cli import main\nassert main({command!r}) == 0\n"
        "print([name for name in ('pyarrow', 'ray', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_output_is_never_a_picture_nor_a_caption_file(model, photos, capsys):
    photo, beside = photos / "b.jpg", photos / "b.txt"
    before = photo.read_bytes()
    command = ["caption", str(photos), "--model", model, "--overwrite", "--output"]
    assert main([*command, str(photo)]) == 2
    assert f"--output {photo}: is one of the pictures" in capsys.readouterr().err
    assert photo.read_bytes() == before
    assert main([*command, str(beside), "--sidecar"]) == 2
    assert "is a caption file that --sidecar writes" in capsys.readouterr().err
    assert not beside.exists()
