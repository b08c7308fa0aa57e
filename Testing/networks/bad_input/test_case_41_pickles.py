"""Case 41: a pickle that runs a command is refused and not run, with its harmless twin."""

import pickle

import numpy as np
import pytest
import torch
from network_files import (
    zip_of,
)

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks import checkpoint
from SegmentationAILib.networks.weights import read_weights


class Runs:
    """Pickled, it runs a shell command when opened."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        import os

        return os.system, (self.command,)


@pytest.fixture
def a_marker(tmp_path):
    return tmp_path / "marker"


def malicious(path, marker, form):
    value = Runs(f"touch {marker}")
    if form == "pickle":
        path.write_bytes(pickle.dumps(value))
    elif form == "protocol 4":
        zip_of(path, [("net/data.pkl", pickle.dumps(value, 4)), ("net/version", b"3")])
    else:
        options = {"_use_new_zipfile_serialization": form == "zip"}
        torch.save({"a": torch.zeros(2), "b": value}, path, **options)


@pytest.mark.parametrize("form", ["pickle", "protocol 4", "zip", "legacy"])
def test_case_41_a_pickle_with_os_system_is_refused_and_not_run(tmp_path, a_marker, form):
    malicious(tmp_path / "net.pt", a_marker, form)
    with pytest.raises(WeightsError, match=r"net\.pt"):
        read_weights(tmp_path / "net.pt")
    assert not a_marker.exists()


def test_case_41_the_marker_would_have_appeared(tmp_path, a_marker):
    malicious(tmp_path / "net.pt", a_marker, "pickle")
    pickle.loads((tmp_path / "net.pt").read_bytes())
    assert a_marker.exists()


def test_case_41_the_child_process_refuses_too(tmp_path, a_marker, monkeypatch):
    """The wall behind the first: torch itself, asked without our look at the opcodes."""
    malicious(tmp_path / "net.pt", a_marker, "zip")
    monkeypatch.setattr(checkpoint, "check_checkpoint", lambda path: None)
    with pytest.raises(WeightsError, match="Weights only load failed"):
        checkpoint.safetensors_from_checkpoint(tmp_path / "net.pt", tmp_path / "out")
    assert not a_marker.exists()
    assert not (tmp_path / "out").exists()


def test_case_41_a_torchscript_program_is_refused_by_name(tmp_path):
    members = [("net/data.pkl", pickle.dumps({})), ("net/code/__torch__.py", b"x"),
               ("net/constants.pkl", pickle.dumps(()))]  # fmt: skip
    zip_of(tmp_path / "net.pt", members)
    with pytest.raises(WeightsError, match="TorchScript"):
        read_weights(tmp_path / "net.pt")


def test_case_41_twin_a_checkpoint_of_tensors_is_read_whatever_its_ending(tmp_path):
    """torch chooses a reader by the ending when it is given a name; the content has to decide."""
    layer = torch.nn.Conv3d(2, 3, 3)
    torch.save({"state_dict": layer.state_dict()}, tmp_path / "net.safetensors")
    found = read_weights(tmp_path / "net.safetensors")
    assert found.keys() == {"weight", "bias"}
    np.testing.assert_array_equal(found["weight"], layer.weight.detach().numpy())
