"""The figures: each is drawn from what the library gives, and shows what it is given."""

import io
import math

import numpy as np
import pytest

from captioner import reports
from captioner.errors import CaptionerError
from captioner.generation import Caption
from captioner.recurrent import ImageRNN
from captioner.study.beam_tree import Node, beam_tree

WORDS = ["<start>", "a", "dog"]


def drawn(figure):
    """Draws a figure, which fails where its parts do not fit together; returns its texts."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=40)
    assert len(file.getvalue()) > 500
    return [text.get_text() for axes in figure.axes for text in [*axes.texts, axes.title]]


@pytest.fixture
def trace():
    rng = np.random.default_rng(0)
    words = rng.normal(size=(1, 3, 4)).astype("float32")
    return ImageRNN(5, "lstm").trace(words, rng.normal(size=(1, 2)).astype("float32"))


def test_gates_have_a_panel_each_and_a_plain_rnn_has_none(trace):
    titles = drawn(reports.gates(trace, WORDS))
    assert [title for title in titles if title] == ["input gate", "forget gate", "output gate"]
    with pytest.raises(CaptionerError, match="a plain RNN has none"):
        reports.gates({"hidden": trace["hidden"]}, WORDS)


def test_a_step_is_drawn_with_the_numbers_of_the_forward_pass(trace):
    texts = "\n".join(drawn(reports.lstm_step(trace, time=1, unit=2, word="a")))
    value = {name: float(np.asarray(each)[0, 1, 2]) for name, each in trace.items()}
    before = {name: float(np.asarray(each)[0, 0, 2]) for name, each in trace.items()}
    assert f"σ\n{value['forget_gate']:.2f}" in texts
    assert f"tanh\n{value['candidate']:.2f}" in texts
    assert f"{value['forget_gate'] * before['memory']:+.2f}" in texts
    assert f"$c_t$\n{value['memory']:+.2f}" in texts
    assert f"{value['hidden']:+.2f}" in texts
    assert "unit 2, step 2, reading “a”" in texts
    first = "\n".join(drawn(reports.lstm_step(trace, time=0)))
    assert "$c_{t-1}$\n+0.00" in first
    with pytest.raises(CaptionerError, match="only an LSTM"):
        reports.lstm_step({"hidden": trace["hidden"]}, 0)


def test_states_over_time_are_one_column_a_word(trace):
    figure = reports.over_time(trace["hidden"][0], WORDS, "states")
    assert figure.axes[0].images[0].get_array().shape == (5, 3)
    assert "states" in drawn(figure)


def test_attention_shows_the_picture_once_for_each_word():
    weights = np.random.default_rng(0).random((2, 3, 3))
    caption = Caption("a dog", -1.0, ("a", "dog"), (-1.0, -1.0, -1.0), weights)
    figure = reports.attention(np.zeros((30, 40, 3), "uint8"), caption, columns=2)
    assert [title for title in drawn(figure) if title] == ["a", "dog"]
    dark = figure.axes[1].images[1].get_alpha()
    assert dark.shape == (30, 40)
    middles = dark[5::10, 7::13][:3, :3]  # of the nine regions
    assert middles.argmin() == weights[0].argmax()
    assert dark.min() < 0.1 < 0.4 < dark.max()
    with pytest.raises(CaptionerError, match="this captioner has none"):
        reports.attention(np.zeros((30, 40, 3), "uint8"), caption._replace(attention=None))


def test_a_beam_tree_names_every_word_and_the_place_of_each_end(tiny_captioner):
    image = np.ones((1, *tiny_captioner.image_shape), "float32")
    nodes = beam_tree(tiny_captioner, image, beam_size=2, max_length=4)
    texts = drawn(reports.beam_tree(nodes))
    for node in nodes:
        assert node.word in texts
        assert node.rank < 0 or f"no. {node.rank + 1}" in texts
        assert node.parent < 0 or f"{math.exp(node.log_prob):.2f}" in texts


def test_a_small_probability_in_a_beam_tree_is_not_rounded_to_nothing():
    nodes = [
        Node("<start>", -1, 0, 0.0, 0.0),
        Node("dog", 0, 1, -9.0, -9.0),
        Node("<end>", 1, 2, -0.1, -9.1, 0),
    ]
    texts = drawn(reports.beam_tree(nodes))
    assert "<0.01" in texts
    assert "0.90" in texts


def test_axes_that_count_have_ticks_at_whole_numbers_only():
    row = {"stage": "features", "train_loss": 3.0, "val_loss": 2.0, "CIDEr": 0.1, "BLEU-4": 0.2}
    curves = reports.learning_curves([{**row, "epoch": epoch} for epoch in (1, 2, 3)])
    states = reports.over_time(np.zeros((4, 8)), list("hola"))
    for axis in (curves.axes[0].xaxis, curves.axes[1].xaxis, states.axes[0].yaxis):
        ticks = axis.get_majorticklocs()
        assert len(ticks) > 2
        assert all(tick == round(tick) for tick in ticks)


def test_pictures_stand_under_their_captions():
    images = [np.zeros((20, 20, 3), "uint8")] * 3
    titles = drawn(reports.pictures(images, ["one", "two\nlines", "a caption " * 6], columns=2))
    assert [title for title in titles if title][:2] == ["one", "two\nlines"]
    assert all(len(line) <= 26 for title in titles for line in title.split("\n"))


def test_learning_curves_leave_out_losses_that_are_missing():
    row = {"epoch": 1, "stage": "features", "train_loss": 3.0, "val_loss": 2.0, "CIDEr": 0.1,
           "BLEU-4": 0.2}  # fmt: skip
    rewards = {**row, "epoch": 2, "stage": "rewards", "train_loss": ""}
    figure = reports.learning_curves([row, rewards])
    training = figure.axes[0].lines[0].get_ydata()
    assert training[0] == 3.0
    assert np.isnan(training[1])
    drawn(figure)
    as_text = {name: str(value) for name, value in row.items()}  # as history.csv is read
    drawn(reports.learning_curves([as_text]))


def test_the_comparison_has_bars_for_each_cell_and_implementation():
    row = {"words_per_second": 5.0, "caption_ms": 1.0, "CIDEr": [0.1, 0.3], "longest_distance": 8}
    rows = [
        {**row, "cell": cell, "implementation": implementation}
        for cell in ("rnn", "gru")
        for implementation in ("custom", "keras")
    ]
    figure = reports.comparison(rows)
    assert [len(axes.patches) for axes in figure.axes] == [4, 4, 4, 4]
    assert figure.axes[2].patches[0].get_height() == pytest.approx(0.2)
    [first, _] = figure.axes[2].containers[1].errorbar.lines[2][0].get_segments()
    assert first[:, 1].tolist() == pytest.approx([0.2 - 0.1414, 0.2 + 0.1414], abs=1e-3)
    drawn(figure)
