"""Set-up, server, bundle and offline work by clicks, with real environments, servers and files.

The environments are made of wheels of a few hundred bytes, so no worker runs in them.
"""

import os
import subprocess
import sys

import pytest
import slicer
from loopback_server import CERTIFICATE, loopback_server
from PySide6 import QtWidgets
from threshold_network import threshold_network_folder
from tiny_wheels import Index, requirements, tiny_set

from SegmentationAILib.core.offline import OFFLINE_VARIABLE
from SegmentationAILib.scene.computer_settings import ComputerSettings, write_settings
from SegmentationAILib.scene.panel_logic import ScenePanelLogic
from SegmentationAILib.scene.segmentation_node import labelmap_from_node
from SegmentationAILib.scene.volume_node import node_from_volume
from SegmentationAILib.scene.worker_setup import WorkerSetup

from phantoms import sphere_volume

TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture
def an_index(tmp_path):
    tiny_set(tmp_path / "wheels")
    with loopback_server(Index(tmp_path / "wheels")) as server:
        yield server


@pytest.fixture
def on_tiny_wheels(a_home, tmp_path, a_slicer, opened, an_index, monkeypatch):
    """Opens the module; its environment is made of tiny wheels from an index on this machine."""
    monkeypatch.setenv(OFFLINE_VARIABLE, "0")
    # The driver of the machine that runs the tests is no part of them.
    monkeypatch.setattr("SegmentationAILib.scene.worker_setup.read_driver", lambda: None)
    address = f"{an_index.url}/simple"
    write_settings(a_home, ComputerSettings(index=address, torch_index=address))
    threshold_network_folder(a_home / "networks" / "threshold")
    node_from_volume(sphere_volume(), a_slicer.scene, "Scan")

    logics = []

    def open_module():
        from SegmentationAILib.ui.qt_ticker import QtTicker

        setup = WorkerSetup(requirements=requirements(tmp_path))
        logic = ScenePanelLogic(a_slicer.scene, setup, QtTicker(), lambda uid, tag: "")
        module = opened(logic)
        module.setup = setup
        module.logic = logic
        logics.append(logic)
        return module

    yield open_module
    for logic in logics:
        logic.close()


def agree(monkeypatch, answer=True):
    asked = []
    monkeypatch.setattr(
        slicer.util, "confirmOkCancelDisplay", lambda text: asked.append(text) or answer
    )
    return asked


def test_the_environment_is_made_after_consent_from_the_index_of_the_settings(
    on_tiny_wheels, an_index, monkeypatch
):
    module = on_tiny_wheels()
    module.choose("networkSelector", "Bright things")
    asked = agree(monkeypatch, answer=False)
    module.click("segmentButton")
    assert "Slicer's own Python stays untouched" in asked[0]
    assert str(module.setup.environment.folder) in asked[0]
    assert an_index.log == [], "nothing is looked up before consent"
    assert module.find("sentenceLabel").text == "Nothing was set up, and nothing was run."

    agree(monkeypatch)
    module.click("segmentButton")
    assert module.is_shown("cancelButton")
    module.wait_until(lambda: not module.is_shown("runningBox"), 60)
    assert any("/simple/tiny-net" in path for _, path, _ in an_index.log)
    assert module.setup.state().kind == "ready"
    assert module.logic.badge().startswith("CPU only, because")
    # The run went on by itself: these wheels hold no worker, and the panel says so.
    assert "worker" in module.find("sentenceLabel").text


def test_a_set_up_is_canceled_and_the_button_comes_back(on_tiny_wheels, monkeypatch):
    module = on_tiny_wheels()
    module.choose("networkSelector", "Bright things")
    agree(monkeypatch)
    module.click("segmentButton")
    module.click("cancelButton")
    assert not module.is_shown("runningBox")
    assert "as it was" in module.find("sentenceLabel").text
    assert module.find("segmentButton").enabled is True


def test_a_bundle_goes_from_one_computer_to_another_that_is_cut_off(
    on_tiny_wheels, an_index, tmp_path, monkeypatch
):
    bundle = str(tmp_path / "bundle.zip")
    monkeypatch.setattr(QtWidgets.QFileDialog, "getSaveFileName", lambda *_: (bundle, ""))
    monkeypatch.setattr(QtWidgets.QFileDialog, "getOpenFileName", lambda *_: (bundle, ""))
    module = on_tiny_wheels()
    module.panel.open("Settings")
    module.click("exportBundleButton")
    module.wait_until(lambda: "is written" in module.find("sentenceLabel").text, 60)
    module.click("offlineCheck")
    before = len(an_index.log)
    module.click("importBundleButton")
    module.wait_until(lambda: "CPU only" in module.find("badgeLabel").text, 60)
    assert len(an_index.log) == before, "an import asks nobody"
    assert module.setup.state().kind == "ready"


def test_offline_refuses_the_set_up_and_a_download_with_a_sentence(on_tiny_wheels, monkeypatch):
    agree(monkeypatch)
    module = on_tiny_wheels()
    module.panel.open("Settings")
    module.click("offlineCheck")
    module.click("setUpButton")
    module.wait_until(lambda: module.is_shown("setUpButton"))
    assert "off the network" in module.find("sentenceLabel").text


@pytest.fixture(scope="module")
def a_server(tmp_path_factory):
    """(address, token file, data folder) of a real ``segmentationai serve`` with TLS."""
    home = tmp_path_factory.mktemp("server-home")
    threshold_network_folder(home / "networks" / "there", title="Bright things over there",
                             patch_size=[64, 64, 64])  # fmt: skip
    tokens = home / "tokens.txt"
    tokens.write_text(TOKEN + "\n")
    words = [sys.executable, "-m", "SegmentationAILib", "serve", "--port", "0", "--token-file",
             tokens, "--tls-cert", CERTIFICATE, "--tls-key", CERTIFICATE]  # fmt: skip
    environment = {**os.environ, "SEGMENTATIONAI_HOME": str(home)}
    with subprocess.Popen(
        list(map(str, words)), stdout=subprocess.PIPE, env=environment, text=True
    ) as server:
        line = server.stdout.readline()
        assert "at https://127.0.0.1:" in line, line
        yield f"https://127.0.0.1:{int(line.rsplit(':', 1)[1])}", tokens
        server.kill()


def test_a_run_goes_to_the_server_that_is_named(a_server, on_tiny_wheels, tmp_path):
    address, tokens = a_server
    module = on_tiny_wheels()
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("another-token-than-that\n")
    module.panel.open("Settings")
    module.find("serverLine").text = address
    module.find("tokenLine").currentPath = str(wrong)
    module.find("serverCaLine").currentPath = str(CERTIFICATE)
    module.click("serverButton")
    module.wait_until(lambda: module.find("serverButton").enabled, 60)
    assert "token" in module.find("sentenceLabel").text
    module.find("tokenLine").currentPath = str(tokens)
    module.click("serverButton")
    module.wait_until(lambda: "answers" in module.find("serverLabel").text, 60)

    module.panel.open("Segment")
    module.choose("networkSelector", "Bright things over there")
    module.click("segmentButton")
    module.wait_until(lambda: module.is_shown("previewBox"), 60)
    module.click("acceptButton")
    module.wait_until(lambda: module.is_shown("segmentsTable"))
    result = module.widget.logic.state().result
    scan = module.widget.logic.state().volume
    sphere = labelmap_from_node(result, scan)
    # A ball of 16 mm; the network works on 1.5 mm voxels.
    ml = sphere.mask(sphere.labels[0]).sum() * sphere.grid.voxel_volume_ml
    assert ml == pytest.approx(17.16, rel=0.1)
