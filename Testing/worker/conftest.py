"""Real workers in real processes, with networks whose answers are known."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from loopback_server import CERTIFICATE
from served_worker import MAX_BODY_MB, TOKENS
from threshold_network import threshold_network_folder

from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.segmenter import open_segmenter
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.worker.client import LocalWorker, RemoteWorker, WorkerPython

from phantoms import sphere_volume


@pytest.fixture(scope="session")
def the_home(tmp_path_factory) -> Path:
    """Data folder with the network ``threshold``, and ``slow``, which has a thousand patches."""
    home = tmp_path_factory.mktemp("worker-home")
    folder = tmp_path_factory.mktemp("worker-networks")
    for name, changes in {
        "threshold": {},
        "slow": {"patch_size": [16, 16, 16], "overlap": 0.88},
    }.items():
        source = threshold_network_folder(folder / name, id=name, **changes)
        install(NetworkStore(home), InstallRequest(str(source), name), check_architecture)
    return home


@pytest.fixture(scope="session")
def a_python_without_openvino(tmp_path_factory) -> WorkerPython:
    """An interpreter in which OpenVINO is not installed; torch runs the networks, and starts fast.

    A package cannot be taken out of an environment for a while, so the first module that the worker
    imports is replaced by one that hides it and then steps aside.
    """
    folder = tmp_path_factory.mktemp("without-openvino")
    (folder / "uvicorn.py").write_text(
        "import importlib, sys\n"
        "sys.modules['openvino'] = None\n"
        f"sys.path.remove({str(folder)!r})\n"
        "del sys.modules['uvicorn']\n"
        "importlib.import_module('uvicorn')\n"
    )
    return WorkerPython(paths=(folder,))


@pytest.fixture(scope="module")
def a_worker(the_home, a_python_without_openvino):
    worker = LocalWorker(a_python_without_openvino, the_home)
    yield worker
    worker.close()


@pytest.fixture(scope="session")
def the_answer(the_home):
    """What the network says when it is run in this process."""
    return open_segmenter("threshold", store=NetworkStore(the_home)).segment(sphere_volume())


@pytest.fixture(scope="session")
def a_served_address(the_home, tmp_path_factory):
    """(port, token file) of ``segmentationai serve`` with TLS, a small body limit, two tokens."""
    tokens = tmp_path_factory.mktemp("tokens") / "tokens.txt"
    tokens.write_text("# of the tests\n" + "\n".join(TOKENS) + "\n")
    words = [sys.executable, "-m", "SegmentationAILib", "serve", "--port", "0"]
    words += ["--token-file", tokens, "--tls-cert", CERTIFICATE, "--tls-key", CERTIFICATE]
    environment = {**os.environ, "SEGMENTATIONAI_HOME": str(the_home)}
    with subprocess.Popen(
        [*map(str, words), "--max-body-mb", str(MAX_BODY_MB)],
        stdout=subprocess.PIPE, env=environment, text=True,
    ) as server:  # fmt: skip
        line = server.stdout.readline()
        assert "at https://127.0.0.1:" in line, line
        yield int(line.rsplit(":", 1)[1]), tokens
        server.kill()


@pytest.fixture
def a_remote_worker(a_served_address) -> RemoteWorker:
    return RemoteWorker(f"https://127.0.0.1:{a_served_address[0]}", TOKENS[0], CERTIFICATE)


@pytest.fixture
def nothing_is_left(the_home):
    """A function that says what lies in the exchanges beside their locks."""
    return lambda: [p.name for p in (the_home / "exchange").glob("*/*") if p.name != "lock"]
