"""The tables of the page of `brain-any-contrast`, as Markdown, from what was measured."""

from __future__ import annotations

from typing import Any

from SegmentationAILib.learn.brain_structures import STRUCTURES

# Both sides of a structure share a row, under the number of the left one.
ROWS = {
    str(s.value): s.name.removeprefix("Left ")
    for s in STRUCTURES
    if not s.name.startswith("Right ")
}
HIPPODEEP_ML = 3.161 + 3.344


def held_out_table(measured: dict[str, Any]) -> str:
    """Return Dice by structure and contrast, both sides together, then the means of all 32."""
    columns = list(measured)
    lines = [_row(["structure", *columns]), _row(["---"] * (len(columns) + 1))]
    means = [measured[name]["32"]["mean"] for name in columns]
    lines.append(_row(["**mean of 32, sides apart**", *(f"{m:.3f}" for m in means)]))
    means = [measured[name]["17"]["mean"] for name in columns]
    lines.append(_row(["**mean of 18, sides together**", *(f"{m:.3f}" for m in means)]))
    for value, name in ROWS.items():
        scores = [measured[column]["17"].get(value) for column in columns]
        lines.append(_row([name, *("" if s is None else f"{s:.2f}" for s in scores)]))
    return "\n".join(lines)


def volume_table(milliliters: dict[str, Any]) -> str:
    """Return the volumes on real scans, both sides together, beside the MeshNet's."""
    columns = [name for name in milliliters if "Dice" not in name]
    lines = [_row(["structure", *columns]), _row(["---"] * (len(columns) + 1))]
    for name in ROWS.values():
        cells = [milliliters[column].get(name) for column in columns]
        lines.append(_row([name, *("" if ml is None else f"{ml:.1f}" for ml in cells)]))
    return "\n".join(lines)


def pair_table(pairs: dict[str, Any]) -> str:
    """Return the agreement between the contrasts of one patient."""
    lines = [
        _row(["pair", "mean of 32", "mean of 18, sides together", "lowest"]),
        _row(["---"] * 4),
    ]
    for pair, found in pairs.items():
        scores = {value: s for value, s in found["17"].items() if value != "mean"}
        lowest = min(scores, key=lambda value: scores[value])
        cells = [f"{found[kind]['mean']:.2f}" for kind in ("32", "17")]
        lines.append(_row([pair, *cells, f"{ROWS[lowest]} {scores[lowest]:.2f}"]))
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
