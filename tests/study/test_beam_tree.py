"""The tree of a beam search against the search's own results."""

import numpy as np
import pytest

from captioner.study.beam_tree import beam_tree


@pytest.fixture
def image(tiny_captioner):
    return np.random.default_rng(0).normal(size=(1, *tiny_captioner.image_shape)).astype("float32")


def path(nodes, node):
    words = []
    while node.parent >= 0:
        words.append(node.word)
        node = nodes[node.parent]
    return words[::-1]


@pytest.mark.parametrize("beam_size", [1, 3])
def test_the_ends_are_the_captions_that_beam_search_finds(tiny_captioner, image, beam_size):
    nodes = beam_tree(tiny_captioner, image, beam_size=beam_size, max_length=5)
    [found] = tiny_captioner.decode(image, beam_size=beam_size, n_best=beam_size, max_length=5)
    ends = sorted((node for node in nodes if node.rank >= 0), key=lambda node: node.rank)
    assert [path(nodes, end) for end in ends] == [[*each.words, "<end>"] for each in found]
    rule = {"beam_size": beam_size, "max_length": 5, "no_repeat_word": True}
    [best], nodes = tiny_captioner.decode(image, **rule), beam_tree(tiny_captioner, image, **rule)
    [end] = [node for node in nodes if node.rank == 0]
    assert path(nodes, end) == [*best[0].words, "<end>"]
    for end, caption in zip(ends, found, strict=True):
        assert end.total == pytest.approx(sum(caption.word_scores), abs=1e-4)


def test_every_node_is_one_word_further_and_less_likely_than_its_parent(tiny_captioner, image):
    nodes = beam_tree(tiny_captioner, image, beam_size=3, max_length=5)
    root, *others = nodes
    assert (root.word, root.parent, root.total) == ("<start>", -1, 0.0)
    for place, node in enumerate(others, 1):
        parent = nodes[node.parent]
        assert node.parent < place
        assert node.depth == parent.depth + 1
        assert node.total == pytest.approx(parent.total + node.log_prob)
        assert node.log_prob < 0
    depths = [node.depth for node in others if node.rank < 0]
    assert depths.count(1) == 3
    for depth in range(1, max(depths) + 1):
        live = [node for node in others if node.depth == depth and node.rank < 0]
        assert 1 <= len(live) <= 3
        assert len({tuple(path(nodes, node)) for node in live}) == len(live)
