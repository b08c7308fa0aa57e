"""From one modality to another: the liver paper's experiment, repeated on synthesized heads.

"Cross-modality deep transfer learning: application to liver segmentation in CT and MRI", MIUA 2023,
Springer LNCS 14122, doi:10.1007/978-3-031-48593-0: there CT (LiTS), a small MR set (CHAOS) and a
larger one (DLDS); here a CT-like, a T1-like and a T2-like contrast of label maps of heads. Network
(2D U-Net, batch normalization, dropout), one rate for all rows and whole slices are the paper's.
Seven structures, an eighth of the width, 8 slices a step, most of them through a structure, the
rate and its fall, the loss and the trainer's augmentation are ours. The paper's loss, the soft
Jaccard distance, leaves the background out; with one structure that does no harm, with seven the
smallest one took the background's place and was found in none of the rows.

    CT scratch              the source; scored on T1 and T2 without any adaptation
    T1 scratch, T2 scratch  the target's few scans alone
    CT-T1 none, encoder, all-but-last   fine-tuned; what is frozen (with normalization statistics)
    CT-T2 encoder           fine-tuned on the larger MR set
    CT-T1-T2 encoder        in several stages: what is left of CT and T1?
    universal               all scans pooled and shuffled, from scratch
    CT-T1 round             as CT-T1 none, in a tenth of the universal network's steps

No network's epoch is chosen: the last weights count. Rows are compared by steps of 8 slices, not
by minutes, so that a busy machine does not change them; `--steps` is those of a row on few scans.

    .venv/bin/python Testing/benchmarks/cross_modality.py --data ../shared/data/brain-label-maps

Prints what is left to do and how long it will take. It can be stopped anywhere and goes on when it
is started again: results lie in the work folder, one JSON file a row and seed.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cross_modality_table import Results, table
from synthesized_scans import (
    CONTRASTS,
    LABELS,
    SHAPE,
    SPACING_MM,
    heads_of,
    test_scans,
    training_scans,
)

from SegmentationAILib.core.atomic import whole_file
from SegmentationAILib.learn.frozen_layers import FREEZES, Freeze
from SegmentationAILib.learn.plan import TrainingPlan
from SegmentationAILib.learn.protocols import pooled_cases, scores_of
from SegmentationAILib.learn.trainer import TrainedNetwork, TrainingOptions, train
from SegmentationAILib.learn.training_case import PreparedCase
from SegmentationAILib.learn.training_cost import step_cost
from SegmentationAILib.learn.training_machine import this_machine
from SegmentationAILib.networks.card import Architecture, Channel, Intensity

WIDTHS = (8, 16, 32, 64, 128)
BATCH, RATE, STEPS_PER_EPOCH = 8, 0.003, 20
# Of the slices; each structure is equally likely, or the small ones would hardly be seen.
THROUGH_A_STRUCTURE = 0.8
# Lengths of the rows, in those of a row on few scans. The universal network gets as many steps as
# the source and both targets together.
SOURCE, UNIVERSAL, ROUND = 2.0, 4.0, 0.4
# Patches, checkpoints and scores, in steps.
AROUND_A_STEP = 1.3
Cases = Sequence[PreparedCase]


@dataclass
class Experiment:
    """The rows of one seed: another choice and order of patients, scans, patches and weights.

    Attributes:
        work: Folder of this seed.
        seed: Of everything.
        training: Contrast to scans.
        test: Contrast to scans of patients that are learned from in no seed.
        steps: Of a row on few scans.
    """

    work: Path
    seed: int
    training: dict[str, list[PreparedCase]]
    test: dict[str, list[PreparedCase]]
    steps: int

    def rows(self) -> dict[str, Callable[[], TrainedNetwork]]:
        rows: dict[str, Callable[[], TrainedNetwork]] = {
            "CT scratch": self.source,
            "T1 scratch": lambda: self._train("T1 scratch", self.training["T1"]),
            "T2 scratch": lambda: self._train("T2 scratch", self.training["T2"]),
        }
        for freeze in FREEZES:
            rows[f"CT-T1 {freeze}"] = lambda freeze=freeze: self.tuned("T1", freeze)
        rows["CT-T2 encoder"] = lambda: self.tuned("T2", "encoder")
        rows["CT-T1-T2 encoder"] = self.in_stages
        rows["universal"] = self.universal
        rows["CT-T1 round"] = lambda: self.tuned("T1", "none", "round", ROUND)
        return rows

    def source(self) -> TrainedNetwork:
        return self._train("CT scratch", self.training["CT"], SOURCE)

    def tuned(
        self, target: str, freeze: Freeze, name: str = "", length: float = 1.0
    ) -> TrainedNetwork:
        row = f"CT-{target} {name or freeze}"
        return self._train(row, self.training[target], length, self.source(), freeze)

    def in_stages(self) -> TrainedNetwork:
        before = self.tuned("T1", "encoder")
        return self._train("CT-T1-T2 encoder", self.training["T2"], 1.0, before, "encoder")

    def universal(self) -> TrainedNetwork:
        return self._train("universal", pooled_cases(self.training), UNIVERSAL)

    def _train(
        self,
        name: str,
        cases: Cases,
        length: float = 1.0,
        start: TrainedNetwork | None = None,
        freeze: Freeze = "none",
    ) -> TrainedNetwork:
        """Train, go on with a training that was stopped, or read back one that is finished."""
        return train(
            cases, plan_of(length * self.steps, self.seed),
            output=self.work / folder_name(name), start=start.weights if start else None,
            freeze=freeze, options=TrainingOptions(device="cpu", resume=True),
        )  # fmt: skip


def plan_of(steps: float, seed: int) -> TrainingPlan:
    parameters = {"in_channels": 1, "out_channels": len(LABELS) + 1, "widths": list(WIDTHS)}
    return TrainingPlan(
        architecture=Architecture("unet2d-liver", tuple(sorted(parameters.items()))),
        labels=LABELS,
        channels=(Channel("volume"),),
        modality="any",
        orientation="RAS",
        spacing_mm=(SPACING_MM,) * 3,
        intensity=Intensity("zscore"),
        patch_size=(SHAPE[0], SHAPE[1], 1),
        batch_size=BATCH,
        epochs=max(1, round(steps / STEPS_PER_EPOCH)),
        steps_per_epoch=STEPS_PER_EPOCH,
        learning_rate=RATE,
        loss="dice-ce",
        foreground_fraction=THROUGH_A_STRUCTURE,
        precision="bf16",
        seed=seed,
        validation_fraction=0.0,
    )


def folder_name(row: str) -> str:
    return row.replace(" ", "-")


def row_of(experiment: Experiment, make: Callable[[], TrainedNetwork]) -> dict[str, Any]:
    """Train a row; return its Dice on the test patients in every contrast, and what it cost."""
    trained = make()
    scored = time.monotonic()
    scores = scores_of(trained, experiment.test, "cpu")
    return {
        "dice": {contrast: scores[contrast].mean for contrast in CONTRASTS},
        "labels": {contrast: list(scores[contrast].labels) for contrast in CONTRASTS},
        "steps": len(trained.losses),
        "seconds": round(trained.seconds, 1),
        "scoring_seconds": round(time.monotonic() - scored, 1),
    }


def experiments(asked: argparse.Namespace) -> list[Experiment]:
    heads = heads_of(asked.data)
    test = test_scans(heads)
    return [
        Experiment(
            asked.work / f"seed-{seed}", seed, training_scans(heads, seed), test, asked.steps
        )
        for seed in range(asked.seeds)
    ]


def expected_minutes(left: list[tuple[Experiment, str]]) -> float:
    """Return the minutes of rows by trial steps now; a busy machine makes them longer."""
    long = {"CT scratch": SOURCE, "universal": UNIVERSAL, "CT-T1 round": ROUND}
    seconds = step_cost(plan_of(1, 0), this_machine("cpu")).seconds * AROUND_A_STEP
    return sum(seconds * one.steps * long.get(name, 1.0) for one, name in left) / 60


def results_of(found: list[Experiment], names: Sequence[str]) -> Results:
    """Return the rows of all seeds, read where they are finished and trained where not."""
    todo = [(one, name) for one in found for name in names]
    files = {(one.seed, name): one.work / f"{folder_name(name)}.json" for one, name in todo}
    left = [(one, name) for one, name in todo if not files[one.seed, name].exists()]
    if left:
        minutes = expected_minutes(left)
        print(f"{len(left)} of {len(todo)} rows are left: about {minutes:.0f} minutes.", flush=True)
    for one, name in left:
        print(f"seed {one.seed}, {name} ...", flush=True)
        row = row_of(one, one.rows()[name])
        one.work.mkdir(parents=True, exist_ok=True)
        with whole_file(files[one.seed, name]) as beside:
            beside.write_text(json.dumps(row), encoding="utf-8")
        print(f"  {row['dice']}, {row['seconds']} s", flush=True)
    results: Results = {name: [] for name in names}
    for (_, name), file in files.items():
        results[name].append(json.loads(file.read_text(encoding="utf-8")))
    return results


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--data", type=Path, required=True, help="folder of the label maps")
    parser.add_argument("--work", type=Path, default=Path("training/cross-modality"))
    parser.add_argument("--steps", type=int, default=400, help="of a row on few scans")
    parser.add_argument("--seeds", type=int, default=2)
    found = experiments(parser.parse_args())
    print(table(results_of(found, tuple(found[0].rows()))))


if __name__ == "__main__":
    sys.exit(main())
