"""Pictures that wait: at most so many, and only those that someone still wants."""

import threading

import numpy as np
import pytest

from captioner.web.batches import Batches, BusyError
from captioner.web.metrics import Metrics


class Fake:
    """A captioner that notes the batches it gets, and waits until it may begin."""

    def __init__(self):
        self.batches, self.may_begin = [], threading.Event()

    def encode(self, pixels, batch_size):
        self.may_begin.wait(20)
        self.batches.append([int(each[0, 0, 0]) for each in pixels])
        return pixels

    def decode(self, image, pictures, with_attention, **search):
        return [f"{search['word']} {each[0, 0, 0]}" for each in image]


def picture(number):
    return np.full((2, 2, 3), number, np.uint8)


def test_pictures_with_the_same_search_share_a_batch():
    batches = Batches(Fake(), Metrics(), batch_size=2)
    jobs = [batches.submit(picture(n), {"word": "abab"[n]}) for n in range(4)]
    jobs[3].cancel()
    batches.model.may_begin.set()
    batches.start()
    assert [each.result(20) for each in jobs[:3]] == ["a 0", "b 1", "a 2"]
    batches.stop()
    assert sorted(batches.model.batches) == [[0, 2], [1]]


def test_more_than_may_wait_are_refused():
    batches = Batches(Fake(), Metrics(), most_waiting=2)
    for number in range(2):
        batches.submit(picture(number), {"word": "a"})
    assert batches.waiting == 2
    with pytest.raises(BusyError):
        batches.submit(picture(2), {"word": "a"})


def test_what_goes_wrong_reaches_those_who_wait():
    metrics = Metrics()
    batches = Batches(Fake(), metrics)
    batches.model.may_begin.set()
    batches.start()
    with pytest.raises(KeyError):
        batches.submit(picture(0), {}).result(20)  # no word
    assert batches.submit(picture(1), {"word": "a"}).result(20) == "a 1"
    batches.stop()
