"""P6: a network on the CPU, this project's way against torch in single precision.

Input is real: the whole-head T1 of ``shared/data``, prepared by the project's own rules. The Dice
change is one minus the mean Dice between the labels of a case and those of torch: the strictest
reading, since against true labels both lose and win voxels. `record_gates` measures that as well.
"""

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from measure import Measurement, measure
from safetensors.torch import load_file

from SegmentationAILib.core.files import read_volume
from SegmentationAILib.core.preprocess import prepare
from SegmentationAILib.networks.build import load_network
from SegmentationAILib.networks.card import NetworkCard
from SegmentationAILib.networks.catalog import catalog
from SegmentationAILib.networks.device import choose_device, physical_cores
from SegmentationAILib.networks.expected_shapes import built_network
from SegmentationAILib.networks.precision import is_allowed, label_dice
from SegmentationAILib.networks.segmenter import recipe_of
from SegmentationAILib.resources import resource

SHARED = Path(
    os.environ.get("SEGMENTATIONAI_SHARED", Path(__file__).resolve().parents[2].parent / "shared")
)
VOLUME = SHARED / "data" / "brain-t1" / "t1.nii.gz"
GOAL = (
    "P6: at least 3x torch fp32 with a Dice change of at most 0.001; at least 6x with at most 0.005"
)
LARGEST_LOSS = {3.0: 0.001, 6.0: 0.005}
# Voxels of the block around the thalamus that a whole-volume network is measured on: a torch run
# of the whole head would take a minute per round.
BLOCK = (112, 112, 112)
TORCH = "torch fp32"


def run() -> list[Measurement]:
    """Measure the networks whose weights and input are there."""
    measurements = []
    meshnet = SHARED / "weights" / "subcortical" / "model.pth"
    for network_id, weights in (
        ("brain-any-contrast", _shipped_weights("brain-any-contrast")),
        ("subcortical", meshnet),
    ):
        card = catalog().by_id(network_id)
        if card is not None and weights is not None and weights.is_file() and VOLUME.is_file():
            with tempfile.TemporaryDirectory() as home:
                os.environ["SEGMENTATIONAI_HOME"] = home
                measurements.append(_measured(card, weights))
    return measurements


def _measured(card: NetworkCard, weights: Path) -> Measurement:
    tensors = {name: tensor.float().numpy() for name, tensor in load_file(weights).items()}
    torch.set_num_threads(physical_cores())
    patch = real_patch(card)
    module = built_network(card, tensors)
    cases: dict[str, Callable[[], np.ndarray]] = {TORCH: lambda: by_torch(module, patch)}
    for precision in ("fp32", "bf16", "int8"):
        network = load_network(card, tensors, "cpu", precision, calibration=[patch])
        cases[f"{network.precision} on {choose_device('cpu').name}"] = partial(network, patch)
    ours = list(cases)[2]
    measured = measure(
        f"CPU inference: {card.id}, patch {patch.shape[2:]}",
        cases,
        ours=ours,
        peer=TORCH,
        goal=GOAL,
    )
    measured.remarks += _agreement(measured) + _recorded(card)
    return measured


def _agreement(measured: Measurement) -> list[str]:
    expected = measured.cases[TORCH].output.argmax(axis=1)
    seconds = np.median(measured.cases[TORCH].wall_seconds)
    remarks = []
    for name, case in measured.cases.items():
        if name == TORCH or case.failure:
            continue
        loss = 1 - float(np.mean(label_dice(expected, case.output.argmax(axis=1))))
        ratio = seconds / np.median(case.wall_seconds)
        met = [
            f"{goal:g}x" for goal, most in LARGEST_LOSS.items() if ratio >= goal and loss <= most
        ]
        reached = f"reaches {' and '.join(met)}" if met else "reaches neither goal"
        remarks.append(f"- {name}: {ratio:.1f}x, Dice change {loss:.5f}; {reached}.")
    return remarks


def _recorded(card: NetworkCard) -> list[str]:
    """Say what the card's gates, measured on more volumes by `record_gates`, allow."""
    remarks = []
    for gate in card.gates:
        change = (
            "" if gate.dice_change is None else f", {gate.dice_change:+.5f} Dice against labels"
        )
        verdict = "takes it" if is_allowed(gate) else "does not take it"
        remarks.append(
            f"- Recorded for {gate.precision}: on {gate.cases} real volumes a mean Dice of "
            f"{gate.mean_dice:.5f} with single precision{change}; `--precision auto` {verdict}."
        )
    return remarks


def by_torch(module: torch.nn.Module, patch: np.ndarray) -> np.ndarray:
    """Return the logits of a patch as PyTorch computes them."""
    with torch.inference_mode():
        return module(torch.from_numpy(patch)).numpy()


def real_patch(card: NetworkCard) -> np.ndarray:
    """Return a prepared patch of the real head, as large as the network takes or a block of it."""
    array = prepare(read_volume(VOLUME), recipe_of(card).rules).array
    wanted = card.patch_size or array.shape[1:]
    multiple = card.divisible_by
    largest = card.patch_size or tuple(-(-side // multiple) * multiple for side in BLOCK)
    sides = [min(n, b) for n, b in zip(wanted, largest, strict=True)]
    reach = [max(0, side - n) for side, n in zip(sides, array.shape[1:], strict=True)]
    array = np.pad(array, [(0, 0), *((0, n) for n in reach)])
    starts = [(n - side) // 2 for n, side in zip(array.shape[1:], sides, strict=True)]
    block = tuple(slice(s, s + n) for s, n in zip(starts, sides, strict=True))
    return np.ascontiguousarray(array[(slice(None), *block)])[None]


def _shipped_weights(network_id: str) -> Path | None:
    card = catalog().by_id(network_id)
    try:
        return resource(card.file) if card is not None and card.file else None
    except FileNotFoundError:
        return None


if __name__ == "__main__":
    for one in run():
        print(one.markdown())
