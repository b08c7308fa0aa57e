"""Running by torch: the ladder down when memory runs out, and what stays equal on it."""

import numpy as np
import pytest
import torch

from SegmentationAILib.core.errors import MemoryBudgetError
from SegmentationAILib.networks.architectures.meshnet import MeshNet
from SegmentationAILib.networks.device import CPU, Device
from SegmentationAILib.networks.patch_halves import halved
from SegmentationAILib.networks.run_meshnet import WholeMeshNet
from SegmentationAILib.networks.run_torch import TorchNetwork
from SegmentationAILib.networks.running import is_out_of_memory

DILATIONS = (1, 2, 1)
HALO = sum(DILATIONS)


def a_network() -> MeshNet:
    torch.manual_seed(1)
    return MeshNet(1, 4, 3, DILATIONS, "relu").eval()


def some_patches(batch=2, shape=(20, 8, 12)) -> np.ndarray:
    return np.random.default_rng(4).random((batch, 1, *shape), dtype=np.float32)


class Faulty(torch.nn.Module):
    """Says that memory ran out wherever ``refuses`` says so; else the network it wraps."""

    def __init__(self, network, refuses, error=torch.OutOfMemoryError):
        super().__init__()
        self.network, self.refuses, self.error = network, refuses, error
        self.calls = []

    def forward(self, patch):
        self.calls.append(tuple(patch.shape))
        if self.refuses(patch, len(self.calls)):
            raise self.error("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self.network(patch)


def logits_without_fault(patches):
    with torch.inference_mode():
        return a_network()(torch.from_numpy(patches)).numpy()


def test_the_logits_are_the_modules():
    network = TorchNetwork(a_network(), 3)
    np.testing.assert_array_equal(network(some_patches()), logits_without_fault(some_patches()))
    assert (network.device_name, network.precision, network.notes) == ("cpu", "fp32", ())


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_half_the_batch_gives_the_same_logits_and_one_note(error):
    module = Faulty(a_network(), lambda patch, _: len(patch) > 1, error)
    network = TorchNetwork(module, 3)
    patches = some_patches(4)
    np.testing.assert_allclose(network(patches), logits_without_fault(patches), atol=1e-6)
    assert [call[0] for call in module.calls] == [4, 2, 1, 1, 1, 1]
    assert len(network.notes) == 2
    assert "2 at a time instead of 4; same result" in network.notes[0]
    assert network.precision == "fp32"


@pytest.mark.parametrize("failing", [1, 2, 5])
def test_the_window_that_failed_is_run_again_and_no_other(failing):
    module = Faulty(a_network(), lambda _, call: call == failing)
    network = TorchNetwork(module, 3)
    windows = [some_patches(1) + n for n in range(6)]
    found = [network(window) for window in windows]
    assert len(module.calls) == len(windows) + 1
    for window, logits in zip(windows[: failing - 1], found, strict=False):
        np.testing.assert_array_equal(logits, logits_without_fault(window))
    for window, logits in zip(windows, found, strict=True):
        agree = logits.argmax(1) == logits_without_fault(window).argmax(1)
        assert agree.mean() > 0.99
    assert network.precision == "bf16"
    assert "single precision was given up for bf16" in network.notes[0]


def test_half_patches_with_the_receptive_radius_are_exact():
    patches = some_patches(1, (40, 8, 12))
    module = Faulty(a_network(), lambda patch, _: patch.shape[2] > 26)
    network = TorchNetwork(module, 3, precision="bf16", multiple=2, halo=HALO)
    found = network(patches)
    assert max(call[2] for call in module.calls[1:]) == 24
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        expected = a_network()(torch.from_numpy(patches)).float().numpy()
    # bf16 rounds in another order in another shape: 8 bits of mantissa.
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert "2 overlapping parts" in network.notes[0]


@pytest.mark.parametrize("shape", [(40, 8, 12), (9, 33, 8), (8, 9, 47)])
def test_two_halves_are_the_whole_to_the_last_digit_that_matters(shape):
    patches = some_patches(2, shape)

    def run(part):
        return logits_without_fault(part)

    found = halved(halved(run, 1, HALO), 1, HALO)(patches)
    np.testing.assert_allclose(found, run(patches), atol=1e-6)


def test_when_nothing_fits_the_error_says_what_to_do():
    network = TorchNetwork(Faulty(a_network(), lambda *_: True), 3)
    with pytest.raises(MemoryBudgetError, match=r"20, 8, 12.*--roi"):
        network(some_patches())


def test_a_gpu_that_is_full_hands_over_to_the_cpu():
    """A device that is not there stands in for a full one: torch refuses to move anything to it."""
    gpu = Device("cuda", "meta", "A GPU")
    module = Faulty(a_network(), lambda patch, _: patch.device.type == "meta")
    module.to_empty = None
    network = TorchNetwork(module, 3, gpu, precision="fp16", halo=100)
    network._placed = lambda device: module  # the meta device keeps no weights to move back
    patches = some_patches(1)
    np.testing.assert_allclose(network(patches), logits_without_fault(patches), atol=1e-6)
    assert (network.device_name, network.precision) == (CPU.name, "fp32")
    assert "Memory ran out on A GPU: the CPU goes on" in network.notes[-1]


def test_other_errors_pass_untouched():
    module = Faulty(a_network(), lambda *_: True, KeyError)
    with pytest.raises(KeyError):
        TorchNetwork(module, 3)(some_patches())
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: 4 GB"))
    assert is_out_of_memory(MemoryError())


@pytest.mark.parametrize("free", [10**12, 1000])
def test_a_whole_volume_gets_equal_logits_in_one_piece_and_streamed(free):
    network = WholeMeshNet(a_network(), TorchNetwork(a_network(), 3), lambda: free)
    patches = some_patches()
    np.testing.assert_allclose(network(patches), logits_without_fault(patches), atol=1e-5)
    streamed = any("in slabs, with the same result" in note for note in network.notes)
    assert streamed == (free == 1000)


def test_a_whole_volume_that_fails_in_one_piece_is_streamed():
    class Full(TorchNetwork):
        def __call__(self, patch, /):
            raise RuntimeError("std::bad_alloc")

    network = WholeMeshNet(a_network(), Full(a_network(), 3), lambda: 10**12)
    patches = some_patches()
    np.testing.assert_allclose(network(patches), logits_without_fault(patches), atol=1e-5)
    assert len(network.notes) == 1


def test_a_closed_network_refuses_to_run():
    network = TorchNetwork(a_network(), 3)
    network.close()
    with pytest.raises(RuntimeError, match="closed"):
        network(some_patches())
