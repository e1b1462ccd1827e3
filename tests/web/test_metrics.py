"""What the server counts."""

from prometheus_client.parser import text_string_to_metric_families

from captioner.web.metrics import Metrics


def values(metrics):
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (each.name, *each.labels.values()): each.value
        for family in families
        for each in family.samples
    }


def test_batches():
    metrics = Metrics()
    metrics.add_batch([0.15, 0.3, 7])
    metrics.add_batch([0.15])
    found = values(metrics)
    assert found["captioner_pictures_total",] == 4
    assert found["captioner_batch_size_count",] == 2
    assert found["captioner_batch_size_bucket", "2.0"] == 1
    assert found["captioner_batch_size_bucket", "4.0"] == 2
    assert found["captioner_caption_seconds_bucket", "0.2"] == 2
    assert found["captioner_caption_seconds_bucket", "+Inf"] == 4


def test_two_in_one_process_are_apart():
    one, other = Metrics(), Metrics()
    one.requests.labels("/", 200).inc()
    one.waiting.set_function(lambda: 3)
    assert values(one)["captioner_requests_total", "/", "200"] == 1
    assert values(one)["captioner_pictures_waiting",] == 3
    assert ("captioner_requests_total", "/", "200") not in values(other)
    assert values(other)["captioner_pictures_waiting",] == 0
