"""Model files from strangers and from broken disks: opened whole, or refused in one line."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

from captioner import Captioner, CaptionerError, load
from captioner.confidence import Confidence
from captioner.model_file import CONFIG, WEIGHTS, check_model_file, store_confidence
from captioner.presets import DEFAULT_PRESET

CONFIDENCE = Confidence(bias=-2.0, probability=5.0, length=-0.1)


@pytest.fixture(scope="module")
def whole(tiny_captioner, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "whole.keras"
    tiny_captioner.save(path)
    return path


def members_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return str(path)


def refused(path, reason=None):
    with pytest.raises(CaptionerError, match=reason) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: cannot be opened as a captioner")
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 600


def test_the_version_that_wrote_it(whole, tmp_path):
    from captioner import __version__

    assert check_model_file(whole) == __version__
    members = members_of(whole)
    config = json.loads(members[CONFIG])
    config["config"]["version"] = "9.9"
    config["config"]["decoder"]["hyperloop"] = True
    refused(
        written(tmp_path / "m.keras", members | {CONFIG: json.dumps(config)}),
        rf"written by captioner 9.9, this is {__version__}",
    )


def test_a_file_of_before_there_were_versions_opens(whole, tmp_path):
    """And before attention, directions and rules against repeats."""
    members = members_of(whole)
    config = json.loads(members[CONFIG])
    model = config["config"]
    del model["version"], model["vocabulary"]["direction"], model["confidence"]
    del model["generation"]["no_repeat_ngram"], model["generation"]["no_repeat_word"]
    model["vocabulary"].pop("repeatable", None)
    for name in ("attention", "attention_units", "attention_penalty"):
        del model["decoder"][name]
    opened = load(written(tmp_path / "m.keras", members | {CONFIG: json.dumps(config)}))
    assert opened.generation["no_repeat_ngram"] == 0
    assert opened.generation["no_repeat_word"] is False
    assert opened.vocabulary.repeatable is None
    assert opened.confidence is None
    for one, other in zip(opened.weights, load(whole).weights, strict=True):
        np.testing.assert_array_equal(one, other)


def layer(module_name, class_name, **config):
    return {
        "module": module_name,
        "class_name": class_name,
        "config": config,
        "registered_name": None,
    }


@pytest.mark.parametrize(
    "evil",
    [
        layer("keras.layers", "Lambda", function="gASVBAAAAAAAAACMAg=="),
        layer("builtins", "function", name="print"),
        layer("os", "system"),
        layer("tests.hostile", "photo"),
        {"class_name": "__lambda__", "config": {"value": "gASV"}},
        layer("keras.layers", "TorchModuleWrapper", module="gASV"),
        layer("keras.layers", "StringLookup", vocabulary="/etc/passwd"),
    ],
)
@pytest.mark.parametrize("place", ["about", "encoder", "decoder"])
def test_classes_of_others_are_refused(whole, tmp_path, monkeypatch, evil, place):
    opened = []
    monkeypatch.setattr(keras.saving, "load_model", lambda *args, **kw: opened.append(args))
    members = members_of(whole)
    config = json.loads(members[CONFIG])
    config["config"][place]["dtype"] = [evil]
    path = written(tmp_path / "m.keras", members | {CONFIG: json.dumps(config)})
    refused(path, "may run someone else's code")
    assert not opened


def test_another_model_is_none_of_ours(tmp_path):
    keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "d.keras")
    refused(str(tmp_path / "d.keras"), "a Keras model, but not a captioner")


@pytest.mark.parametrize("name", ["../../evil.py", "/tmp/evil", "assets/x", "config.json "])
def test_members_beside_the_three(whole, tmp_path, name):
    refused(written(tmp_path / "m.keras", members_of(whole) | {name: b"x"}), "and nothing else")


def test_a_member_that_is_too_large(whole, tmp_path, monkeypatch):
    monkeypatch.setattr("captioner.model_file.MOST_BYTES", 1000)
    refused(str(whole), "more than a captioner's")


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("decoder", "units", 10**9), ("decoder", "layers", 10**9), ("decoder", "embedding", -1),
        ("encoder", "size", 10**6), ("generation", "beam_size", 10**9),
        ("generation", "max_length", "many"), ("generation", "method", "__import__"),
        ("vocabulary", "words", ["a\x1b[2J"] * 7), ("vocabulary", "words", 7),
        ("decoder", "cell", "transformer"), ("encoder", "backbone", "../x"),
        ("confidence", "bias", "much"), ("confidence", "length", 10**9),
        ("confidence", "beauty", 1.0),
    ],
)  # fmt: skip
def test_configs_that_claim_too_much(whole, tmp_path, part, name, value):
    members = members_of(whole)
    config = json.loads(members[CONFIG])
    config["config"]["confidence"] = CONFIDENCE.to_config()
    config["config"][part][name] = value
    refused(written(tmp_path / "m.keras", members | {CONFIG: json.dumps(config)}))


def test_layers_whose_product_is_too_large(whole, tmp_path):
    members = members_of(whole)
    config = json.loads(members[CONFIG])
    config["config"]["decoder"] |= {"units": 16000, "embedding": 16000, "layers": 9000}
    path = written(tmp_path / "m.keras", members | {CONFIG: json.dumps(config)})
    refused(path, "its decoder would have")


def test_a_file_of_join_is_refused_with_what_to_do(whole, tmp_path):
    """A command of before made one file of several decoders."""
    members = members_of(whole)
    config = json.loads(members[CONFIG])
    config["config"]["decoder"] = {"members": [config["config"]["decoder"]] * 2}
    path = written(tmp_path / "m.keras", members | {CONFIG: json.dumps(config)})
    refused(path, "no longer supported.*--model A --model B")


def changed_weights(members, change):
    buffer = io.BytesIO(members[WEIGHTS])
    with h5py.File(buffer, "r+") as file:
        change(file)
    return members | {WEIGHTS: buffer.getvalue()}


def first_dataset(file):
    found = []
    file.visititems(
        lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None
    )
    return found[0]


def outside(file):
    file.create_dataset("x", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4,))
    file.create_virtual_dataset("x", layout)


def linked(file):
    file["x"] = h5py.ExternalLink("/etc/passwd", "/x")


def enormous(file):
    file.create_dataset("x", (10**6, 10**6), "f4", chunks=(1000, 1000))


def words(file):
    file["x"] = "text"


@pytest.mark.parametrize("change", [outside, virtual, linked, enormous, words])
def test_weights_that_are_no_plain_arrays(whole, tmp_path, change):
    members = changed_weights(members_of(whole), change)
    reason = {linked: "lies elsewhere", enormous: "larger than the file"}.get(change, "not a plain")
    refused(written(tmp_path / "m.keras", members), reason)


def test_weights_that_are_missing(whole, tmp_path):
    def remove(file):
        del file[first_dataset(file)]

    refused(written(tmp_path / "m.keras", changed_weights(members_of(whole), remove)))


def test_cut_anywhere(whole, tmp_path):
    content = whole.read_bytes()
    path = tmp_path / "cut.keras"
    for length in [*range(0, 4000, 397), *np.linspace(4000, len(content) - 1, 12).astype(int)]:
        path.write_bytes(content[:length])
        refused(str(path))


def test_bits_flipped_anywhere_are_noticed(whole, tmp_path):
    """Damage is told, or it is where it does no harm: in the time stamps of the zip file."""
    content, rng = whole.read_bytes(), np.random.default_rng(0)
    path = tmp_path / "flipped.keras"
    wanted = members_of(whole)
    edges = [*rng.integers(400, size=60), *(len(content) - 1 - rng.integers(400, size=60))]
    messages = []
    for place in [*edges, *rng.integers(len(content), size=60)]:
        changed = bytearray(content)
        changed[place] ^= 1 << rng.integers(8)
        path.write_bytes(changed)
        try:
            check_model_file(str(path))
        except CaptionerError as error:
            messages.append(str(error))
        else:
            assert members_of(path) == wanted
    assert len(messages) > 90
    for message in messages:
        assert message.startswith(f"{path}: ")
        assert message.isprintable()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CaptionerError, match="No such file"):
        check_model_file(str(tmp_path / "no.keras"))


def test_the_shipped_model_passes():
    assert Captioner.from_preset(DEFAULT_PRESET).generation["beam_size"] == 3


def test_a_confidence_is_stored_and_nothing_else_changes(whole, tmp_path):
    copy = tmp_path / "copy.keras"
    store_confidence(str(whole), CONFIDENCE, str(copy))
    before, after = members_of(whole), members_of(copy)
    assert list(after) == list(before)
    assert [name for name in before if before[name] != after[name]] == [CONFIG]
    was, now = (json.loads(each[CONFIG]) for each in (before, after))
    assert was["config"].pop("confidence") is None
    assert now["config"].pop("confidence") == CONFIDENCE.to_config()
    assert now == was
    assert load(copy).confidence == CONFIDENCE
    assert load(copy, implementation="keras").confidence == CONFIDENCE
    other = Confidence(bias=0.0, probability=1.0, length=0.0)
    store_confidence(str(copy), other, str(copy))  # in place
    assert load(copy).confidence == other
    assert [each.name for each in tmp_path.iterdir()] == ["copy.keras"]


def test_a_confidence_is_not_stored_in_what_is_no_captioner(whole, tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(whole.read_bytes()[:-100])
    broken = path.read_bytes()
    with pytest.raises(CaptionerError, match="cannot be opened as a captioner"):
        store_confidence(str(path), CONFIDENCE, str(path))
    assert path.read_bytes() == broken
    with pytest.raises(CaptionerError, match=r"none/new\.keras: cannot be written"):
        store_confidence(str(whole), CONFIDENCE, str(tmp_path / "none" / "new.keras"))
