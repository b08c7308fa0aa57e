"""The table of `cross_modality`: every row's Dice in every contrast."""

import statistics
from collections.abc import Sequence
from typing import Any

from synthesized_scans import CONTRASTS, TEST_PATIENTS

Row = dict[str, Any]
Results = dict[str, list[Row]]


def table(results: Results) -> str:
    """Return rows as markdown: mean Dice over the seeds, with their standard deviation."""
    seeds = max(len(rows) for rows in results.values())
    heads = " | ".join(CONTRASTS)
    lines = [
        f"Mean Dice of seven structures on {TEST_PATIENTS} held-out label maps in every contrast, "
        f"over {seeds} seeds, with the standard deviation between seeds.\n",
        f"| network | {heads} | steps | seconds |",
        f"|---|{'---|' * len(CONTRASTS)}---|---|",
    ]
    for name, rows in results.items():
        if name == "CT-T1 round":
            continue
        cells = " | ".join(_number([row["dice"][c] for row in rows]) for c in CONTRASTS)
        seconds = statistics.mean(row["seconds"] for row in rows)
        lines.append(f"| {name} | {cells} | {rows[0]['steps']} | {seconds:.0f} |")
    return "\n".join(lines)


def _number(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"
