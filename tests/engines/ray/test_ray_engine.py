"""The Ray engine: errors without a cluster; with ray installed, a new cluster and one of two nodes that needs a token.

`make test-ray` installs ray and runs all of them.
"""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engines.killing import Study, check_same_rows, kill, kill_at_random
from tests.engines.loopback import Loopback

from initium.engines import open_engine
from initium.errors import ClusterError, MissingExtraError

HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="ray is not installed: make test-ray")


@pytest.mark.skipif(HAS_RAY, reason="ray is installed")
def test_without_ray_the_extra_is_named() -> None:
    with pytest.raises(MissingExtraError, match=r"initium\[ray\]"):
        open_engine("ray")


@needs_ray
def test_an_address_where_nothing_listens_is_told_at_once() -> None:
    start = time.monotonic()
    with pytest.raises(ClusterError, match="nothing answers at the Ray address"):
        open_engine("ray", address="127.0.0.1:1", timeout=5.0).__enter__()
    assert time.monotonic() - start < 20


@pytest.fixture(scope="module")
def cluster() -> Iterator[Loopback]:
    with Loopback() as cluster:
        yield cluster


CONFORM = """
import sys
from initium.engines import open_engine
from initium.testing.engines import ENGINE_CHECKS, ISOLATED_CHECKS

if __name__ == "__main__":
    for check in (*ENGINE_CHECKS, *ISOLATED_CHECKS):
        check(lambda **options: open_engine("ray", address=sys.argv[1], **options))
        print(check.__name__, flush=True)
"""


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_conformance_on_two_nodes(cluster: Loopback) -> None:
    code, told, _ = cluster.run(CONFORM, timeout=550)
    assert code == 0, told


NEW = """
import os, subprocess, sys
from initium.engines import open_engine
from initium.testing.engines import check_results, check_killed_once

if __name__ == "__main__":
    check_results(lambda **options: open_engine("ray", num_workers=2, **options))
    with open_engine("ray", num_workers=1) as engine:
        address = engine.ray.get_runtime_context().gcs_address
        ask = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
        anybody = os.environ | {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": ""}
        assert subprocess.run(ask).returncode == 0
        told = subprocess.run(ask, env=anybody, capture_output=True, text=True)
        assert told.returncode != 0 and "InvalidAuthToken" in told.stderr, told
    print("ended well")
"""


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_new_cluster_makes_its_own_token(cluster: Loopback) -> None:
    code, told, _ = cluster.run(NEW, RAY_AUTH_MODE="", RAY_AUTH_TOKEN="")
    assert code == 0, told
    assert "ended well" in told


SAME = """
import json, sys
from initium.engines import open_engine, run, Job
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import run_trial

def specs():
    for kind, model in (("classification", "cnn8-relu"), ("detection", "detector12"), ("segmentation", "fcn9")):
        for policy in ("auto", "shipped"):
            for seed in (0, 1):
                init = {"kind": "policy", "policy": policy}
                yield TrialSpec(model, init, {"kind": kind}, seed=seed, steps=6, batch_size=16)

def results(name, **options):
    jobs = [Job(spec.key, spec.to_data()) for spec in specs()]
    with open_engine(name, **options) as engine:
        done = {one.key: one.result for one in run(engine, run_trial, jobs)}
    for result in done.values():
        del result["seconds"]
    return done

if __name__ == "__main__":
    serial = results("serial")
    assert len(serial) == 12 and all(one["steps_done"] == 6 for one in serial.values())
    assert results("processes", num_workers=2) == serial
    assert results("ray", address=sys.argv[1]) == serial
    print("the same")
"""


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_trials_have_the_same_results_on_every_engine(cluster: Loopback) -> None:
    code, told, _ = cluster.run(SAME, timeout=550)
    assert code == 0, told
    assert "the same" in told


WHERE = """
import json, os, sys
import initium
from initium.engines import open_engine, run, Job

def where(data):
    import ray
    node = ray.get_runtime_context().get_node_id()
    return {"initium": initium.__file__, "script": __file__, "node": node, "name": __name__}

if __name__ == "__main__":
    directory = os.path.dirname(os.path.abspath(__file__))
    options = json.loads(sys.argv[2])
    with open_engine("ray", address=sys.argv[1], working_dir=directory, **options) as engine:
        found = [one.result for one in run(engine, where, [Job(str(i), {}) for i in range(8)])]
        (second,) = [node for node in engine.ray.nodes() if "second" in node["Resources"]]
    print(json.dumps({"ours": [initium.__file__, __file__], "found": found, "second": second["NodeID"]}))
"""


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_code_is_sent_along_and_resources_choose_the_node(cluster: Loopback) -> None:
    code, told, _ = cluster.run(WHERE, cluster.address, json.dumps({"resources": {"second": 0.5}}))
    assert code == 0, told
    seen = json.loads(told.splitlines()[-1])
    for one in seen["found"]:
        assert "runtime_resources/py_modules_files" in one["initium"]
        assert "runtime_resources/working_dir_files" in one["script"]
        assert one["node"] == seen["second"]
        assert one["name"] != "__main__"


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_no_node_has_is_told(cluster: Loopback) -> None:
    code, told, seconds = cluster.run(WHERE, cluster.address, json.dumps({"cores": 2}))
    assert code != 0
    assert "no node of the Ray cluster has 2 CPU" in told
    assert seconds < 60


JOIN = """
import sys
from initium.engines import open_engine

if __name__ == "__main__":
    with open_engine("ray", address=sys.argv[1], timeout=15.0):
        print("connected")
"""
TOKENS = {
    "wrong": ({"RAY_AUTH_TOKEN": "f" * 64}, "refused the token"),
    "none": ({"RAY_AUTH_TOKEN": "", "RAY_AUTH_MODE": ""}, "asks for a token, and none was given"),
    "disabled": ({"RAY_AUTH_TOKEN": "", "RAY_AUTH_MODE": "disabled"}, "asks for a token, and none was given"),
    "mode alone": ({"RAY_AUTH_TOKEN": ""}, "asks for a token, and none was given"),
}


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("way", TOKENS)
def test_a_missing_or_wrong_token_is_told(way: str, cluster: Loopback) -> None:
    changes, reason = TOKENS[way]
    code, told, seconds = cluster.run(JOIN, **changes)
    assert code == 1, told
    assert reason in told
    assert "connected" not in told
    assert seconds < 30
    assert cluster.token not in told


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_silent_head_is_told_within_the_timeout(cluster: Loopback) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        code, told, seconds = cluster.run(JOIN, f"127.0.0.1:{silent.getsockname()[1]}")
    assert code == 1
    assert "gave no answer in 15 s" in told
    assert seconds < 30


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_cluster_of_this_machine_is_found(cluster: Loopback) -> None:
    code, told, _ = cluster.run(JOIN, "auto", RAY_ADDRESS=cluster.address)
    assert code == 0, told
    assert "UserWarning" not in told


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_joining_a_cluster_that_takes_anybody_warns() -> None:
    with Loopback(token="") as cluster:
        code, told, _ = cluster.run(JOIN, RAY_AUTH_MODE="disabled")
    assert code == 0, told
    assert "connected" in told
    assert "asks for no token: whoever reaches it runs code on it" in told


STUDY = """
import sys, time
from initium.engines import Job, open_engine, run

def node(data):
    import ray
    time.sleep(data["s"])
    return {"node": ray.get_runtime_context().get_node_id()}

if __name__ == "__main__":
    with open_engine("ray", address=sys.argv[1], timeout=60.0) as engine:
        for outcome in run(engine, node, [Job(str(i), {"s": 2.0}) for i in range(NUM)]):
            where = outcome.result["node"] if hasattr(outcome, "result") else outcome.message
            print(type(outcome).__name__, outcome.key, outcome.attempts, where, flush=True)
"""


def running(cluster: Loopback, num: int) -> tuple[subprocess.Popen[str], list[str]]:
    """A study that has finished jobs on both nodes and is within the next ones, and what it printed."""
    study = cluster.start(STUDY.replace("NUM", str(num)))
    assert study.stdout is not None
    lines: list[str] = []
    while len({line.split()[-1] for line in lines}) < 2:
        lines.append(study.stdout.readline())
        assert lines[-1].startswith("Done"), lines
    time.sleep(1.0)
    return study, lines


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_node_may_die() -> None:
    with Loopback() as cluster:
        study, lines = running(cluster, 20)
        cluster.kill(1)
        told, _ = study.communicate(timeout=200)
    assert study.returncode == 0, told
    lines += [line for line in told.splitlines() if line.startswith(("Done", "Failed"))]
    words = [line.split() for line in lines]
    assert sorted(int(key) for _, key, *_ in words) == list(range(20))
    assert all(kind == "Done" for kind, *_ in words)
    assert max(int(attempts) for _, _, attempts, _ in words) == 2


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_lost_head_is_told() -> None:
    with Loopback() as cluster:
        study, _ = running(cluster, 200)
        cluster.kill(0)
        told, _ = study.communicate(timeout=200)
    assert study.returncode == 1
    assert "ClusterError" in told
    assert "what finished is kept" in told


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_study_with_kills_of_all_kinds_ends_as_one_on_processes(tmp_path: Path) -> None:
    calm = Study(tmp_path / "calm.db", {"name": "processes", "num_workers": 2})
    undisturbed = calm.told(calm.start())
    with Loopback() as cluster:
        engine = {"name": "ray", "address": cluster.address, "timeout": 60.0}
        killed = Study(tmp_path / "killed.db", engine, cluster.environment())
        controller, seen, victims = kill_at_random(
            killed, lambda _: cluster.workers(), kills=10, seed=3, longest_start=15.0
        )
        killed.wait_for(len(killed.rows()) + 2, controller)
        assert controller.poll() is None
        cluster.kill(1)
        assert killed.told(controller) == undisturbed
    check_same_rows(killed.rows(), calm.rows(), seen)
    assert {"controller", "worker"} == set(victims)
    print(f"{len(seen)} trials before the last start; killed: {', '.join(victims)}, a node")


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_json_is_alone_on_standard_output_when_a_worker_dies(cluster: Loopback, tmp_path: Path) -> None:
    """Ray prints there of a worker that died."""
    asked = (
        "compare mlp4-relu --init auto,zeros --lr 1e-3 --steps 2000 --seeds 2 --confirm 2 --json --engine ray"
    )
    command = subprocess.Popen(
        [sys.executable, "-m", "initium", *asked.split(), "--address", cluster.address, "--store", "study.db"],
        cwd=tmp_path, env=cluster.environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    Study(tmp_path / "study.db", {}).wait_for(1, command)
    until = time.monotonic() + 60
    while not (workers := cluster.workers()) and time.monotonic() < until:
        time.sleep(0.05)
    kill(workers[0])
    told, errors = command.communicate(timeout=200)
    assert command.returncode == 0, errors
    assert json.loads(told)["finished"]
    assert "A worker died" in errors
