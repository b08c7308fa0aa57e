"""What is done of the relabelling experiment, and how long the rest will take."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path

ITERATIONS = 3
# Rows of three networks take three times as long.
COST = {"tri": 3.0}


def estimate(results: Path, rows: list[tuple[str, str, int]]) -> str:
    """Return what is left to do, by the rows that are done, else by the first figures measured."""
    done = {}
    for path in sorted(results.glob("row *.json")):
        done[path.stem] = json.loads(path.read_text())["seconds"]
    left = [row for row in rows if row_name(*row) not in done]
    alike = [s / COST.get(name.split(" ", 2)[2].rsplit(" ", 1)[0], 1.0) for name, s in done.items()]
    if not alike:
        return f"{len(left)} rows are left; the first one tells how long a row takes."
    seconds = statistics.mean(alike) * sum(COST.get(row[1], 1.0) for row in left)
    return f"{len(left)} rows are left, about {seconds / 60:.0f} minutes by those that are done."


def row_name(level: str, variant: str, seed: int) -> str:
    return f"row {level} {variant} {seed}"


def table(
    results: Path, variants: Sequence[str], levels: list[str], seeds: list[int], tested: int
) -> str:
    """Return the rows that are done as markdown: mean and spread over the seeds."""
    ceilings = [json.loads(p.read_text())["test_dice"] for p in sorted(results.glob("ceiling*"))]
    base = json.loads((results / "base.json").read_text())
    lines = [
        f"Base on the {tested} patients: {base['test_dice']:.3f} as they are, "
        f"{base['test_dice_in_its_contrast']:.3f} in its own contrast. Ceiling: "
        f"{spread(ceilings)}.",
        "",
        "| weak | variant | seeds | weak Dice | after 1 | after 2 | after 3 | kept labels | gap "
        f"recovered | network on {tested} patients | gap recovered |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    ceiling = statistics.mean(ceilings) if ceilings else float("nan")
    for level in levels:
        for variant in variants:
            paths = [results / f"{row_name(level, variant, seed)}.json" for seed in seeds]
            found = [json.loads(path.read_text()) for path in paths if path.exists()]
            if found:
                lines.append(table_row(level, variant, found, ceiling))
    return "\n".join(lines)


def table_row(level: str, variant: str, found: list[dict], ceiling: float) -> str:
    weak = [one["weak_dice"] for one in found]
    after = [
        spread([one["dice"][n] for one in found if len(one["dice"]) > n]) for n in range(ITERATIONS)
    ]
    kept = [one["dice"][one["kept"] - 1] if one["kept"] else one["weak_dice"] for one in found]
    # Where no network was kept there is none to test: the weak labels are what is left.
    tested = [w if one["test_dice"] is None else one["test_dice"]
              for one, w in zip(found, weak, strict=True)]  # fmt: skip
    shares = [
        spread([(s - w) / (ceiling - w) for s, w in zip(scores, weak, strict=True)], percent=True)
        for scores in (kept, tested)
    ]
    cells = [
        f"{level}", variant, str(len(found)), spread(weak), *after, spread(kept), shares[0],
        spread(tested), shares[1],
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def spread(values: list[float], *, percent: bool = False) -> str:
    """Return mean and standard deviation."""
    if not values:
        return "-"
    mean = statistics.mean(values)
    deviation = statistics.stdev(values) if len(values) > 1 else None
    if percent:
        return f"{mean:.0%}" + ("" if deviation is None else f" ± {deviation:.0%}")
    return f"{mean:.3f}" + ("" if deviation is None else f" ± {deviation:.3f}")
