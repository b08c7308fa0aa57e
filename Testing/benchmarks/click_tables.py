"""The tables of the click benchmark, from the courses that were kept."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from click_protocol import GOALS, MOST_CLICKS, clicks_to, dice_at, seconds_to

Rows = Mapping[tuple[str, str], Mapping[str, Any]]
SHOWN = (1, 3, 5, 10, 20)


def evidence(courses: Mapping[str, Rows], groups: Iterable[str]) -> str:
    """Return all tables as markdown.

    Args:
        courses: by engine, then by group and target.
        groups: in the order of the rows.
    """
    parts = [_overall(courses), ""]
    for group in groups:
        parts += [f"### {group}", "", _table(courses, group), ""]
    return "\n".join([*parts, "### Every target", "", _targets(courses)])


def _overall(courses: Mapping[str, Rows]) -> str:
    groups = sorted({group for rows in courses.values() for group, _ in rows})
    lines = [
        "### All targets",
        "",
        "Means over the targets, and in brackets over the groups, each group counting the same. A "
        f"target that is not reached counts {MOST_CLICKS} clicks.",
        "",
        _head(),
    ]
    for engine, rows in courses.items():
        by_group = [[r for (g, _), r in rows.items() if g == group] for group in groups]
        everything = _numbers(list(rows.values()))
        each = [_numbers(some) for some in by_group if some]
        means = [float(np.mean(column)) for column in zip(*each, strict=True)]
        cells = [f"{a:.2f} ({b:.2f})" for a, b in zip(everything, means, strict=True)]
        lines.append(f"| {engine} | {len(rows)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _table(courses: Mapping[str, Rows], group: str) -> str:
    lines = [_head()]
    for engine, rows in courses.items():
        some = [row for (g, _), row in rows.items() if g == group]
        if some:
            cells = " | ".join(f"{number:.2f}" for number in _numbers(some))
            lines.append(f"| {engine} | {len(some)} | {cells} |")
    return "\n".join(lines)


def _head() -> str:
    names = [
        *(f"clicks to {goal:.2f}" for goal in GOALS),
        *(f"reached {goal:.2f}" for goal in GOALS),
        "s to 0.85",
        "s a click",
        *(f"Dice at {n}" for n in SHOWN),
    ]
    return f"| engine | targets | {' | '.join(names)} |\n|---|{'---|' * (len(names) + 1)}"


def _numbers(rows: list[Mapping[str, Any]]) -> list[float]:
    """Return means over courses, in the order of `_head`."""
    dice = [row["dice"] for row in rows]
    return [
        *(float(np.mean([clicks_to(d, goal) for d in dice])) for goal in GOALS),
        *(float(np.mean([max(d) >= goal for d in dice])) for goal in GOALS),
        float(np.mean([seconds_to(row["dice"], row["seconds"], 0.85) for row in rows])),
        float(np.median([s for row in rows for s in row["seconds"]])),
        *(float(np.mean([dice_at(d, n) for d in dice])) for n in SHOWN),
    ]


def _targets(courses: Mapping[str, Rows]) -> str:
    engines = list(courses)
    places = sorted({place for rows in courses.values() for place in rows})
    lines = [
        f"| group | target | {' | '.join(f'{e}: clicks to 0.85, last Dice' for e in engines)} |",
        f"|---|---|{'---|' * len(engines)}",
    ]
    for group, name in places:
        cells = []
        for engine in engines:
            row = courses[engine].get((group, name))
            if row is None:
                cells.append("not run")
                continue
            reached = max(row["dice"]) >= 0.85
            count = clicks_to(row["dice"], 0.85)
            cells.append(f"{count if reached else 'not reached'}, {row['dice'][-1]:.2f}")
        lines.append(f"| {group} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
