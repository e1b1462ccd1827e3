"""The lines that errors say."""

import errno
import os

import pytest

from captioner.errors import (
    LONGEST,
    CaptionerError,
    cannot_be,
    differences,
    needs_extra,
    reason_of,
    require,
    require_choice,
    require_downloaded,
    suggestion,
)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a.jpg: no such file", "a.jpg: no such file"),
        ("été 狗: missing", "été 狗: missing"),
        ("two\nlines", r"two\nlines"),
        ("\x1b[2Jcleared", r"\x1b[2Jcleared"),  # would steer the terminal
        ("right \u202e left", r"right \u202e left"),
        (os.fsdecode(b"\xff.jpg"), r"\udcff.jpg"),  # a byte that is not UTF-8
    ],
)
def test_a_message_is_one_printable_line(given, shown):
    assert str(CaptionerError(given)) == shown
    assert shown.isprintable()


def test_of_a_long_message_both_ends_are_left():
    message = str(CaptionerError("path: " + "x" * 10_000 + ": what to do"))
    assert len(message) == LONGEST + len(" ... ")
    assert message.startswith("path: x")
    assert message.endswith("x: what to do")
    assert str(CaptionerError("x" * LONGEST)) == "x" * LONGEST


def test_what_is_required():
    require(True, "never seen")
    with pytest.raises(CaptionerError, match=r"^no captions$"):
        require([], "no captions")
    require_choice("cell", "gru", ("rnn", "gru"))
    with pytest.raises(CaptionerError, match=r"^units 3: choose one of 1, 2$"):
        require_choice("units", 3, (1, 2))
    with pytest.raises(CaptionerError, match=r"^cell 'grru': did you mean gru\? choose one of"):
        require_choice("cell", "grru", ("rnn", "gru"))


@pytest.mark.parametrize("path", ["a.jpg", "http", "s3://bucket/a.jpg", "httpd/a.jpg"])
def test_a_file_needs_no_download(path):
    require_downloaded(path)


@pytest.mark.parametrize("path", ["http://x.org/a.jpg", "HTTPS://x.org"])
def test_an_address_on_the_web(path):
    with pytest.raises(CaptionerError, match=f"^{path}: is on the web; .* curl -O {path}$"):
        require_downloaded(path)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("beem-size", "did you mean --beam-size? "),
        ("resum", "did you mean --resume? "),  # the beginning of one, and close to another
        ("colour", ""),
        ("", ""),
    ],
)
def test_what_was_meant(given, meant):
    assert suggestion(given, ["beam-size", "resume", "results"], "--{}".format) == meant


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a.txt"), "No space left on device"),
        (OSError("truncated file"), "truncated file"),
        (RuntimeError("\nno such operation\nand a long trace\n"), "no such operation"),
        (ValueError("x" * 1000), "x" * 200),
        (KeyError(), "KeyError"),
    ],
)
def test_the_reason_is_short_and_never_empty(error, reason):
    assert reason_of(error) == reason
    assert cannot_be("read", "a.txt", error) == f"a.txt: cannot be read ({reason})"


def test_a_reason_can_be_given():
    assert cannot_be("listed", "s3://b", "denied") == "s3://b: cannot be listed (denied)"


def test_an_optional_package_is_installed_by_its_extra():
    line = needs_extra("serve needs fastapi", "web", ImportError("No module named 'fastapi'"))
    assert line.startswith("serve needs fastapi (No module named 'fastapi'); ")
    assert line.endswith("; pip install 'captioner[web]', or here: pip install '.[web]'")


def test_differences_are_found_both_ways():
    was, now = {"a": 1, "b": "x", "c": None}, {"a": 1, "b": "y", "d": 2}
    assert differences(was, now) == ["b was 'x', is 'y'", "d was None, is 2"]
    assert differences(was, was) == []
