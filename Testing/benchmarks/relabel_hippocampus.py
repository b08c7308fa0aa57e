"""The papers' table on real MR: weak labels in, how much of the way to the truth the loop goes.

Hippocampus (anterior, posterior) of the Medical Segmentation Decathlon. Three sets of patients: 60
on which the base network is trained, in another contrast that is computed from the intensities; 80
whose labels are deformed to a mean Dice of 0.75 or 0.80, or made anew by methods that know no shape
(see `weak_hippocampus`), and relabelled; 40 that score networks. See `relabel_experiment`.

    python Testing/benchmarks/relabel_hippocampus.py --data ../shared/data/hippocampus
    ... --levels 0.75 --seeds 0 --variants paper      the first row alone

Prints what is left to do and how long it will take. It can be stopped anywhere and goes on when it
is started again; results are kept in the work folder, one JSON file a row.
"""

from pathlib import Path

import numpy as np
from relabel_experiment import Experiment
from relabel_rows import arguments, main
from weak_hippocampus import METHODS, weak_labels_by

from SegmentationAILib.core.files import read_labelmap, read_volume
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.network_folder import NetworkFacts
from SegmentationAILib.learn.plan import TrainingPlan
from SegmentationAILib.networks.card import Architecture, Channel, Intensity, License

LABELS = (Label(1, "Anterior", (0.9, 0.5, 0.1)), Label(2, "Posterior", (0.2, 0.5, 0.9)))
BASE_CASES, LOOP_CASES, TEST_CASES = 60, 80, 40
ARCHITECTURE = Architecture("unet", (
    ("in_channels", 1), ("out_channels", 3), ("channels", (12, 24, 48)), ("strides", (2, 2)),
))  # fmt: skip


class Hippocampi:
    """The data set in three parts."""

    labels = LABELS
    methods = METHODS
    base_plan = TrainingPlan(
        architecture=ARCHITECTURE, labels=LABELS, channels=(Channel("t1"),), modality="MR",
        orientation="RAS", spacing_mm=(1.0, 1.0, 1.0), intensity=Intensity("zscore"),
        patch_size=(32, 48, 32), batch_size=2, epochs=30, steps_per_epoch=30,
        learning_rate=2e-3, seed=1, validation_fraction=0.0,
    )  # fmt: skip
    base_facts = NetworkFacts(
        "hippocampus-other-contrast", "Hippocampus in another contrast",
        "Anterior and posterior hippocampus.",
        License("CC-BY-SA-4.0", "Trained on the Decathlon's hippocampus.", "free"),
    )  # fmt: skip

    def __init__(self, data: Path) -> None:
        self._data = data
        names = sorted(p.name for p in (data / "imagesTr").glob("*.nii.gz"))
        order = np.random.default_rng(20260101).permutation(len(names))
        shuffled = [names[n] for n in order]
        self.base_names = shuffled[:BASE_CASES]
        self.loop_names = sorted(shuffled[BASE_CASES : BASE_CASES + LOOP_CASES])
        self.test_names = shuffled[BASE_CASES + LOOP_CASES :][:TEST_CASES]

    def volume(self, name: str) -> Volume:
        return read_volume(self._data / "imagesTr" / name)

    def base_volume(self, name: str) -> Volume:
        """Return the scan as another sequence might show it: dark is bright, out of proportion."""
        volume = self.volume(name)
        low, high = np.percentile(volume.voxels, (1, 99))
        scaled = np.clip((volume.voxels.astype(np.float32) - low) / (high - low), 0, 1)
        return Volume((1000 * (1 - scaled) ** 1.6).astype(np.int16), volume.affine)

    def truth(self, name: str) -> Labelmap:
        found = read_labelmap(self._data / "labelsTr" / name)
        return Labelmap(found.layers, LABELS, found.affine)

    def base_truth(self, name: str) -> Labelmap:
        return self.truth(name)

    def weak_labels(self, method: str, name: str, truth: Labelmap) -> np.ndarray:
        return weak_labels_by(method, self.volume(name), truth)


if __name__ == "__main__":
    words = arguments(__doc__ or "", "relabel-hippocampus", ("0.75", "0.8", *METHODS), "0.75")
    main(lambda chosen: Experiment(Hippocampi(chosen.data), chosen.work, chosen.epochs), words)
