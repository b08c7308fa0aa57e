"""Measure how well lower precision keeps a network's labels, and record it on its card.

    .venv-benchmark/bin/python Testing/benchmarks/record_gates.py brain-any-contrast subcortical

Needs the public volumes of ../shared. A card's gate of the same precision is replaced; what `auto`
accepts is decided by `networks.precision.is_allowed`, never here. Speed is taken on this machine:
run it while nothing else does.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import torch
from bench_cpu_inference import SHARED, TORCH, by_torch, real_patch
from click_gate import asked_of, two_classes
from measure import measure

from SegmentationAILib.core.files import read_volume
from SegmentationAILib.core.preprocess import prepare
from SegmentationAILib.learn.brain_any_contrast import HELD_OUT, validation_volumes
from SegmentationAILib.learn.brain_structures import STRUCTURES
from SegmentationAILib.learn.label_map_head import read_heads
from SegmentationAILib.networks.build import RunningNetwork, load_network
from SegmentationAILib.networks.card import NetworkCard, PrecisionGate
from SegmentationAILib.networks.catalog import catalog
from SegmentationAILib.networks.device import physical_cores
from SegmentationAILib.networks.expected_shapes import built_network
from SegmentationAILib.networks.precision import Network, is_allowed, label_dice, measure_gate
from SegmentationAILib.networks.segmenter import recipe_of
from SegmentationAILib.networks.weights import Weights, read_weights
from SegmentationAILib.resources import resource

CATALOGS = ("networks.json", "recognized-networks.json")
T1 = ("brain-t1/t1.nii.gz", "ms-lesions/patient19/T1.nii.gz")
ANY_CONTRAST = (
    *T1,
    "ms-lesions/patient19/T2.nii.gz",
    "ms-lesions/patient19/FLAIR.nii.gz",
    "ms-lesions/patient19/T1POST.nii.gz",
    "brain-tumor/brain1_image.nrrd",
)
# Networks that say so of themselves are measured on every contrast that there is.
MADE_FOR_ANY = ("brain-any-contrast", "mindgrab")
SEED = 11


def main() -> int:
    """Record one gate for each network that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="+", metavar="ID", help="in the catalogue of Resources")
    parser.add_argument("--precision", default="bf16", choices=("bf16", "int8"))
    arguments = parser.parse_args()
    for network_id in arguments.networks:
        card = catalog().by_id(network_id)
        if card is None:
            parser.error(f"there is no network {network_id} in the catalogue")
        with tempfile.TemporaryDirectory() as home:
            os.environ["SEGMENTATIONAI_HOME"] = home
            gate = gate_of(card, arguments.precision)
        write_gate(card, gate)
        verdict = "allowed" if is_allowed(gate) else "not allowed"
        print(f"{network_id}: {json.dumps(asdict(gate))}: {verdict}", flush=True)
    return 0


def gate_of(card: NetworkCard, precision: str) -> PrecisionGate:
    """Return the agreement on real volumes, the change against known labels, and the speed."""
    weights = read_weights(
        resource(card.file) if card.file else SHARED / "weights" / card.id / "model.pth"
    )
    reference = load_network(card, weights, "cpu", "fp32")
    lower = load_network(card, weights, "cpu", precision)
    if card.promptable:
        return _promptable_gate(card, weights, reference, lower)
    gate = measure_gate(reference, lower, _real_volumes(card), lower.precision, "cpu")
    change = None
    if {label.value for label in card.labels} == {one.value for one in STRUCTURES}:
        change = _dice_change(reference, lower)
    faster = _times_faster(card, weights, lower, real_patch(card))
    return replace(gate, dice_change=change, times_faster=faster)


def write_gate(card: NetworkCard, gate: PrecisionGate) -> None:
    """Put the gate on the card in Resources, and leave every other character of the file alone."""
    row = {key: round(v, 5) if isinstance(v, float) else v for key, v in asdict(gate).items()}
    row["times_faster"] = round(gate.times_faster, 2)
    rows = [asdict(old) for old in card.gates if old.precision != gate.precision]
    for name in CATALOGS:
        path = resource(name)
        text = path.read_text(encoding="utf-8")
        start = text.find(f'"id": "{card.id}"')
        if start < 0:
            continue
        begin = text.index('"gates": [', start)
        stop = text.index("]", begin) + 1
        text = text[:begin] + f'"gates": {json.dumps([*rows, row], allow_nan=False)}' + text[stop:]
        json.loads(text)  # before it is written
        path.write_text(text, encoding="utf-8")


def _real_volumes(card: NetworkCard) -> Iterator[np.ndarray]:
    rules = recipe_of(card).rules
    for name in ANY_CONTRAST if card.id in MADE_FOR_ANY else T1:
        yield prepare(read_volume(SHARED / "data" / name), rules).array


def _promptable_gate(
    card: NetworkCard, weights: Weights, reference: RunningNetwork, lower: RunningNetwork
) -> PrecisionGate:
    """Return the agreement, and the change of Dice, on what clicks on held-out objects show."""
    asked = list(asked_of(reference))
    before, after = two_classes(reference), two_classes(lower)
    patches = (one.patch for one in asked)
    gate = measure_gate(before, after, patches, lower.precision, "cpu")
    changes = [
        _dice_of(after, one.patch, one.target) - _dice_of(before, one.patch, one.target)
        for one in asked
    ]
    faster = _times_faster(card, weights, lower, asked[0].patch[None])
    return replace(gate, dice_change=statistics.mean(changes), times_faster=faster)


def _dice_of(network: Network, patch: np.ndarray, target: np.ndarray) -> float:
    found = network(patch[None])[0].argmax(axis=0) > 0
    return float(2 * np.count_nonzero(found & target) / (found.sum() + target.sum()))


def _dice_change(reference: Network, lower: Network) -> float:
    """Return by how much the mean Dice against the labels of held-out heads changes."""
    heads = read_heads([SHARED / "data" / "brain-label-maps" / name for name in HELD_OUT])
    changes = []
    for volumes in validation_volumes(heads, SEED).values():
        for volume, truth in volumes:
            before, after = (
                np.mean(label_dice(truth, network(volume[None, None])[0].argmax(axis=0)))
                for network in (reference, lower)
            )
            changes.append(float(after - before))
    return statistics.mean(changes)


def _times_faster(card: NetworkCard, weights: Weights, lower: Network, patch: np.ndarray) -> float:
    torch.set_num_threads(physical_cores())
    module = built_network(card, weights)
    cases = {TORCH: partial(by_torch, module, patch), "lower": partial(lower, patch)}
    return measure("speed", cases, ours="lower", peer=TORCH, goal="").ratio()[0]


if __name__ == "__main__":
    raise SystemExit(main())
