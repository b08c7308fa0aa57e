"""Runs the rows of a relabelling experiment that are not done yet, and prints its table."""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from relabel_experiment import VARIANTS, Experiment
from relabel_table import estimate, row_name, table

from SegmentationAILib.resources import data_folder

Row = tuple[str, str, int]


def run(experiment: Experiment, rows: list[Row], seeds: list[int]) -> None:
    """Do what is left, telling what is left after each row."""
    # Everything the program keeps for these runs lies in the work folder as well.
    os.environ["SEGMENTATIONAI_HOME"] = str(experiment.work / "home")
    print(estimate(experiment.results, rows), flush=True)
    experiment.result("base", experiment.base)
    for seed in seeds:
        experiment.result(f"ceiling {seed}", lambda seed=seed: experiment.ceiling(seed))
    for row in rows:
        experiment.result(row_name(*row), lambda row=row: experiment.row(*row))
        print(estimate(experiment.results, rows), flush=True)


def arguments(
    description: str, name: str, levels: Sequence[str], ablations_at: str
) -> argparse.Namespace:
    """Return what the command line says.

    Args:
        description: Shown by ``--help``.
        name: Of the experiment's folder.
        levels: Weak Dice or methods, the default of ``--levels``.
        ablations_at: Default of the level of the ablations.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument(
        "--work", type=Path, default=data_folder() / "experiments" / name,
        help="default: %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--levels", default=",".join(levels), help="weak Dice or method, with commas between"
    )
    parser.add_argument("--seeds", default="0,1,2", help="with commas between")
    parser.add_argument("--variants", default=",".join(VARIANTS), help="with commas between")
    parser.add_argument("--ablations-at", default=ablations_at, help="level of the ablations")
    parser.add_argument("--epochs", type=int, default=15, help="of each training of the loop")
    parser.add_argument("--table", action="store_true", help="only print the table of what is done")
    return parser.parse_args()


def main(
    experiment: Callable[[argparse.Namespace], Experiment], chosen: argparse.Namespace
) -> None:
    """Run what the command line asks for, and print the table."""
    levels = chosen.levels.split(",")
    seeds = [int(one) for one in chosen.seeds.split(",")]
    made = experiment(chosen)
    rows = [
        (level, variant, seed)
        for variant in chosen.variants.split(",")
        for level in levels
        for seed in seeds
        if variant == "paper" or level == chosen.ablations_at
    ]
    if not chosen.table:
        run(made, rows, seeds)
    print(table(made.results, list(VARIANTS), levels, seeds, len(made.cases.test_names)))
