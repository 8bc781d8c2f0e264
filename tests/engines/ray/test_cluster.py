"""What is said of a cluster that cannot be reached; `test_ray.py` asks real ones."""

from __future__ import annotations

import os
import socket
import sys
import time
from types import ModuleType

import pytest

from initium.engines.ray import cluster
from initium.errors import ClusterError, UsageError


def test_a_token_comes_before_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    monkeypatch.setenv(cluster.AUTH_TOKEN, "the same")
    monkeypatch.setenv(cluster.AUTH_MODE, "token")
    cluster.set_token("the same")
    with pytest.raises(UsageError, match="imported before") as caught:
        cluster.set_token("another")
    assert "another" not in str(caught.value)


def test_a_new_cluster_is_guarded_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cluster.AUTH_TOKEN, "")
    monkeypatch.setenv(cluster.AUTH_MODE, "")
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    with pytest.warns(UserWarning, match="without a token"):
        cluster.guard_new_cluster()
    monkeypatch.delitem(sys.modules, "ray")
    cluster.guard_new_cluster()
    assert os.environ[cluster.AUTH_MODE] == "token"
    assert len(os.environ[cluster.AUTH_TOKEN]) == 64


def test_a_head_that_stops_answering_is_lost_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(cluster.time, "monotonic", lambda: now)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        head = cluster.Head(f"127.0.0.1:{listening.getsockname()[1]}")
        now += cluster.ASK_EVERY
        head.check()
    now += cluster.LOST_AFTER - 1
    head.check()
    now += cluster.ASK_EVERY
    with pytest.raises(ClusterError, match="is gone"):
        head.check()


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "somewhere", "127.0.0.1:port", ":1"])
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(UsageError, match="no address of a Ray head"):
        cluster.check_listens(address, 1.0)
