"""The hypotheses of a beam search as a tree, to be drawn."""

from typing import NamedTuple

import numpy as np

from captioner import decoding
from captioner.vocabulary import END, START


class Node(NamedTuple):
    """One word that beam search kept in a hypothesis.

    Attributes:
        word: str. `"<start>"` at the root, `"<end>"` where a caption ends.
        parent: int. Place in the list of the node before it; -1 at the root.
        depth: int. Number of words before it, the root's 0.
        log_prob: float. Of the word, given those before it.
        total: float. Sum of the log-probabilities up to it.
        rank: int. At an end, the place of its caption in the n-best list, 0 for the best; else -1.
    """

    word: str
    parent: int
    depth: int
    log_prob: float
    total: float
    rank: int = -1


def beam_tree(captioner, image, **settings):
    """The tree of one picture's beam search.

    Args:
        captioner: Captioner, ensemble or LiteCaptioner.
        image: array (1, ...), of one picture, from `captioner.encode`.
        **settings: beam_size, length_penalty, max_length, no_repeat_ngram and no_repeat_word, as
            `captioner.Captioner.generate` takes them. Defaults to the model's own.

    Returns:
        list of Node, parents before their children.

    Example:
    >>> model = captioner.Captioner.from_preset("everyday")
    >>> nodes = beam_tree(model, np.zeros((1, 1280), "float32"), beam_size=2)
    >>> nodes[0].word
    '<start>'
    """
    search = captioner.search_settings({**settings, "method": "beam"})
    search.pop("method")
    search = captioner.search_arguments(search)
    step, state = captioner.searchable(image)
    recorder = _Recorder(step)
    search["n_best"] = search["beam_size"]  # all finished captions
    [found] = decoding.beam(recorder, [np.zeros(1, np.int64), *state], **search)
    return recorder.tree(found, captioner.vocabulary)


class _Recorder:
    """A step that records which row each row continues.

    A search gives each row the state of the row it continues; the first array of this state is the
    number of that row's node.
    """

    def __init__(self, step):
        self._step = step
        self._nodes = []  # (word id, parent, log-probabilities of what comes next)

    def __call__(self, words, state):
        parents, *state = state
        log_probs, state = self._step(words, state)
        first = len(self._nodes)
        for word, parent, row in zip(words, parents, np.asarray(log_probs), strict=True):
            self._nodes.append((int(word), int(parent) if first else -1, row))
        return log_probs, [np.arange(first, len(self._nodes)), *state]

    def tree(self, hypotheses, vocabulary):
        """The nodes of rows that hold a hypothesis, and the ends of the finished ones."""
        places, nodes = {}, []
        for number, (word, parent, _) in enumerate(self._nodes):
            # A row whose last word is the end only fills the beam.
            if word == START or (word != END and parent in places):
                places[number] = len(nodes)
                nodes.append(self._node(word, parent, places, nodes, vocabulary))
        paths = {}
        for number in places:
            word, parent, _ = self._nodes[number]
            paths[number] = () if word == START else (*paths[parent], word)
        holders = {path: number for number, path in paths.items()}
        for rank, hypothesis in enumerate(hypotheses):
            end = self._node(END, holders[hypothesis.words], places, nodes, vocabulary)
            nodes.append(end._replace(rank=rank))
        return nodes

    def _node(self, word, parent, places, nodes, vocabulary):
        if parent < 0:
            return Node(vocabulary.word(word), -1, 0, 0.0, 0.0)
        log_prob = float(self._nodes[parent][2][word])
        before = nodes[places[parent]]
        return Node(
            vocabulary.word(word), places[parent], before.depth + 1, log_prob,
            before.total + log_prob,
        )  # fmt: skip
