"""Case 50: an allocation fails at the n-th time, and the labels are those without the fault."""

import numpy as np
import pytest
import torch
from threshold_network import card as threshold_card
from threshold_network import threshold_network_folder

from SegmentationAILib.core.pipeline import segment
from SegmentationAILib.networks.card_reader import card_from_json
from SegmentationAILib.networks.expected_shapes import built_network
from SegmentationAILib.networks.run_torch import TorchNetwork
from SegmentationAILib.networks.segmenter import recipe_of
from SegmentationAILib.networks.weights import read_weights

from phantoms import sphere_volume

MOST = 50


@pytest.fixture(scope="module")
def a_recipe_and_its_network(tmp_path_factory):
    """A network that needs more than fifty patches for the sphere."""
    folder = threshold_network_folder(tmp_path_factory.mktemp("made") / "threshold")
    facts = threshold_card(folder / "weights.safetensors")
    card = card_from_json({**facts, "patch_size": [16, 16, 16], "overlap": 0.5}, "card.json")
    return recipe_of(card), built_network(card, read_weights(folder / "weights.safetensors"))


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Two threads wait for each other a thousand times as long as these small patches take."""
    before = torch.get_num_threads()
    monkeypatch.setattr("SegmentationAILib.networks.device.physical_cores", lambda: 1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def without_a_fault(a_recipe_and_its_network):
    return found_with(a_recipe_and_its_network, 1, 0)


class Failing(torch.nn.Module):
    """Says at its n-th call, and as often after it as ``times`` says, that memory ran out."""

    def __init__(self, network, nth, times):
        super().__init__()
        self.network, self.failing, self.calls = network, range(nth, nth + times), 0

    def forward(self, patch):
        self.calls += 1
        if self.calls in self.failing:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self.network(patch)


def found_with(a_recipe_and_its_network, nth, times):
    recipe, module = a_recipe_and_its_network
    faulty = Failing(module, nth, times)
    network = TorchNetwork(faulty, 3, halo=1)
    result = segment(sphere_volume(), network, recipe)
    return result.labelmap.layers[0] == 7, network.notes, faulty.calls


def test_case_50_twin_without_a_fault_nothing_is_noted(without_a_fault):
    sphere, notes, calls = without_a_fault
    assert notes == ()
    assert calls > MOST
    assert sphere.any()


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    "nth",
    [
        *range(1, MOST, 12),
        *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, MOST + 1) if n % 12 != 1),
    ],
)
def test_case_50_labels_are_those_without_the_fault_whichever_patch_fails(
    a_recipe_and_its_network, without_a_fault, nth, times
):
    whole, _, calls = without_a_fault
    sphere, notes, calls_with_fault = found_with(a_recipe_and_its_network, nth, times)
    assert 2 * np.count_nonzero(whole & sphere) / (whole.sum() + sphere.sum()) >= 0.99
    assert len(notes) == times
    assert all(note.startswith("Memory ran out on cpu: ") for note in notes), notes
    # The patches before the fault are not run again.
    assert calls_with_fault >= calls + times
    if times == 1:
        assert calls_with_fault == calls + 1
