"""What a captioning reports."""

import pytest

from captioner.bulk import Listener, Outcome


@pytest.mark.parametrize(
    ("outcome", "all_captioned"),
    [
        (Outcome(3, False), True),
        (Outcome(3, False, was_complete=True), True),
        (Outcome(3, True), False),
        (Outcome(3, False, missing=1), False),
    ],
)
def test_all_is_captioned_where_nothing_failed_and_nothing_is_missing(outcome, all_captioned):
    assert outcome.all_captioned == all_captioned


def test_a_listener_may_hear_only_some(photos, tmp_path, tiny_captioner):
    from captioner.bulk import caption_files

    class Problems(Listener):
        def __init__(self):
            self.heard = []

        def problem(self, line):
            self.heard.append(line)

    problems = Problems()
    (photos / "aa.jpg").write_bytes(b"broken")
    outcome = caption_files(tiny_captioner, [str(photos)], str(tmp_path / "o"), listener=problems)
    assert outcome == Outcome(pictures=4, has_problems=True)
    [line] = problems.heard
    assert line.startswith(f"{photos}/aa.jpg: not a picture")
