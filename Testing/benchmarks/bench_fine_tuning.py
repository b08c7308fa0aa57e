"""P15: what a round of fine-tuning on 5 new cases costs and gains, against a full training.

A network knows CT-like scans of 7 patients; then 5 T1-like scans of 5 others come. Full training:
the universal network of `cross_modality`, from scratch on the old scans and the new ones (and on
the T2-like ones). Rounds: the CT network goes on with the 5 alone, nothing frozen. The gain is that
of the mean Dice on T1-like scans of 5 held-out patients over the CT network's. Rows that
`cross_modality.py` has trained already are read from its work folder; the others are trained now.
"""

import argparse
import os
import statistics
from pathlib import Path

from cross_modality import Results, experiments, results_of

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SEGMENTATIONAI_SHARED", ROOT.parent / "shared"))
BEFORE, FULL = "CT scratch", "universal"
ROUNDS = ("CT-T1 round", "CT-T1 none")
SEEDS = 2


def markdown(results: Results) -> str:
    """Return cost and gain of each round as a table, every seed by itself."""
    lines = [
        "### Fine-tuning on 5 new cases against a full training",
        "",
        "Goal: P15: a tenth of the cost for 95 % of the gain. Steps are of 8 slices in all rows; "
        "seconds are of training, on a machine that others used as well.",
        "",
        "| seed | training | steps | seconds | Dice on T1 | share of the cost (steps) "
        "| share of the gain |",
        "|---|---|---|---|---|---|---|",
    ]
    shares: dict[str, list[float]] = {name: [] for name in ROUNDS}
    for seed, (before, full) in enumerate(zip(results[BEFORE], results[FULL], strict=True)):
        base, gain = before["dice"]["T1"], full["dice"]["T1"] - before["dice"]["T1"]
        lines.append(f"| {seed} | none: the CT network | 0 | 0 | {base:.3f} | | |")
        for name in (FULL, *ROUNDS):
            row = results[name][seed]
            cost, share = row["steps"] / full["steps"], (row["dice"]["T1"] - base) / gain
            lines.append(
                f"| {seed} | {name} | {row['steps']} | {row['seconds']:.0f} "
                f"| {row['dice']['T1']:.3f} | {cost:.0%} | {share:.0%} |"
            )
            if name in shares:
                shares[name].append(share)
    lines.append("")
    for name, found in shares.items():
        cost = results[name][0]["steps"] / results[FULL][0]["steps"]
        lines.append(
            f"- {name}: {cost:.0%} of the steps gave **{statistics.mean(found):.0%}** of the gain "
            f"({min(found):.0%} to {max(found):.0%})."
        )
    return "\n".join(lines)


def run() -> Results:
    """Return the rows, trained where they are missing."""
    asked = argparse.Namespace(
        data=SHARED / "data" / "brain-label-maps",
        work=ROOT / "training" / "cross-modality",
        steps=400,
        seeds=SEEDS,
    )
    return results_of(experiments(asked), (BEFORE, FULL, *ROUNDS))


if __name__ == "__main__":
    print(markdown(run()))
