"""Folders from which studies are made: small oblique scans with two known structures each."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from SegmentationAILib.core.files import write_labelmap, write_volume
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.study.create import StudySource, create_study
from SegmentationAILib.learn.study.iterations import Outcome, begin, finish, inputs_of
from SegmentationAILib.learn.study.records import Making
from SegmentationAILib.learn.study.study import Study
from SegmentationAILib.learn.study.versions import NewVersion, add_version

from phantoms import grid_around, sphere_mask

LABELS = (Label(1, "Head", (1.0, 0.0, 0.0)), Label(2, "Tail", (0.0, 1.0, 0.0)))
BASE_SHA256 = "b" * 64
SHAPE = (19, 16, 11)


def truth(number: int) -> Labelmap:
    """Two spheres that touch, at places of their own in each case."""
    grid = grid_around((12.0 + number, -7.0, 20.0), SHAPE)
    center = np.array([12.0, -7.0, 20.0]) + np.random.default_rng(number).uniform(-1, 1, 3)
    layer = sphere_mask(grid, center, 5.0).astype(np.uint8)
    layer[sphere_mask(grid, center + np.array([4.0, 0, 0]), 4.0)] = 2
    return Labelmap((layer,), LABELS, grid.affine)


def scan(number: int) -> Volume:
    """The spheres of `truth` at 100 and 200 on 0, with noise."""
    labels = truth(number)
    noise = np.random.default_rng(number + 1000).normal(0, 15, SHAPE)
    voxels = np.array([0.0, 100.0, 200.0])[labels.layers[0]] + noise
    return Volume(voxels.astype(np.int16)[None], labels.affine)


def shifted(labels: Labelmap, voxels: int = 1) -> Labelmap:
    """The same labels some voxels off along the first axis: a weak label of known error."""
    return replace(labels, layers=(np.roll(labels.layers[0], voxels, axis=0),))


def study_folders(root: Path, cases: int = 4) -> dict[str, Path]:
    """Folders ``images``, ``weak`` and ``references`` with files of the same names."""
    folders = {name: root / name for name in ("images", "weak", "references")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    for number in range(cases):
        name = f"case {number}.nii.gz"
        write_volume(scan(number), folders["images"] / name)
        write_labelmap(shifted(truth(number)), folders["weak"] / name)
        write_labelmap(truth(number), folders["references"] / name)
    return folders


def study_source(folders: dict[str, Path], **changes) -> StudySource:
    """What `study_folders` gives, as the source of a study with references."""
    source = StudySource(folders["images"], folders["weak"], "base", BASE_SHA256, LABELS,
                         folders["references"])  # fmt: skip
    return replace(source, **changes)


def made_study(root: Path, cases: int = 4, **changes) -> Study:
    """A study below ``root`` with its folders beside it."""
    return create_study(root / "study", study_source(study_folders(root, cases), **changes))


def iterate(study: Study, off: int = 3) -> None:
    """Finish an iteration that has predicted the truth some voxels off, without any network."""
    one = begin(study, "{}", BASE_SHA256)
    for name, version in inputs_of(study, one.number).items():
        making = Making("predicted", weights_sha256="d" * 64, iteration=one.number)
        labels = shifted(truth(int(name.split()[1])), off)
        add_version(study, name, NewVersion(labels, making, is_current=False), version.number)
    finish(study, one.number, Outcome("d" * 64, 0.9, 0.1, None, "Goes on.", True, 1.0))
