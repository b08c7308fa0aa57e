r"""Measure `brain-any-contrast` as its page states it: held-out label maps, real scans, pictures.

    PYTHONPATH=SegmentationAI .venv/bin/python Testing/measure_brain_any_contrast.py \
        --shared ../shared --output measured

`--card` and `--weights` measure another network with the same answers (an older version, or one
that is not shipped yet). The output folder receives `measured.json` and `measured.md`;
`--pictures Screenshots` also draws every real scan. Nothing of the held-out label maps was trained
on.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from brain_tables import held_out_table, pair_table, volume_table

from SegmentationAILib.core.files import read_volume
from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.brain_any_contrast import (
    CONTRASTS,
    HELD_OUT,
    VALIDATION_DEFORMATION,
)
from SegmentationAILib.learn.brain_structures import STRUCTURES
from SegmentationAILib.learn.label_map_head import read_heads
from SegmentationAILib.learn.synthesize import Synthesis, synthesize
from SegmentationAILib.networks.build import load_network
from SegmentationAILib.networks.card_reader import card_from_json
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.segmenter import Segmenter, open_segmenter
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.networks.weights import read_weights
from SegmentationAILib.scene.plain_pictures import draw_plain_pictures

SHAPE = (160, 192, 160)
DIFFICULTY = 0.6
PATIENT = ("T1", "T1POST", "T2", "FLAIR")
VALUES = tuple(structure.value for structure in STRUCTURES)
# Right to left, FreeSurfer's numbers; and how the version with 16 structures counted.
LEFT_OF = {41: 2, 42: 3, 43: 4, 44: 5, 46: 7, 47: 8, 49: 10, 50: 11, 51: 12, 52: 13, 53: 17}
LEFT_OF |= {54: 18, 58: 26, 60: 28}
COARSE = {5: 4, 26: 11}


def main() -> None:
    """Measure and write."""
    options = _options()
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["SEGMENTATIONAI_HOME"] = home
        segmenter = _segmenter(options)
        measured: dict[str, Any] = {"network": segmenter.card.id, "device": "cpu"}
        if "held-out" in options.parts:
            folder = options.shared / "data" / "brain-label-maps"
            measured["held-out"] = held_out(segmenter, [folder / n for n in HELD_OUT])
            _write(measured, options.output)
        if "real" in options.parts:
            measured["real"] = real_scans(segmenter, options)
            _write(measured, options.output)


def held_out(segmenter: Segmenter, paths: list[Path]) -> dict[str, Any]:
    """Return mean Dice by contrast and structure, with the skull and without."""
    heads = read_heads(paths)
    found: dict[str, Any] = {}
    for strip in (0.0, 1.0):
        for number, contrast in enumerate(CONTRASTS):
            synthesis = Synthesis(
                shape=SHAPE,
                deformation=VALIDATION_DEFORMATION,
                contrasts=((contrast, 1.0),),
                strip=strip,
                difficulty=DIFFICULTY,
            )
            rng = np.random.default_rng([2026, number, int(strip)])
            rows: dict[str, list[dict[int, float]]] = {"32": [], "17": [], "16": []}
            for head in heads:
                volume, channels = synthesize(rng, head, synthesis)
                truth = np.array((0, *VALUES), np.uint8)[channels]
                affine = np.diag([1.0, 1.0, 1.0, 1.0])
                started = time.perf_counter()
                answer = segmenter.segment(Volume(volume[None], affine)).labelmap.layers[0]
                seconds = time.perf_counter() - started
                for kind in rows:
                    rows[kind].append(dice(merged(truth, kind), merged(answer, kind)))
            name = f"{contrast}-like{', stripped' if strip else ''}"
            found[name] = {kind: _mean(tables) for kind, tables in rows.items()}
            print(name, {k: v["mean"] for k, v in found[name].items()}, f"{seconds:.1f} s")
    return found


def merged(labels: np.ndarray, kind: str) -> np.ndarray:
    """Return labels as they are ("32"), both sides as one ("17" and fluid), or as once ("16")."""
    table = np.arange(256, dtype=np.uint8)
    if kind != "32":
        for right, left in LEFT_OF.items():
            table[right] = left
    if kind == "16":
        for part, whole in COARSE.items():
            table[part] = whole
    return table[labels]


def dice(truth: np.ndarray, answer: np.ndarray) -> dict[int, float]:
    """Return the Dice of every value that occurs in the truth."""
    both = np.bincount(truth[truth == answer], minlength=256)
    first = np.bincount(truth.ravel(), minlength=256)
    second = np.bincount(answer.ravel(), minlength=256)
    return {v: float(2 * both[v] / (first[v] + second[v])) for v in range(1, 256) if first[v]}


def real_scans(segmenter: Segmenter, options: argparse.Namespace) -> dict[str, Any]:
    """Return volumes on real scans, beside the MeshNet's, and the agreement of the contrasts."""
    store = NetworkStore()
    source = str(options.shared / "weights" / "subcortical")
    install(store, InstallRequest(source), check_architecture)
    meshnet = open_segmenter("subcortical", device="cpu", store=store)
    scans = {"whole head": options.shared / "data" / "brain-t1" / "t1.nii.gz"}
    patient = options.shared / "data" / "ms-lesions" / "patient19"
    scans |= {name: patient / f"{name}.nii.gz" for name in PATIENT}
    volumes: dict[str, Any] = {}
    labels: dict[str, Labelmap] = {}
    for name, path in scans.items():
        volume = read_volume(path)
        started = time.perf_counter()
        labels[name] = segmenter.segment(volume).labelmap
        seconds = time.perf_counter() - started
        volumes[name] = {"seconds": round(seconds, 1), **milliliters(labels[name])}
        if name in ("whole head", "T1"):
            other = meshnet.segment(volume).labelmap
            volumes[f"{name}, MeshNet"] = milliliters(other)
            agreement = _by_name_dice(other, labels[name])
            volumes[f"{name}, Dice with MeshNet"] = agreement
        if options.pictures is not None:
            _draw(volume, labels[name], options.pictures, name)
        print(name, volumes[name])
    pairs = {}
    for first, second in combinations(PATIENT, 2):
        a, b = labels[first].layers[0], labels[second].layers[0]
        kinds = {kind: dice(merged(a, kind), merged(b, kind)) for kind in ("32", "17", "16")}
        pairs[f"{first}-{second}"] = {kind: _mean([table]) for kind, table in kinds.items()}
        print(first, second, {k: v["mean"] for k, v in pairs[f"{first}-{second}"].items()})
    return {"milliliters": volumes, "pairs": pairs}


def _draw(volume: Volume, labelmap: Labelmap, folder: Path, name: str) -> None:
    """Write `brain-any-contrast-NAME.png` into a folder."""
    with tempfile.TemporaryDirectory() as parts:
        mosaic = draw_plain_pictures(volume, labelmap, Path(parts))[-1]
        target = folder / f"brain-any-contrast-{name.replace(' ', '-').lower()}.png"
        target.write_bytes(mosaic.read_bytes())


def milliliters(labelmap: Labelmap) -> dict[str, float]:
    """Return the volume of every structure, both sides together, by its name without the side."""
    found: dict[str, float] = {}
    for label in labelmap.labels:
        name = _without_side(label.name)
        voxels = np.count_nonzero(labelmap.layers[label.layer] == label.value)
        found[name] = found.get(name, 0.0) + voxels * labelmap.grid.voxel_volume_ml
    return {name: round(float(value), 2) for name, value in found.items()}


def _by_name_dice(first: Labelmap, second: Labelmap) -> dict[str, float]:
    """Return the Dice of structures that both name alike, both sides together."""
    masks = []
    for labelmap in (first, second):
        by_name: dict[str, np.ndarray] = {}
        for label in labelmap.labels:
            mask = labelmap.layers[label.layer] == label.value
            name = _without_side(label.name)
            by_name[name] = by_name[name] | mask if name in by_name else mask
        masks.append(by_name)
    names = [n for n in masks[0] if n in masks[1]]
    scores = {
        n: 2.0
        * np.count_nonzero(masks[0][n] & masks[1][n])
        / max(1, masks[0][n].sum() + masks[1][n].sum())
        for n in names
    }
    scores["mean"] = float(np.mean(list(scores.values())))
    return {name: round(float(value), 3) for name, value in scores.items()}


def _without_side(name: str) -> str:
    """Return a name without its side; the MeshNets write some with a hyphen."""
    return name.removeprefix("Left ").removeprefix("Right ").replace("-", " ")


def _mean(tables: list[dict[int, float]]) -> dict[str, float]:
    values = sorted({value for table in tables for value in table})
    means = {str(v): float(np.mean([t[v] for t in tables if v in t])) for v in values}
    return {"mean": round(float(np.mean(list(means.values()))), 4)} | {
        value: round(mean, 3) for value, mean in means.items()
    }


def _segmenter(options: argparse.Namespace) -> Segmenter:
    if options.card is None:
        return open_segmenter("brain-any-contrast", device="cpu")
    card = card_from_json(json.loads(options.card.read_text(encoding="utf-8")), options.card.name)
    network = load_network(card, read_weights(options.weights), "cpu")
    return Segmenter(card, network, card.sha256)


def _write(measured: dict[str, Any], folder: Path) -> None:
    (folder / "measured.json").write_text(json.dumps(measured, indent=1), encoding="utf-8")
    tables = []
    if "held-out" in measured:
        tables.append(held_out_table(measured["held-out"]))
    if "real" in measured:
        tables += [
            volume_table(measured["real"]["milliliters"]),
            pair_table(measured["real"]["pairs"]),
        ]
    (folder / "measured.md").write_text("\n\n".join(tables) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder of data and weights")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--card", type=Path, help="card of another network")
    parser.add_argument("--weights", type=Path, help="its weights")
    parser.add_argument("--parts", nargs="+", default=["held-out", "real"])
    parser.add_argument("--pictures", type=Path, help="folder for a picture of every real scan")
    return parser.parse_args()


if __name__ == "__main__":
    main()
