"""Small data sets on the disk whose truth is known: a bright sphere, oblique and anisotropic."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from SegmentationAILib.core.files import write_labelmap, write_volume
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Grid, Volume
from SegmentationAILib.learn.plan import TrainingPlan
from SegmentationAILib.networks.card import Architecture, Channel, Intensity

from phantoms import grid_around, sphere_mask

CENTER_RAS = np.array([12.0, -7.0, 20.0])


def sphere_case(seed: int, shape=(22, 18, 12), radius_mm=7.0, channels=1, **geometry):
    """A volume and its labelmap: label 1 a sphere, label 3 its core; noise by seed."""
    grid = grid_around(CENTER_RAS, shape, **geometry)
    outer = sphere_mask(grid, CENTER_RAS, radius_mm)
    core = sphere_mask(grid, CENTER_RAS, radius_mm / 2)
    noise = np.random.default_rng(seed).normal(0, 8, (channels, *grid.shape))
    voxels = (np.where(outer, 300.0, -50.0) + 100.0 * core + noise).astype(np.int16)
    labels = (Label(1, "Shell"), Label(3, "Core"))
    values = outer.astype(np.uint8)
    values[core] = 3
    return Volume(voxels, grid.affine), Labelmap((values,), labels, grid.affine)


def write_spheres(folder: Path, number: int, *, channels: int = 1, **arguments) -> Path:
    """Write ``number`` cases ``case_1``, ... and their ``dataset.json``; return its path."""
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for n in range(1, number + 1):
        volume, labelmap = sphere_case(n, channels=channels, **arguments)
        write_volume(volume, folder / "imagesTr" / f"case_{n}.nii.gz")
        write_labelmap(labelmap, folder / "labelsTr" / f"case_{n}.nii.gz")
    return write_description(folder, [entry(f"case_{n}") for n in range(1, number + 1)], channels)


def entry(name: str, **more) -> dict:
    files = {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"}
    return {**files, **more}


def write_description(folder: Path, entries: list, channels: int = 1, **changes) -> Path:
    found = {
        "name": "Spheres",
        "modality": {str(n): ("MRI" if channels == 1 else f"T{n + 1}w") for n in range(channels)},
        "labels": {"0": "background", "1": "Shell", "3": "Core"},
        "numTraining": len(entries or []),
        "training": entries,
        **changes,
    }
    path = folder / "dataset.json"
    path.write_text(json.dumps({k: v for k, v in found.items() if v is not None}))
    return path


def moved(grid: Grid, *, origin_mm=(0.0, 0.0, 0.0), scale=(1.0, 1.0, 1.0), flip=False) -> Grid:
    """The same voxels at another place: shifted, stretched, or with the first axis reversed."""
    affine = grid.affine.copy()
    affine[:3, 3] += origin_mm
    affine[:3, :3] *= np.asarray(scale)
    if flip:
        affine[:3, 0] *= -1
    return Grid(grid.shape, affine)


def a_plan(**changes) -> TrainingPlan:
    plan = TrainingPlan(
        architecture=Architecture(
            "dynunet", (("filters", (8, 16)), ("in_channels", 2), ("out_channels", 3))
        ),
        labels=(Label(1, "Anterior", (1.0, 0.0, 0.2)), Label(300, "Posterior", (0.0, 1.0, 0.4))),
        channels=(
            Channel("t1", "T1", Intensity("percentile", (("high", 99.5), ("low", 0.5)))),
            Channel("t2", "T2"),
        ),
        modality="MR",
        orientation="LPS",
        spacing_mm=(0.9, 1.3, 2.5),
        intensity=Intensity("zscore"),
        patch_size=(40, 56, 24),
        batch_size=8,
        epochs=30,
        steps_per_epoch=50,
        learning_rate=3e-3,
        mirror_axes=(0, 2),
        precision="bf16",
        seed=7,
        conventions="nnunet",
        notes=("Because.",),
    )
    return replace(plan, **changes)
