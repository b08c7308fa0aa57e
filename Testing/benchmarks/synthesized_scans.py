"""Patients with scans, synthesized from label maps of heads: what `cross_modality` learns from.

A patient is a label map: all of its scans lie on one side of every split. A scan is the head,
deformed and painted with a contrast (`learn.synthesize`), on a grid of 3.5 mm along R, A, S. The
structures of left and right are one label each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from SegmentationAILib.core.labelmap import Label
from SegmentationAILib.learn.brain_structures import STRUCTURES
from SegmentationAILib.learn.contrasts import Contrast
from SegmentationAILib.learn.deform import DeformationRanges
from SegmentationAILib.learn.label_map_head import LabelMapHead, read_heads
from SegmentationAILib.learn.synthesize import Synthesis, synthesize
from SegmentationAILib.learn.training_case import PreparedCase

SPACING_MM = 3.5
SHAPE = (48, 64, 42)
# The paper's sets: many CT scans, a few of the first MR set, more of the second.
CONTRASTS: tuple[Contrast, ...] = ("CT", "T1", "T2")
PATIENTS = {"CT": 7, "T1": 5, "T2": 3}
SCANS_OF_A_PATIENT = {"CT": 4, "T1": 1, "T2": 4}
TEST_PATIENTS = 5
# Of the tissues' means about the contrast's: Hounsfield units are a fixed scale, MR is not.
SCATTER = {"CT": 0.03, "T1": 0.06, "T2": 0.06}
DIFFICULTY = 0.5
PARTS = {
    "Cerebral White Matter": ("Cerebral White Matter",),
    "Cerebral Cortex": ("Cerebral Cortex",),
    "Ventricles": ("Lateral Ventricle", "Inferior Lateral Ventricle"),
    "Cerebellum": ("Cerebellum White Matter", "Cerebellum Cortex"),
    "Deep Gray Matter": ("Thalamus", "Caudate", "Putamen", "Pallidum", "Accumbens Area"),
    "Hippocampus and Amygdala": ("Hippocampus", "Amygdala"),
    "Brain Stem": ("Brain Stem",),
}
LABELS = tuple(Label(value, name) for value, name in enumerate(PARTS, start=1))


@dataclass(frozen=True)
class Patients:
    """Who is learned from in each contrast, and who scores every network.

    Attributes:
        training: Contrast to numbers of label maps; none is in two contrasts.
        test: Numbers of label maps that no network learns from.
    """

    training: dict[str, tuple[int, ...]]
    test: tuple[int, ...]


def patients_of(count: int, seed: int) -> Patients:
    """Return a split of ``count`` label maps; the test patients are the same for every seed."""
    order = np.random.default_rng(0).permutation(count)
    test, others = order[:TEST_PATIENTS], order[TEST_PATIENTS:]
    others = np.random.default_rng([seed, 1]).permutation(others)
    training, first = {}, 0
    for contrast, number in PATIENTS.items():
        training[contrast] = tuple(int(n) for n in others[first : first + number])
        first += number
    return Patients(training, tuple(int(n) for n in test))


def training_scans(heads: Sequence[LabelMapHead], seed: int) -> dict[str, list[PreparedCase]]:
    """Return the scans of each contrast's patients, deformed and drawn by the seed."""
    chosen = patients_of(len(heads), seed).training
    ranges = DeformationRanges(anywhere=0.0, shift_mm=6.0)
    return {
        contrast: [
            scan(heads[patient], contrast, f"{patient:02d}-{number}", ranges, (seed, patient))
            for patient in chosen[contrast]
            for number in range(SCANS_OF_A_PATIENT[contrast])
        ]
        for contrast in CONTRASTS
    }


def test_scans(heads: Sequence[LabelMapHead]) -> dict[str, list[PreparedCase]]:
    """Return one scan of every test patient in every contrast: the head as it is, hardly turned."""
    ranges = DeformationRanges(5.0, 0.0, 0.0, 0.0, 0.0, 4.0, 0.0)
    test = patients_of(len(heads), 0).test
    return {
        contrast: [scan(heads[n], contrast, f"{n:02d}-test", ranges, (1000, n)) for n in test]
        for contrast in CONTRASTS
    }


def scan(
    head: LabelMapHead,
    contrast: Contrast,
    name: str,
    deformation: DeformationRanges,
    seed: tuple[int, ...],
) -> PreparedCase:
    """Return a scan with mean 0 and deviation 1, as the trainer's augmentation expects it."""
    synthesis = Synthesis(
        SHAPE, SPACING_MM, deformation, ((contrast, 1.0),), SCATTER[contrast], 0.0, DIFFICULTY
    )
    words = [*seed, CONTRASTS.index(contrast), int(name[3:]) if name[3:].isdigit() else 0]
    volume, channels = synthesize(np.random.default_rng(words), head, synthesis)
    volume = (volume - volume.mean()) / volume.std()
    outside = (float(volume.min()),)
    return PreparedCase(name, volume[None].astype(np.float32), _PARTS[channels], padding=outside)


def heads_of(folder: Path) -> list[LabelMapHead]:
    """Return the heads of a folder's label maps, in the order of their names."""
    paths = sorted(folder.glob("*.nii.gz"))
    needed = TEST_PATIENTS + sum(PATIENTS.values())
    if len(paths) < needed:
        raise SystemExit(f"{folder} holds {len(paths)} label maps; {needed} are needed.")
    return read_heads(paths)


def _parts() -> NDArray[np.uint8]:
    """Return the channel of each of the synthesizer's channels."""
    table = np.zeros(len(STRUCTURES) + 1, np.uint8)
    for channel, structure in enumerate(STRUCTURES, start=1):
        name = structure.name.removeprefix("Left ").removeprefix("Right ")
        for number, names in enumerate(PARTS.values(), start=1):
            if name in names:
                table[channel] = number
    return table


_PARTS = _parts()
