"""Training on the hippocampus set: from scratch, from a pretrained network, and nnU-Net beside it.

The same 40 of 200 patients (seed 0) are held out of everything and score all networks; of those
that are learned from, every tenth is watched to choose the epoch.

    scratch       the default plan on 160 patients, for --minutes
    nnU-Net       nnunetv2's own plan and trainer on the same 160, for the same minutes
    few, scratch  the posterior part from 10 patients, for --few-minutes; three seeds
    few, tuned    the same from a network that has learned the anterior part of 100 others

    .venv/bin/python Testing/benchmarks/train_hippocampus.py --data ../shared/data/hippocampus

Prints what is left to do and how long it will take. It can be stopped anywhere and goes on when it
is started again: results lie in the work folder, one JSON file a row. Minutes are those of training
on this machine; what else runs there makes them worth less, so both tools run one after the other.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from SegmentationAILib.core.atomic import whole_file
from SegmentationAILib.learn.case_cache import CaseCache
from SegmentationAILib.learn.dataset import Dataset, read_dataset
from SegmentationAILib.learn.dataset_checks import check_dataset
from SegmentationAILib.learn.default_plan import default_plan
from SegmentationAILib.learn.fingerprint import fingerprint_of
from SegmentationAILib.learn.plan import TrainingPlan
from SegmentationAILib.learn.protocols import scores_of
from SegmentationAILib.learn.split import hold_out_split
from SegmentationAILib.learn.starting_weights import starting_weights
from SegmentationAILib.learn.trainer import TrainedNetwork, TrainingOptions, train
from SegmentationAILib.learn.training_case import PreparedCase
from SegmentationAILib.learn.training_machine import this_machine
from SegmentationAILib.learn.transfer_plan import transfer_plan

FOLDER = Path(__file__).resolve().parent
HELD_OUT, WATCHED_EVERY, FEW = 0.2, 10, 10
PRETRAINING_CASES, SEEDS = 100, (0, 1, 2)
Cases = Sequence[PreparedCase]


@dataclass
class Experiment:
    """Data, plan and clock of all rows."""

    work: Path
    data: Path
    dataset: Dataset
    plan: TrainingPlan
    training: Cases
    test: Cases
    minutes: float
    few_minutes: float

    def scratch(self) -> dict[str, Any]:
        return self._scored(self._train("scratch", self.training, self.plan, self.minutes))

    def nnunet(self) -> dict[str, Any]:
        """Let nnU-Net train and predict in an environment of its own; score its files."""
        lists = self.work / "patients.json"
        names = {"training": self.training, "test": self.test}
        lists.write_text(json.dumps({k: [case.id for case in v] for k, v in names.items()}))
        python = FOLDER.parents[1] / ".venv-benchmark" / "bin" / "python"
        script = FOLDER / "nnunet_trained.py"
        words = [str(self.data), str(lists), str(self.work / "nnunet"), str(self.minutes)]
        ended = subprocess.run([python, script, *words], check=True, stdout=subprocess.PIPE)
        found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return found

    def few_scratch(self, seed: int) -> dict[str, Any]:
        plan, cases = self._few(seed)
        return self._scored(self._train(f"few-scratch-{seed}", cases, plan, self.few_minutes))

    def few_tuned(self, seed: int) -> dict[str, Any]:
        plan, cases = self._few(seed)
        known = self._pretrained()
        card = replace(known.plan.card(), id="anterior", sha256="0" * 64)
        tuned = transfer_plan(plan, card)
        start = starting_weights(card, known.weights, tuned).weights
        return self._scored(self._train(f"few-tuned-{seed}", cases, tuned, self.few_minutes, start))

    def _pretrained(self) -> TrainedNetwork:
        plan = replace(self.plan, labels=self.plan.labels[:1], **self._one_label())
        cases = only(self.training[-PRETRAINING_CASES:], 1)
        return self._train("anterior", cases, plan, self.few_minutes * 2)

    def _few(self, seed: int) -> tuple[TrainingPlan, Cases]:
        """Return plan and cases of the posterior part; no case is one of the pretraining's."""
        others = self.training[:-PRETRAINING_CASES]
        chosen = np.random.default_rng(seed).choice(len(others), FEW, replace=False)
        labels = self.plan.labels[1:2]
        plan = replace(self.plan, labels=labels, seed=seed, **self._one_label())
        return plan, only([others[index] for index in sorted(chosen)], 2)

    def _one_label(self) -> dict[str, Any]:
        arguments = {**self.plan.architecture.arguments(), "out_channels": 2}
        parameters = tuple(sorted(arguments.items()))
        return {"architecture": replace(self.plan.architecture, parameters=parameters)}

    def _train(
        self, name: str, cases: Cases, plan: TrainingPlan, minutes: float, start: Any = None
    ) -> TrainedNetwork:
        watched = cases[::WATCHED_EVERY]
        learned = [case for case in cases if not any(case is one for one in watched)]
        return train(
            learned, replace(plan, patience=10_000), output=self.work / name, hold_out=watched,
            start=start, options=TrainingOptions(minutes, "cpu", resume=True),
        )  # fmt: skip

    def _scored(self, trained: TrainedNetwork) -> dict[str, Any]:
        test = self.test
        if len(trained.plan.labels) == 1:
            test = only(test, 2)
        scores = scores_of(trained, {"test": test}, "cpu")["test"]
        return {
            "dice": scores.mean,
            "labels": list(scores.labels),
            "steps": len(trained.losses),
            "minutes": round(trained.seconds / 60, 2),
        }


def only(cases: Cases, channel: int) -> list[PreparedCase]:
    """Return the cases with one of their labels, as channel 1."""
    return [replace(c, channels=(c.channels == channel).astype(np.uint8)) for c in cases]


def prepared(data: Path, work: Path, minutes: float, few_minutes: float) -> Experiment:
    dataset = read_dataset(data)
    split = hold_out_split(dataset.cases, HELD_OUT, seed=0)
    facts = check_dataset(dataset).facts
    found = fingerprint_of([facts[case.id] for case in split.training])
    plan = default_plan(dataset, found, this_machine("cpu"))
    cache = CaseCache(work)
    training = list(cache.prepare_all(dataset, split.training, plan))
    test = list(cache.prepare_all(dataset, split.hold_out, plan))
    return Experiment(work, data, dataset, plan, training, test, minutes, few_minutes)


def rows_of(experiment: Experiment, *, peer: bool) -> dict[str, Callable[[], dict[str, Any]]]:
    rows: dict[str, Callable[[], dict[str, Any]]] = {"scratch": experiment.scratch}
    if peer:
        rows["nnU-Net"] = experiment.nnunet
    for seed in SEEDS:
        rows[f"few, scratch, seed {seed}"] = lambda seed=seed: experiment.few_scratch(seed)
        rows[f"few, tuned, seed {seed}"] = lambda seed=seed: experiment.few_tuned(seed)
    return rows


def table(results: dict[str, dict[str, Any]]) -> str:
    lines = ["| row | mean Dice on 40 held-out patients | per label | steps | minutes |",
             "|---|---|---|---|---|"]  # fmt: skip
    for name, row in results.items():
        labels = ", ".join("-" if one is None else f"{one:.4f}" for one in row["labels"])
        lines.append(
            f"| {name} | {row['dice']:.4f} | {labels} | {row['steps']} | {row['minutes']} |"
        )
    both = [
        [results.get(f"few, {kind}, seed {seed}", {}).get("dice") for seed in SEEDS]
        for kind in ("scratch", "tuned")
    ]
    if all(one is not None for side in both for one in side):
        gains = [tuned - scratch for scratch, tuned in zip(*both, strict=True)]
        spread = statistics.stdev(gains)
        lines.append(
            f"\nGain of the pretrained network with {FEW} cases: {statistics.mean(gains):+.4f}, "
            f"standard deviation over {len(SEEDS)} seeds {spread:.4f}."
        )
    return "\n".join(lines)


def main() -> None:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--data", type=Path, required=True, help="folder of the hippocampus set")
    parser.add_argument("--work", type=Path, default=Path("demo-output/train-hippocampus"))
    parser.add_argument("--minutes", type=float, default=15.0, help="scratch and nnU-Net, each")
    parser.add_argument("--few-minutes", type=float, default=3.0, help="each run with 10 cases")
    parser.add_argument("--no-peer", action="store_true", help="leave nnU-Net out")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    experiment = prepared(asked.data, asked.work, asked.minutes, asked.few_minutes)
    results: dict[str, dict[str, Any]] = {}
    rows = rows_of(experiment, peer=not asked.no_peer)
    files = {
        name: asked.work / f"{name.replace(', ', '-').replace(' ', '-')}.json" for name in rows
    }
    left = [name for name in rows if not files[name].exists()]
    long = sum(
        asked.minutes if name in ("scratch", "nnU-Net") else asked.few_minutes for name in left
    )
    if any("tuned" in name for name in left) and not (asked.work / "anterior").exists():
        long += 2 * asked.few_minutes
    print(f"{len(left)} of {len(rows)} rows are left: about {long * 1.15:.0f} minutes.", flush=True)
    for name, make in rows.items():
        if not files[name].exists():
            print(f"{name} ...", flush=True)
            row = make()
            with whole_file(files[name]) as beside:
                beside.write_text(json.dumps(row), encoding="utf-8")
        results[name] = json.loads(files[name].read_text(encoding="utf-8"))
    print(table(results))


if __name__ == "__main__":
    sys.exit(main())
