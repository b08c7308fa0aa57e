import hashlib

import numpy as np
import pytest
import torch
from network_files import SHAPES, tiny_weights, whole_safetensors
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

from SegmentationAILib.core.errors import WeightsError
from SegmentationAILib.networks.safetensors_header import entries_of
from SegmentationAILib.networks.weights import (
    check_against,
    kind_of,
    read_weights,
    sha256_of,
)


def test_tensors_come_back_as_the_safetensors_library_wrote_them(tmp_path):
    tensors = {**tiny_weights(), "count": np.array(3), "half": np.float16([1.5, -2])}
    save_file(tensors, tmp_path / "weights.anything")
    found = read_weights(tmp_path / "weights.anything")
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_bfloat16_comes_back_exactly_as_float32(tmp_path):
    values = torch.tensor([1.0, -0.15625, 3.0e38, 1e-30]).bfloat16()
    save_torch({"a": values}, tmp_path / "a")
    found = read_weights(tmp_path / "a")["a"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values.float().numpy())


def test_the_hash_is_held_against_the_bytes_before_they_are_read(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(whole_safetensors(tiny_weights()))
    assert read_weights(path, sha256_of(path)).keys() == SHAPES.keys()
    path.write_bytes(b"not even safetensors")
    with pytest.raises(WeightsError, match="SHA-256"):
        read_weights(path, hashlib.sha256(b"other").hexdigest())


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<!DOCTYPE html><html>", "html"), (b"\n <HTML>", "html"), (b"\x80\x02}q\x00.", "pickle"),
        (b"{\"a\": 1}", "other"), (b"", "other"), (b"[\n    \"x{\"\n]", "other"),
    ],
)  # fmt: skip
def test_other_content_is_called_by_its_name_and_refused(tmp_path, content, kind):
    (tmp_path / "weights.safetensors").write_bytes(content)
    assert kind_of(tmp_path / "weights.safetensors") == kind
    with pytest.raises(WeightsError, match=r"weights\.safetensors"):
        read_weights(tmp_path / "weights.safetensors")


def test_arrays_can_be_written_to_so_that_torch_takes_them_without_a_copy(tmp_path):
    (tmp_path / "a").write_bytes(whole_safetensors(tiny_weights()))
    assert all(array.flags.writeable for array in read_weights(tmp_path / "a").values())


def test_entries_lie_in_the_file_where_the_header_says(tmp_path):
    data = whole_safetensors(tiny_weights())
    entry = next(e for e in entries_of(data, "a") if e.name == "model.2.bias")
    assert entry.shape == (3,)
    assert data[entry.start : entry.stop] == tiny_weights()["model.2.bias"].tobytes()


def test_weights_that_fit_are_accepted():
    check_against(SHAPES, tiny_weights(), "tiny")


@pytest.mark.parametrize("folder", ["sae_robust_tissue", "subcortical"])
def test_real_weights_have_the_published_number_of_parameters(the_weights, folder):
    published = {"sae_robust_tissue": 219_219, "subcortical": 196_038}
    found = read_weights(the_weights / folder / "model.pth")
    assert sum(array.size for array in found.values()) == published[folder]


def test_a_legacy_pickle_is_refused_by_name(the_weights):
    with pytest.raises(WeightsError, match="bare pickle"):
        read_weights(the_weights / "hippodeep" / "hippodeep.pt")
