"""The making of the worker's environment, killed for real: none or a whole one, gone on with."""

import os
import random
import signal
import subprocess
import sys

import psutil
import pytest
from loopback_server import CERTIFICATE, loopback_server
from tiny_wheels import CPU, Index, names_in, requirements, run_in, source_of, tiny_set

from SegmentationAILib.worker.environment import WorkerEnvironment
from SegmentationAILib.worker.package_source import PackageSource

HOST = """
import os, pathlib, signal, sys
from pathlib import Path
from SegmentationAILib.worker import environment
from SegmentationAILib.worker.package_source import PackageSource
from SegmentationAILib.worker.torch_build import TorchBuild

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

folder, listed, index, ca_file, wheels, step = sys.argv[1:]
discard = environment.discard
if step == "before the record":
    environment.write_record = kill
elif step == "before the renaming":
    pathlib.Path.rename = kill
elif step == "before the old one goes":
    environment.discard = kill
elif step == "after the old one went":
    environment.discard = lambda old: (discard(old), kill())
source = PackageSource(
    TorchBuild("cpu", "", "there is no NVIDIA driver"), Path(listed), index=index,
    ca_file=Path(ca_file) if ca_file else None, wheels=Path(wheels) if wheels else None,
)
environment.WorkerEnvironment(Path(folder)).make(source)
print("made", flush=True)
"""
WORKS = "import tiny_net, tiny_part; print(tiny_part.VALUE)"


@pytest.fixture
def the_wheels(tmp_path):
    tiny_set(tmp_path / "wheels")
    return tmp_path / "wheels"


@pytest.fixture
def an_environment(tmp_path):
    return WorkerEnvironment(tmp_path / "environment")


def host(environment, wheels, step="", index="") -> subprocess.Popen:
    listed = requirements(wheels.parent)
    places = ["", ""] if not index else [index, str(CERTIFICATE)]
    words = [str(environment.folder), str(listed), *places, "" if index else str(wheels), step]
    return subprocess.Popen(
        [sys.executable, "-c", HOST, *words],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def killed_at(environment, wheels, step) -> None:
    with host(environment, wheels, step) as process:
        assert process.wait(60) == -signal.SIGKILL


def state(environment, wheels) -> str:
    return environment.state(requirements(wheels.parent)).kind


def test_a_host_killed_during_the_download_is_gone_on_from_where_it_was(an_environment, the_wheels):
    index = Index(the_wheels, held="tiny_net")
    with loopback_server(index, encrypted=True) as server:
        url = f"{server.url}/simple"
        with host(an_environment, the_wheels, index=url) as process:
            assert index.asked_for_held.wait(30)
            children = psutil.Process(process.pid).children(recursive=True)
            process.kill()
        assert children
        assert psutil.wait_procs(children, timeout=5)[1] == []
        assert state(an_environment, the_wheels) == "absent"
        assert names_in(an_environment) == {"making", "cache"}
        index.release.set()
        index.sent.clear()
        source = PackageSource(CPU, requirements(the_wheels.parent), url, ca_file=CERTIFICATE)
        an_environment.make(source)
    # The wheel that had come whole (torch) is not asked for again.
    assert set(index.sent) == {path.name for path in the_wheels.glob("tiny_*")}
    assert run_in(an_environment.python(), WORKS) == "1"
    assert names_in(an_environment) == {"ready"}


def test_killed_before_it_is_there_leaves_none(an_environment, the_wheels):
    killed_at(an_environment, the_wheels, "before the record")
    assert state(an_environment, the_wheels) == "absent"
    an_environment.make(source_of(the_wheels))
    assert state(an_environment, the_wheels) == "ready"
    assert run_in(an_environment.python(), WORKS) == "1"
    assert names_in(an_environment) <= {"ready", "cache"}


def test_a_whole_one_that_lacks_only_its_renaming_is_not_made_twice(
    an_environment, the_wheels, monkeypatch
):
    killed_at(an_environment, the_wheels, "before the renaming")
    assert state(an_environment, the_wheels) == "absent"
    monkeypatch.setattr("SegmentationAILib.worker.environment.run_pip", None)
    assert an_environment.make(source_of(the_wheels)).kind == "cpu"
    assert run_in(an_environment.python(), WORKS) == "1"


@pytest.mark.slow
def test_an_update_killed_at_the_exchange_leaves_the_old_one_or_a_whole_new_one(
    an_environment, the_wheels
):
    an_environment.make(source_of(the_wheels))
    killed_at(an_environment, the_wheels, "before the old one goes")
    assert state(an_environment, the_wheels) == "ready"
    assert run_in(an_environment.python(), WORKS) == "1"
    killed_at(an_environment, the_wheels, "after the old one went")
    assert state(an_environment, the_wheels) == "absent"
    an_environment.make(source_of(the_wheels))
    assert run_in(an_environment.python(), WORKS) == "1"
    assert names_in(an_environment) == {"ready"}


@pytest.mark.slow
def test_twenty_kills_at_random_moments_leave_none_or_a_whole_one(an_environment, the_wheels):
    moments = random.Random(20)
    longest, kills, seen = 4.0, 0, set()
    while kills < 20:
        with host(an_environment, the_wheels) as process:
            try:
                assert process.wait(moments.uniform(0.0, longest)) == 0
                longest *= 0.8  # it was done before: kill earlier
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
        kind = state(an_environment, the_wheels)
        seen.add(kind)
        assert kind in ("absent", "ready")
        if kind == "ready":
            assert run_in(an_environment.python(), WORKS) == "1"
            if moments.random() < 0.5:
                an_environment.delete()
    an_environment.make(source_of(the_wheels))
    assert run_in(an_environment.python(), WORKS) == "1"
    assert seen == {"absent", "ready"}
    assert names_in(an_environment) == {"ready"}
