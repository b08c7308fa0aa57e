"""The boxes of *Settings*: server, sources, offline; on a logic that answers from memory."""

import pytest
import slicer
from PySide6 import QtWidgets

from SegmentationAILib.scene.computer_settings import ComputerSettings
from SegmentationAILib.scene.panel_facts import Outcome


@pytest.fixture
def settings(a_module):
    a_module.panel.open("Settings")
    return a_module


def test_a_server_is_kept_and_asked_how_it_is(settings):
    settings.find("serverLine").text = " https://server:8443 "
    settings.find("tokenLine").currentPath = "/keys/token.txt"
    settings.click("serverButton")
    kept = settings.logic.kept_settings
    assert (kept.server, kept.token_file) == ("https://server:8443", "/keys/token.txt")
    assert settings.logic.asked == ["ask server"]
    assert settings.find("serverButton").enabled is False
    settings.logic.on_end(Outcome("https://server:8443 answers: version 0.1.0, cuda."))
    assert "answers" in settings.find("serverLabel").text
    settings.click("serverButton")
    settings.logic.on_end(Outcome("Nothing listens at https://server:8443.", is_success=False))
    assert settings.find("sentenceLabel").text.startswith("Nothing listens")


def test_an_empty_address_brings_the_networks_back_to_this_computer(settings):
    settings.logic.kept_settings = ComputerSettings(server="https://server:8443")
    settings.panel.settings.open()
    settings.find("serverLine").text = ""
    settings.click("serverButton")
    assert settings.logic.kept_settings.server == ""
    assert "ask server" not in settings.logic.asked
    assert settings.find("serverLabel").text == "The networks run on this computer."


def test_indexes_proxy_and_authorities_are_kept_together(settings):
    lines = {"indexLine": "https://a/simple", "torchIndexLine": "https://b/{build}",
             "proxyLine": "http://proxy:3128"}  # fmt: skip
    for name, text in lines.items():
        settings.find(name).text = text
    settings.find("caLine").currentPath = "/ca.pem"
    settings.click("sourcesButton")
    assert settings.logic.kept_settings == ComputerSettings(
        index="https://a/simple", torch_index="https://b/{build}",
        proxy="http://proxy:3128", ca_file="/ca.pem",
    )  # fmt: skip


def test_a_look_at_the_computer_lists_what_was_found(settings):
    assert not settings.is_shown("findingsTable")
    settings.click("lookButton")
    assert settings.find("findingsTable").item(0, 2).text().startswith("Only 1.0 GB are free")


def test_the_switch_is_kept_and_says_what_it_means(settings):
    settings.click("offlineCheck")
    assert settings.logic.kept_settings.is_offline is True
    assert settings.find("offlineLabel").text.startswith("Nothing uses the network")
    assert settings.find("exportBundleButton").enabled is False
    settings.click("offlineCheck")
    assert settings.logic.kept_settings.is_offline is False


def test_a_bundle_is_written_and_the_work_can_be_stopped(settings, tmp_path, monkeypatch):
    chosen = str(tmp_path / "bundle.zip")
    monkeypatch.setattr(QtWidgets.QFileDialog, "getSaveFileName", lambda *_: (chosen, ""))
    settings.click("exportBundleButton")
    assert settings.logic.asked == [("export bundle", tmp_path / "bundle.zip")]
    settings.click("stopButton")
    assert not settings.is_shown("stopButton")
    monkeypatch.setattr(QtWidgets.QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    settings.click("importBundleButton")
    assert len(settings.logic.asked) == 1, "no file was chosen"
    monkeypatch.setattr(QtWidgets.QFileDialog, "getOpenFileName", lambda *_: (chosen, ""))
    settings.click("importBundleButton")
    assert settings.logic.asked[1:] == [("import bundle", tmp_path / "bundle.zip")]


@pytest.mark.parametrize("agrees", [True, False])
def test_segment_asks_once_before_anything_is_set_up(a_module, agrees, monkeypatch):
    asked = []
    a_module.logic.question = "An environment of up to 3 GB is set up. Go on?"
    monkeypatch.setattr(
        slicer.util, "confirmOkCancelDisplay", lambda text: asked.append(text) or agrees
    )
    a_module.click("segmentButton")
    assert asked == [a_module.logic.question]
    assert (len(a_module.logic.asked) == 1) is agrees
    assert a_module.is_shown("runningBox") is agrees
