"""A network out of its domain before and after `adapt`, with clicks at its largest errors.

    .venv/bin/python Testing/benchmarks/bench_adapt.py [--cases 8]

The network is that of `train_hippocampus.py` (T1-weighted hippocampi, 160 patients); it is read
from that benchmark's work folder. The cases are patients that were held out of its training and of
the tuning of `adapt`, with their intensities as they are and shifted in ways that it has never
seen. Five clicks lie where the network's mask and the reference differ most: the deepest voxels of
the largest errors, 4 mm apart at least. The controls get the same clicks: put into the mask as
they are, and spread to what is near and alike, both without any adaptation.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import edt
import numpy as np
import safetensors.numpy
import scipy.ndimage as ndi
import torch

from SegmentationAILib.core.files import read_labelmap, read_volume
from SegmentationAILib.core.prompts import PointPrompt
from SegmentationAILib.core.volume import Grid, Volume
from SegmentationAILib.learn.plan_file import plan_from_bytes
from SegmentationAILib.networks.card import License
from SegmentationAILib.networks.device import CPU
from SegmentationAILib.networks.segmenter import Segmenter, open_segmenter
from SegmentationAILib.networks.store import NetworkStore, StoredNetwork
from SegmentationAILib.networks.weights import sha256_of
from SegmentationAILib.refine.adapt import DEFAULTS, AdaptEngine
from SegmentationAILib.refine.session import RefineSession

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "training" / "hippocampus"
# The first of the held-out patients; `adapt` was tuned on them and they are not scored.
TUNED_ON, CLICKS, APART_MM = 3, 5, 4.0
STRUCTURE, VALUE = "Anterior", 1
Mask = np.ndarray


def _folded(middle: float) -> Callable[..., np.ndarray]:
    return lambda t, rng: 2 * np.abs(t - middle)


SHIFTS: dict[str, Callable[..., np.ndarray]] = {
    "as scanned": lambda t, rng: t,
    "folded at 0.55 (dark and bright swap above the middle)": _folded(0.55),
    "noise of 0.3 of the range": lambda t, rng: t + rng.normal(0, 0.3, t.shape),
    "bias field, 0.3 to 1.7": lambda t, rng: t * np.linspace(0.3, 1.7, t.shape[1])[None, :, None],
    "smoothed, sigma 1.2 voxels": lambda t, rng: ndi.gaussian_filter(t, 1.2),
}


@dataclass(frozen=True)
class Row:
    """Dice of one case by each way, and seconds of one answer after the first run."""

    before: float
    voxels: float
    spread: float
    alone: float
    adapted: float
    seconds: float


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--cases", type=int, default=8)
    options = parser.parse_args()
    ids = json.loads((WORK / "patients.json").read_text())["test"]
    chosen = ids[TUNED_ON : TUNED_ON + options.cases]
    with tempfile.TemporaryDirectory() as folder:
        network = _network(Path(folder))
        # Opened once: a network is prepared for a computer in longer than it takes to answer.
        store = _OneNetwork(network)
        segmenter = open_segmenter("hippocampus", "cpu", "fp32", store=store)
        rows: dict[str, list[Row]] = {}
        for name in SHIFTS:
            rows[name] = []
            for seed, case in enumerate(chosen):
                volume, truth = _case(options.data, case, name, seed)
                rows[name].append(_row(network, segmenter, volume, truth))
            sys.stderr.write(f"{name}: {rows[name][-1]}\n")
    sys.stdout.write(_table(rows))
    return 0


def _network(folder: Path) -> StoredNetwork:
    """Return the trained network as an installed one."""
    run = WORK / "scratch"
    state = torch.load(run / "checkpoints" / "best.pt", weights_only=True, map_location="cpu")
    weights = folder / "weights.safetensors"
    arrays = {n: t.float().contiguous().numpy() for n, t in state["averaged"].items()}
    safetensors.numpy.save_file(arrays, str(weights))
    plan = plan_from_bytes((run / "plan.json").read_bytes())
    card = replace(
        plan.card(), id="hippocampus", title="Hippocampus", task="Hippocampus on T1.",
        license=License("CC-BY-SA-4.0", "Trained on data under it.", "free"),
        sha256=sha256_of(weights),
    )  # fmt: skip
    return StoredNetwork(card, "installed", weights)


class _OneNetwork(NetworkStore):
    """A store that holds one network."""

    def __init__(self, network: StoredNetwork) -> None:
        self._network = network

    def find(self, network_id: str) -> StoredNetwork:
        """Return the network."""
        return self._network


def _case(data: Path, case: str, shift: str, seed: int) -> tuple[Volume, Mask]:
    """Return a scan with shifted intensities and the mask that was drawn on it."""
    scan = next((data / "imagesTr").glob(f"{case}.nii*"))
    labelmap = read_labelmap(next((data / "labelsTr").glob(f"{case}.nii*")))
    return _shifted(read_volume(scan), shift, seed), labelmap.layers[0] == VALUE


def _row(network: StoredNetwork, segmenter: Segmenter, volume: Volume, truth: Mask) -> Row:
    found = segmenter.segment(volume).labelmap.layers[0] == VALUE
    clicks = _clicks(found, truth, volume.grid)
    masks: dict[str, Mask] = {}
    seconds = 0.0
    for name, steps, prompts in (
        ("spread", 0, clicks), ("alone", DEFAULTS.steps, ()), ("adapted", DEFAULTS.steps, clicks),
    ):  # fmt: skip
        settings = replace(DEFAULTS, steps=steps)
        engine = AdaptEngine(volume, network, segmenter, CPU, STRUCTURE, settings)
        session = RefineSession(volume, engine)
        # The run over the whole scan, which comes once, is not what is timed.
        engine.prepare()
        started = time.perf_counter()
        session.add_together(prompts)
        seconds = time.perf_counter() - started
        masks[name] = session.mask
    voxels = found.copy()
    for click in clicks:
        place = np.rint(volume.grid.ijk_from_ras(np.array([click.position_ras]))[0]).astype(int)
        voxels[tuple(place)] = click.positive
    dice = {name: _dice(mask, truth) for name, mask in masks.items()}
    return Row(_dice(found, truth), _dice(voxels, truth), **dice, seconds=seconds)


def _shifted(volume: Volume, shift: str, seed: int) -> Volume:
    rng = np.random.default_rng(seed)
    values = volume.voxels[0].astype(np.float32)
    low, high = np.percentile(values, [1, 99])
    inside = np.clip((values - low) / (high - low), 0, 1)
    if shift == "as scanned":
        return volume
    moved = SHIFTS[shift](inside, rng) + rng.normal(0, 0.02, inside.shape)
    return Volume((1000 * moved).astype(np.float32)[None], volume.affine)


def _clicks(found: Mask, truth: Mask, grid: Grid) -> tuple[PointPrompt, ...]:
    """Clicks at the deepest voxels of the largest errors."""
    wrong, clicks = found ^ truth, []
    places = np.indices(wrong.shape)
    while wrong.any() and len(clicks) < CLICKS:
        parts, _ = ndi.label(wrong)
        largest = np.bincount(parts.ravel())[1:].argmax() + 1
        depth = edt.edt(np.ascontiguousarray(parts == largest), grid.spacing, black_border=True)
        place = np.unravel_index(depth.argmax(), wrong.shape)
        ras = grid.ras_from_ijk(np.array([place], float))[0]
        clicks.append(PointPrompt((ras[0], ras[1], ras[2]), bool(truth[place])))
        apart = [(axis - n) * mm for axis, n, mm in zip(places, place, grid.spacing, strict=True)]
        wrong &= np.sqrt(sum(one**2 for one in apart)) >= APART_MM
    return tuple(clicks)


def _dice(first: Mask, second: Mask) -> float:
    return float(2 * (first & second).sum() / max(1, first.sum() + second.sum()))


def _table(rows: dict[str, list[Row]]) -> str:
    count = len(next(iter(rows.values())))
    lines = [
        f"### A hippocampus network out of its domain, before and after adapt ({count} patients)",
        "",
        f"{STRUCTURE} hippocampus, {CLICKS} clicks; mean Dice; the margin is adapted minus before, "
        "with the standard deviation over patients and how many became better. Seconds are of one "
        "answer after the network's run over the scan: mean and longest.",
        "",
        "| intensities | network alone | clicks put in | clicks spread | adapted without clicks | "
        "adapted | margin | better | s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, cases in rows.items():
        means: Any = {
            field: np.mean([getattr(row, field) for row in cases]) for field in Row.__annotations__
        }
        gains = np.array([row.adapted - row.before for row in cases])
        longest = max(row.seconds for row in cases)
        lines.append(
            f"| {name} | {means['before']:.3f} | {means['voxels']:.3f} | {means['spread']:.3f} | "
            f"{means['alone']:.3f} | {means['adapted']:.3f} | {gains.mean():+.3f} ± "
            f"{gains.std(ddof=1):.3f} | {(gains > 0).sum()} of {len(cases)} | "
            f"{means['seconds']:.1f}, {longest:.1f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
