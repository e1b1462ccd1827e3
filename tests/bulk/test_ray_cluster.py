"""Starting Ray: one of its own, a cluster, or a line that says why not."""

import sys

import pytest

from captioner.bulk.ray_cluster import connected, require_ray, room_for_actors
from tests.bulk.conftest import ray

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")


def test_without_ray_it_says_what_to_install(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert ray(photos, output=tmp_path / "out") == 2
    assert "pip install 'captioner[ray]'" in capsys.readouterr().err


def test_a_cluster_that_is_not_there(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    assert ray(photos, output=tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "RAY_ADDRESS 127.0.0.1:9: cannot be reached" in said
    assert len(said.splitlines()) == 1


def test_room_for_actors(cluster):
    assert room_for_actors() == 2
    assert room_for_actors(gpus=1) == require_ray().cluster_resources().get("GPU", 0)


def test_a_ray_that_runs_already_is_used_and_left_running(cluster):
    with connected():
        assert require_ray().is_initialized()
    assert require_ray().is_initialized()
