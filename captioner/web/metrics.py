"""What the server counts, in the form that Prometheus reads."""

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
BATCH_SIZES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """The counters of one server; those of two servers in one process are apart.

    Attributes:
        requests: Counter of requests, by `path` and `status`.
        errors: Counter of requests and of single pictures refused or failed, by `status`.
        waiting: Gauge of pictures that wait.
        pictures: Counter of pictures captioned.
        seconds: Histogram of the time from a picture's arrival to its captions.
        batch_sizes: Histogram of pictures captioned together.

    Example:
    >>> metrics = Metrics()
    >>> metrics.add_batch([0.2, 0.3])
    >>> b"captioner_pictures_total 2.0" in metrics.text()
    True
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self):
        registry = self._registry = CollectorRegistry()
        self.requests = Counter(
            "captioner_requests", "Requests answered.", ["path", "status"], registry=registry
        )
        self.errors = Counter(
            "captioner_errors",
            "Requests, and pictures among several in one request, that were refused or failed.",
            ["status"],
            registry=registry,
        )
        self.waiting = Gauge(
            "captioner_pictures_waiting", "Pictures that wait for their captions.",
            registry=registry,
        )  # fmt: skip
        self.pictures = Counter("captioner_pictures", "Pictures captioned.", registry=registry)
        self.seconds = Histogram(
            "captioner_caption_seconds", "From a picture's arrival to its captions.",
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self.batch_sizes = Histogram(
            "captioner_batch_size", "Pictures captioned together.",
            buckets=BATCH_SIZES, registry=registry,
        )  # fmt: skip

    def add_batch(self, seconds):
        """Counts pictures that were captioned together.

        Args:
            seconds: list of float. How long each of them took.
        """
        self.batch_sizes.observe(len(seconds))
        self.pictures.inc(len(seconds))
        for each in seconds:
            self.seconds.observe(each)

    def text(self):
        """All of it, as bytes."""
        return generate_latest(self._registry)
