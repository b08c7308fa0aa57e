"""The papers' table on brain structures: a base in one contrast, weak labels in another.

Volumes are synthesized from the whole-head label maps of Billot et al. at 2 mm, with both sides
together. Of 20 maps, 8 train the base network in a T2-like contrast; 8 others give the volumes that
are relabelled, in a T1-like contrast, their labels deformed to a mean Dice of 0.875; 4 score
networks. No map is on two sides. The base also learned from fields of view that show a part of the
brain; all others show the whole. The base knows five parts of the brain. Four are relabelled: of
the deep gray matter networks of this size and length reach 0.83 when they learn from the truth, and
weak labels have 0.88, so that the loop has nothing to find. See `relabel_experiment`.

    python Testing/benchmarks/relabel_brain.py --data ../shared/data/brain-label-maps

Prints what is left to do and how long it will take. It can be stopped anywhere and goes on when it
is started again; results are kept in the work folder, one JSON file a row.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from relabel_experiment import Experiment
from relabel_rows import arguments, main

from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.brain_structures import STRUCTURES
from SegmentationAILib.learn.contrasts import Contrast
from SegmentationAILib.learn.deform import DeformationRanges
from SegmentationAILib.learn.label_map_head import LabelMapHead, read_heads
from SegmentationAILib.learn.network_folder import NetworkFacts
from SegmentationAILib.learn.plan import TrainingPlan
from SegmentationAILib.learn.synthesize import Synthesis, synthesize
from SegmentationAILib.networks.card import Architecture, Channel, Intensity, License

BASE_CONTRAST, LOOP_CONTRAST = "T2", "T1"
SPACING_MM, SHAPE = 2.0, (80, 96, 80)
BASE_MAPS, LOOP_MAPS = 8, 8
BASE_VOLUMES, LOOP_VOLUMES, TEST_VOLUMES = 48, 48, 8
PARTS = {
    "Cerebrum": ("Cerebral White Matter", "Cerebral Cortex"),
    "Ventricles": ("Lateral Ventricle", "Inferior Lateral Ventricle"),
    "Cerebellum": ("Cerebellum White Matter", "Cerebellum Cortex"),
    "Deep Gray Matter": ("Thalamus", "Caudate", "Putamen", "Pallidum"),
    "Brain Stem": ("Brain Stem",),
}
LEFT_OUT = "Deep Gray Matter"
LABELS = tuple(Label(number, name) for number, name in enumerate(PARTS, start=1))


def _part_of(structure: str) -> int:
    """Return the label of one of `STRUCTURES`, 0 for what is in no part."""
    name = structure.removeprefix("Left ").removeprefix("Right ")
    return next((n for n, names in enumerate(PARTS.values(), start=1) if name in names), 0)


# By the channel of `brain-any-contrast`.
VALUES = np.array([0, *(_part_of(structure.name) for structure in STRUCTURES)], np.uint8)


class Brains:
    """Label maps in three parts, and the volumes synthesized from them."""

    labels = tuple(label for label in LABELS if label.name != LEFT_OUT)
    methods = ()
    base_plan = TrainingPlan(
        architecture=Architecture("unet", (
            ("in_channels", 1), ("out_channels", 1 + len(LABELS)), ("channels", (12, 24, 48, 96)),
            ("strides", (2, 2, 2)),
        )),
        labels=LABELS, channels=(Channel("mr"),), modality="MR", orientation="RAS",
        spacing_mm=(SPACING_MM,) * 3, intensity=Intensity("zscore"), patch_size=(40, 40, 40),
        batch_size=2, epochs=100, steps_per_epoch=100, learning_rate=2e-3, optimizer="orthogonal",
        seed=1, validation_fraction=0.0,
    )  # fmt: skip
    base_facts = NetworkFacts(
        "brain-t2-like", "Brain structures, T2-like", "Five parts of the brain at 2 mm.",
        License("Apache-2.0", "Trained on volumes from label maps of Billot et al.", "free"),
    )  # fmt: skip

    def __init__(self, data: Path) -> None:
        paths = sorted(data.glob("*.nii.gz"))
        order = np.random.default_rng(20260101).permutation(len(paths))
        shuffled = [paths[n] for n in order]
        base, loop = BASE_MAPS, BASE_MAPS + LOOP_MAPS
        self.base_names = _names(shuffled[:base], BASE_VOLUMES)
        self.loop_names = _names(shuffled[base:loop], LOOP_VOLUMES)
        self.test_names = _names(shuffled[loop:], TEST_VOLUMES)
        self._data = data

    def volume(self, name: str) -> Volume:
        return self._drawn(name, LOOP_CONTRAST)[0]

    def base_volume(self, name: str) -> Volume:
        return self._drawn(name, BASE_CONTRAST)[0]

    def truth(self, name: str) -> Labelmap:
        found = self.base_truth(name)
        values = [label.value for label in self.labels]
        layer = np.where(np.isin(found.layers[0], values), found.layers[0], 0).astype(np.uint8)
        return Labelmap((layer,), self.labels, found.affine)

    def base_truth(self, name: str) -> Labelmap:
        return self._drawn(name, LOOP_CONTRAST)[1]

    def weak_labels(self, method: str, name: str, truth: Labelmap) -> np.ndarray:
        raise ValueError(f"{method} for {name}: the brain has deformed labels alone")

    @cache  # noqa: B019 - one object lives as long as the program
    def _drawn(self, name: str, contrast: Contrast) -> tuple[Volume, Labelmap]:
        """Return a volume and its labels; the same anatomy in every contrast."""
        stem, _, number = name.removesuffix(".nii.gz").rpartition("-")
        seed = [int(stem.rpartition("_")[2]), int(number)]
        ranges = DeformationRanges().scaled(0.5)
        if name not in self.base_names:
            # A part that is not in the scan has no weak label that could be too small or too large.
            ranges = replace(ranges, anywhere=0.0)
        synthesis = Synthesis(
            SHAPE, SPACING_MM, ranges, ((contrast, 1.0),), strip=0.0, difficulty=0.3
        )
        array, channels = synthesize(np.random.default_rng(seed), self._head(stem), synthesis)
        affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
        affine[:3, 3] = -SPACING_MM * (np.array(SHAPE) - 1) / 2
        return Volume(array[None], affine), Labelmap((VALUES[channels],), LABELS, affine)

    @cache  # noqa: B019 - one object lives as long as the program
    def _head(self, stem: str) -> LabelMapHead:
        return read_heads([self._data / f"{stem}.nii.gz"])[0]


def _names(paths: list[Path], count: int) -> list[str]:
    """Return names of volumes, each of the maps in turn."""
    stems = [paths[n % len(paths)].name.removesuffix(".nii.gz") for n in range(count)]
    return [f"{stem}-{n // len(paths)}.nii.gz" for n, stem in enumerate(stems)]


if __name__ == "__main__":
    words = arguments(__doc__ or "", "relabel-brain", ("0.875",), "none")
    main(lambda chosen: Experiment(Brains(chosen.data), chosen.work, chosen.epochs), words)
