"""Which case to label next: every strategy of `rank` against random, on hippocampus.

30 patients score, 60 others are the pool. Of those a few are labeled at random, the same ones for
every strategy; then, round by round, each strategy names as many more. After each round a network
is trained from scratch, as many steps each time and from the same random start, on what is labeled
by then. The auxiliary modality of M-VAAL is a second contrast computed from the intensities alone:
how steeply they change. No strategy sees a label of a case that it has not asked for.

    python Testing/benchmarks/active_hippocampus.py --data ../shared/data/hippocampus

Prints what is left to do and how long it will take. It can be stopped anywhere and goes on when it
is started again; results are kept in the work folder, one JSON file a round.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import scipy.ndimage as ndi

from SegmentationAILib.core.atomic import whole_file
from SegmentationAILib.core.files import read_labelmap, read_volume
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.learn.active.pool import Candidate, Pool
from SegmentationAILib.learn.active.strategies import STRATEGIES, StrategyName, strategy_named
from SegmentationAILib.learn.network_folder import NetworkFacts, write_network
from SegmentationAILib.learn.plan import TrainingPlan
from SegmentationAILib.learn.prepare_case import prepared_case
from SegmentationAILib.learn.protocols import scores_of
from SegmentationAILib.learn.trainer import TrainedNetwork, TrainingOptions, train
from SegmentationAILib.learn.training_case import PreparedCase
from SegmentationAILib.networks.card import Architecture, Channel, Intensity, License, NetworkCard
from SegmentationAILib.resources import data_folder

LABELS = (Label(1, "Anterior", (0.9, 0.5, 0.1)), Label(2, "Posterior", (0.2, 0.5, 0.9)))
TEST_CASES, POOL_CASES = 30, 60
FIRST, ADDED, ROUNDS = 4, 4, 4
# Many enough that cases are what is short: after 120 steps of AdamW 16 cases were no better than 8.
STEPS = 160
# Of one training with its scores and one ranking, one core of a machine that does other work, too.
FIRST_GUESS_SECONDS = 35.0
PLAN = TrainingPlan(
    architecture=Architecture("unet", (
        ("in_channels", 1), ("out_channels", 3), ("channels", (12, 24, 48)), ("strides", (2, 2)),
        ("dropout", 0.1),
    )),
    labels=LABELS, channels=(Channel("t1"),), modality="MR", orientation="RAS",
    spacing_mm=(1.0, 1.0, 1.0), intensity=Intensity("zscore"), patch_size=(32, 48, 32),
    batch_size=2, epochs=8, steps_per_epoch=STEPS // 8, learning_rate=2e-3,
    optimizer="orthogonal", seed=0, validation_fraction=0.0,
)  # fmt: skip
FACTS = NetworkFacts(
    "hippocampus-round", "Hippocampus, one round", "Anterior and posterior hippocampus.",
    License("CC-BY-SA-4.0", "Trained on the Decathlon's hippocampus.", "free"),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Experiment:
    """Cases and the folder of what is done.

    Attributes:
        pool: Cases that can be labeled, by name.
        test: Cases that score.
        work: Holds a JSON file per round.
        seeds: One repetition each.
        networks: Trained so far, by the names of their cases and their seed.
    """

    pool: dict[str, PreparedCase]
    test: Sequence[PreparedCase]
    work: Path
    seeds: Sequence[int]
    networks: dict[tuple[tuple[str, ...], int], tuple[TrainedNetwork, NetworkCard]] = field(
        default_factory=dict
    )

    def rounds(self) -> list[tuple[StrategyName, int, int]]:
        """Return strategy, seed and round of all rows; the first round is the same for all."""
        return [
            (strategy, seed, number)
            for seed in self.seeds
            for number in range(ROUNDS)
            for strategy in (STRATEGIES if number else STRATEGIES[:1])
        ]

    def path(self, strategy: str, seed: int, number: int) -> Path:
        name = f"{strategy} {seed} {number}" if number else f"first {seed}"
        return self.work / f"{name}.json"

    def row(self, strategy: StrategyName, seed: int, number: int) -> dict:
        """Return the row of a round that is done."""
        found: dict = json.loads(self.path(strategy, seed, number).read_text(encoding="utf-8"))
        return found

    def run(self, strategy: StrategyName, seed: int, number: int) -> None:
        """Label, train, score and keep what came of it."""
        started = time.monotonic()
        if number == 0:
            chosen = np.random.default_rng(seed).choice(sorted(self.pool), FIRST, replace=False)
            labeled = [str(name) for name in chosen]
        else:
            before = self.row(strategy, seed, number - 1)["labeled"]
            labeled = before + self.asked_for(strategy, seed, number, before)
        asked_in = time.monotonic() - started
        trained, _ = self.trained(labeled, seed)
        scores = scores_of(trained, {"test": self.test}, "cpu")["test"]
        row = {
            "labeled": labeled,
            "dice": scores.mean,
            "labels": list(scores.labels),
            "asking_seconds": round(asked_in, 2),
            "seconds": round(time.monotonic() - started, 2),
        }
        with whole_file(self.path(strategy, seed, number)) as beside:
            beside.write_text(json.dumps(row), encoding="utf-8")

    def asked_for(
        self, strategy: StrategyName, seed: int, number: int, labeled: list[str]
    ) -> list[str]:
        """Return the names that a strategy adds, by the network of the round before."""
        trained, card = self.trained(labeled, seed)
        chosen = strategy_named(
            strategy, card, lambda: trained.weights, device="cpu", seed=100 * seed + number
        )
        halves = [candidate(self.pool[name]) for name in labeled]
        rest = [candidate(case) for name, case in self.pool.items() if name not in labeled]
        return [one.id for one in chosen.rank(Pool(tuple(halves), tuple(rest)), ADDED)]

    def trained(self, labeled: list[str], seed: int) -> tuple[TrainedNetwork, NetworkCard]:
        """Return a network of these cases and its card; trained once while the program runs."""
        key = (tuple(sorted(labeled)), seed)
        if key not in self.networks:
            cases = [self.pool[name] for name in sorted(labeled)]
            folder = self.work / "training"
            shutil.rmtree(folder, ignore_errors=True)
            plan = replace(PLAN, seed=seed)
            found = train(cases, plan, output=folder / "run", options=TrainingOptions(device="cpu"))
            # The card carries the hash of the weights, by which compiled networks are kept.
            card = write_network(folder / "network", found, FACTS, cases, ())
            self.networks[key] = found, card
        return self.networks[key]


def candidate(case: PreparedCase) -> Candidate:
    """Return a case without its labels, with the second contrast beside it."""
    steepness = ndi.gaussian_gradient_magnitude(case.array[0], 1.0)
    return Candidate(case.id, case.array, steepness.astype(np.float32), case.padding)


def prepared(data: Path, work: Path, seeds: Sequence[int]) -> Experiment:
    """Return the experiment; the split is by seed 20260101, the same for every repetition."""
    names = sorted(path.name for path in (data / "imagesTr").glob("*.nii.gz"))
    order = np.random.default_rng(20260101).permutation(len(names))
    cases = []
    for at in order[: TEST_CASES + POOL_CASES]:
        volume = read_volume(data / "imagesTr" / names[at])
        found = read_labelmap(data / "labelsTr" / names[at])
        truth = Labelmap(found.layers, LABELS, found.affine)
        cases.append(prepared_case(names[at].removesuffix(".nii.gz"), volume, truth, PLAN))
    pool = {case.id: case for case in cases[TEST_CASES:]}
    return Experiment(pool, cases[:TEST_CASES], work, seeds)


def estimate(experiment: Experiment) -> str:
    """Return what is left, by the rounds that are done, else by the first figure measured."""
    rows = experiment.rounds()
    done = [experiment.row(*row)["seconds"] for row in rows if experiment.path(*row).exists()]
    each = statistics.mean(done) if done else FIRST_GUESS_SECONDS
    left = len(rows) - len(done)
    return f"{left} of {len(rows)} rounds are left: about {left * each / 60:.0f} minutes."


def curves(experiment: Experiment) -> dict[str, list[list[float]]]:
    """Return by strategy and seed the Dice after each round, where all rounds are done."""
    found: dict[str, list[list[float]]] = {}
    for strategy in STRATEGIES:
        for seed in experiment.seeds:
            paths = [experiment.path(strategy, seed, number) for number in range(ROUNDS)]
            if all(path.exists() for path in paths):
                dice = [json.loads(path.read_text(encoding="utf-8"))["dice"] for path in paths]
                found.setdefault(strategy, []).append(dice)
    return found


def table(experiment: Experiment) -> str:
    """Return the curves as markdown: mean and standard deviation over the seeds."""
    counts = [FIRST + ADDED * number for number in range(ROUNDS)]
    head = ["strategy", "seeds", *(f"Dice with {n} cases" for n in counts), "mean gain on random"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    found = curves(experiment)
    for strategy, rows in found.items():
        cells = [spread([row[number] for row in rows]) for number in range(ROUNDS)]
        gain = "-"
        if strategy != "random" and len(found.get("random", [])) == len(rows):
            pairs = zip(rows, found["random"], strict=True)
            gain = spread(
                [
                    statistics.mean(a - b for a, b in zip(x[1:], y[1:], strict=True))
                    for x, y in pairs
                ],
                sign=True,
            )
        lines.append(f"| {strategy} | {len(rows)} | {' | '.join(cells)} | {gain} |")
    return "\n".join(lines)


def spread(values: list[float], *, sign: bool = False) -> str:
    """Return mean and standard deviation."""
    mean = f"{statistics.mean(values):{'+' if sign else ''}.3f}"
    return mean + (f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else "")


def draw(experiment: Experiment, path: Path) -> None:
    """Draw the curves, random with the spread of its seeds behind the others."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.4), layout="constrained")
    axes = figure.add_subplot(
        xlabel="labeled cases", ylabel=f"mean Dice on {TEST_CASES} other patients"
    )
    counts = [FIRST + ADDED * number for number in range(ROUNDS)]
    axes.set_xticks(counts)
    for strategy, rows in curves(experiment).items():
        mean = np.mean(rows, axis=0)
        is_random = strategy == "random"
        axes.plot(counts, mean, "k--" if is_random else "-o", label=strategy, markersize=3)
        if is_random and len(rows) > 1:
            deviation = np.std(rows, axis=0, ddof=1)
            axes.fill_between(counts, mean - deviation, mean + deviation, color="0.85")
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> int:
    """Do what is left, and print the table."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--data", type=Path, required=True, help="folder with imagesTr, labelsTr")
    parser.add_argument(
        "--work", type=Path, default=data_folder() / "experiments" / "active-hippocampus",
        help="default: %(default)s",
    )  # fmt: skip
    parser.add_argument("--seeds", default="0,1,2", help="with commas between")
    parser.add_argument("--picture", type=Path, help="draw the curves into this file")
    parser.add_argument("--table", action="store_true", help="only print the table of what is done")
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    os.environ["SEGMENTATIONAI_HOME"] = str(chosen.work / "home")
    seeds = [int(one) for one in chosen.seeds.split(",")]
    experiment = prepared(chosen.data, chosen.work, seeds)
    for strategy, seed, number in [] if chosen.table else experiment.rounds():
        if not experiment.path(strategy, seed, number).exists():
            print(estimate(experiment), f"{strategy}, seed {seed}, round {number} ...", flush=True)
            experiment.run(strategy, seed, number)
    print(table(experiment))
    if chosen.picture:
        draw(experiment, chosen.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
