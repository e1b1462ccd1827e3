"""Pictures that wait at the same time are captioned together."""

import queue
import threading
import time
from collections import deque
from concurrent.futures import Future

import numpy as np

from captioner.generation import picture_numbers

MOST_WAITING = 64  # pictures; more are refused
BATCH_SIZE = 4  # small: the CNN encodes the next pictures while these are captioned


class BusyError(Exception):
    """Too many pictures are waiting."""


class Batches:
    """Captions pictures in two threads; pictures that wait at the same time make a batch.

    While the captions of a batch are searched, which keeps one core busy, the CNN encodes the next
    one; as in `Generation.generate_all`, but pictures arrive at any time.

    Args:
        model: Captioner, Ensemble or LiteCaptioner.
        metrics: Metrics. Counts every batch.
        batch_size: int. Defaults to `4`.
        most_waiting: int. Pictures. Defaults to `64`.

    Example:
    >>> batches = Batches(captioner.load("everyday"), Metrics())
    >>> batches.start()
    >>> batches.submit(pixels, batches.model.search_settings({})).result()[0].text
    """

    def __init__(self, model, metrics, batch_size=BATCH_SIZE, most_waiting=MOST_WAITING):
        self.model = model
        self.most_waiting = most_waiting
        self._metrics = metrics
        self._batch_size = batch_size
        self._jobs = queue.Queue(most_waiting)
        self._encoded = queue.Queue(1)
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._encode, self._search)
        ]
        metrics.waiting.set_function(self._jobs.qsize)

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    @property
    def waiting(self):
        """How many pictures wait."""
        return self._jobs.qsize()

    def submit(self, pixels, search):
        """Lets a picture wait for its turn.

        Args:
            pixels: uint8 array (size, size, 3).
            search: dict. From `model.search_settings`, which has checked it: one wrong request must
                not spoil a batch.

        Returns:
            Future of a list of n_best `Caption`, best first.

        Raises:
            BusyError: Too many pictures wait.
        """
        job = _Job(pixels, search, Future(), time.monotonic())
        try:
            self._jobs.put_nowait(job)
        except queue.Full as error:
            raise BusyError from error
        return job.future

    def _encode(self):
        for batch in self._batches():
            try:
                image = self.model.encode(np.stack([job.pixels for job in batch]), self._batch_size)
            except Exception as error:
                _fail(batch, error)
            else:
                self._encoded.put((batch, image))
        self._encoded.put(None)

    def _batches(self):
        """Batches of waiting jobs with the same search, until None is in the queue."""
        others = deque()  # jobs that wait for a different search
        ending = False
        while others or not ending:
            batch = [others.popleft() if others else self._jobs.get()]
            if batch == [None]:
                return
            found = [each for each in others if each.search == batch[0].search]
            batch += found[: self._batch_size - 1]
            others = deque(each for each in others if each not in batch)
            while len(batch) < self._batch_size and not self._jobs.empty():
                job = self._jobs.get()
                if job is None:
                    ending = True
                    break
                (batch if job.search == batch[0].search else others).append(job)
            if batch := [job for job in batch if job.future.set_running_or_notify_cancel()]:
                yield batch

    def _search(self):
        while (encoded := self._encoded.get()) is not None:
            batch, image = encoded
            try:
                pictures = picture_numbers([job.pixels for job in batch])
                found = self.model.decode(
                    image, pictures=pictures, with_attention=True, **batch[0].search
                )
                now = time.monotonic()
                self._metrics.add_batch([now - job.arrival for job in batch])
                for job, captions in zip(batch, found, strict=True):
                    job.future.set_result(captions)
            except Exception as error:
                _fail(batch, error)


def _fail(jobs, error):
    """Reports an error to all who wait for these jobs, so that nobody waits for ever."""
    for job in jobs:
        if not job.future.done():
            job.future.set_exception(error)


class _Job:
    """A picture that waits.

    Args:
        pixels: array (size, size, 3).
        search: dict. From `Generation.search_settings`; jobs with the same search share a batch.
        future: Future. Of its captions.
        arrival: float. When it began to wait, in seconds.
    """

    def __init__(self, pixels, search, future, arrival):
        self.pixels, self.search, self.future, self.arrival = pixels, search, future, arrival
