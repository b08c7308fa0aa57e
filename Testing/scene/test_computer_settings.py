import json
import os
import stat

import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.offline import OFFLINE_VARIABLE, is_offline, set_offline
from SegmentationAILib.scene.computer_settings import (
    FILE,
    ComputerSettings,
    read_settings,
    write_settings,
)
from SegmentationAILib.scene.worker_setup import WorkerSetup
from SegmentationAILib.worker.client import RemoteWorker


@pytest.fixture
def the_switch_comes_back(monkeypatch):
    monkeypatch.setenv(OFFLINE_VARIABLE, "0")


def test_settings_survive_and_are_for_their_owner_alone(tmp_path):
    assert read_settings(tmp_path) == ComputerSettings()
    kept = ComputerSettings(server="https://a:1", proxy="http://me:secret@p:2", is_offline=True)
    for _ in range(2):
        write_settings(tmp_path, kept)
        if os.name != "nt":
            assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert read_settings(tmp_path) == kept


@pytest.mark.parametrize("text", ["{", "[]", '{"server": 3}', '{"is_offline": "no"}', '{"x": ""}'])
def test_damaged_settings_start_nothing(a_home, text, the_switch_comes_back):
    """They may be what keeps this computer off the network."""
    (a_home / FILE).write_text(text)
    setup = WorkerSetup()
    for call in (setup.settings, setup.worker, setup.is_ready):
        with pytest.raises(SegmentationAIError, match=r"settings\.json cannot be read"):
            call()
    (a_home / FILE).write_text(json.dumps({"proxy": "http://p:1"}))
    assert setup.settings().proxy == "http://p:1"


def test_the_switch_holds_for_this_program_and_its_children(a_home, the_switch_comes_back):
    WorkerSetup().change_settings(ComputerSettings(is_offline=True))
    assert is_offline()
    set_offline(False)
    assert WorkerSetup().settings().is_offline, "another session has it from the file"
    assert is_offline()
    WorkerSetup().change_settings(ComputerSettings())
    assert not is_offline()


def test_a_server_is_used_when_it_is_named_and_refused_offline(a_home, the_switch_comes_back):
    token = a_home / "token.txt"
    token.write_text("# mine\na-token-of-many-letters\n")
    setup = WorkerSetup()
    setup.change_settings(ComputerSettings(server="https://name:8443"))
    assert setup.is_ready()
    with pytest.raises(SegmentationAIError, match="wants a token"):
        setup.worker()
    there = ComputerSettings(server="https://name:8443", token_file=str(token))
    setup.change_settings(there)
    assert isinstance(setup.worker(), RemoteWorker)
    setup.change_settings(ComputerSettings(**{**vars(there), "is_offline": True}))
    with pytest.raises(SegmentationAIError, match="off it"):
        setup.worker()
