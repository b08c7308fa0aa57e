"""Case 48: installs that are disturbed, with their harmless twin."""

import errno
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from loopback_server import loopback_server
from network_files import (
    SHAPES,
    network_folder,
    tiny_card,
    tiny_weights,
    whole_safetensors,
    zip_of,
)

from SegmentationAILib.core import archive as archive_module
from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.catalog import Catalog
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.store import NetworkStore

WHOLE = whole_safetensors(tiny_weights())


@pytest.fixture
def a_store(a_home):
    return NetworkStore(cards=Catalog(()))


def any_weights(card, weights):
    """Accept every architecture."""


def put(store, source, **more):
    return install(store, InstallRequest(str(source), **more), any_weights)


def test_case_48_of_two_installs_at_once_one_wins_and_one_is_refused(a_store, tmp_path):
    folder = network_folder(tmp_path / "mine")
    start, outcomes = threading.Barrier(2), []

    def attempt():
        start.wait()
        try:
            outcomes.append(put(a_store, folder).state)
        except WeightsError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "installed" in outcomes
    assert any("already" in outcome for outcome in outcomes)
    assert a_store.find("mine").read_weights().keys() == SHAPES.keys()


def test_case_48_two_downloads_of_one_network_ask_the_server_once(a_store, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "net"), "zip", network_folder(tmp_path / "a"))
    data = Path(archive).read_bytes()
    digest, outcomes = hashlib.sha256(data).hexdigest(), []

    def slow(request):
        time.sleep(0.3)
        request.send(data)

    with loopback_server(slow) as server:

        def attempt():
            try:
                outcomes.append(put(a_store, f"{server.url}/net.zip", sha256=digest).state)
            except WeightsError as error:
                outcomes.append(str(error))

        threads = [threading.Thread(target=attempt) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.log) == 1
    assert sorted("already" in outcome for outcome in outcomes) == [False, True]


def test_case_48_a_disk_that_fills_during_extraction_leaves_nothing(a_store, tmp_path, monkeypatch):
    files = {"card.json": json.dumps(tiny_card()).encode(), "weights.safetensors": WHOLE}
    path = zip_of(tmp_path / "net.zip", files.items())
    put(a_store, path, network_id="before")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(archive_module, "_copy", full)
        with pytest.raises(WeightsError, match="No space left"):
            put(a_store, path)
    names = {entry.name for entry in a_store.folder.iterdir()}
    assert names == {".lock", "before"}
    assert put(a_store, path).card.id == "net"


KILLED = """
import os, pathlib, signal, sys
from SegmentationAILib.core import archive, staging
from SegmentationAILib.networks import install
from SegmentationAILib.networks.catalog import Catalog
from SegmentationAILib.networks.store import NetworkStore

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

step = sys.argv[3]
if step == "extraction":
    archive._copy = kill
elif step == "card":
    install.write_card = kill
else:
    install.publish = kill
store = NetworkStore(pathlib.Path(sys.argv[1]), Catalog(()))
install.install(store, install.InstallRequest(sys.argv[2]), lambda card, weights: None)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
@pytest.mark.parametrize("step", ["extraction", "card", "publish"])
def test_case_48_after_a_kill_the_next_start_finds_no_half_network(a_store, tmp_path, step):
    files = {"card.json": json.dumps(tiny_card()).encode(), "weights.safetensors": WHOLE}
    path = zip_of(tmp_path / "net.zip", files.items())
    child = subprocess.run(
        [sys.executable, "-c", KILLED, str(a_store.home), str(path), step], check=False
    )
    assert child.returncode == -signal.SIGKILL
    assert [entry for entry in a_store.folder.iterdir() if entry.name.startswith(".staging-")]
    assert a_store.listing().networks == ()
    assert a_store.listing().notes == ()
    assert put(a_store, path).card.id == "net"
    assert {entry.name for entry in a_store.folder.iterdir()} == {".lock", "net"}


def test_case_48_twin_an_undisturbed_install_leaves_the_network_alone(a_store, tmp_path):
    put(a_store, network_folder(tmp_path / "mine"))
    assert {entry.name for entry in a_store.folder.iterdir()} == {".lock", "mine"}
