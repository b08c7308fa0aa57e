"""P13: how long what Slicer loads takes to import, and that torch does not come with it."""

import os
import statistics
import subprocess
import sys
from pathlib import Path

TESTING = Path(__file__).resolve().parents[1]
ROUNDS = 5


def main() -> None:
    """Print how long it takes, each time in a process of its own."""
    paths = [str(TESTING), str(TESTING.parent / "SegmentationAI")]
    code = (
        f"import sys, time; sys.path[:0] = {paths!r}\n"
        "from slicer_adapter.application import running_slicer\n"
        "with running_slicer():\n"
        "    began = time.perf_counter(); import SegmentationAI\n"
        "    found = time.perf_counter(); import SegmentationAILib.ui.panel\n"
        "    opened = time.perf_counter()\n"
        "print(found - began, opened - found, any(n in sys.modules for n in ('torch', 'monai')))\n"
    )
    rows = []
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    for _ in range(ROUNDS):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        rows.append(done.stdout.split()[-3:])
    found, opened = (statistics.median(float(row[n]) for row in rows) for n in (0, 1))
    is_heavy = any(row[2] == "True" for row in rows)
    print(
        "### What Slicer imports\n\n"
        f"Goal: P13: at start 0.3 s and nothing of torch. Medians of {ROUNDS} processes; Slicer's "
        "own Qt and VTK are there before.\n\n"
        "| when | wall s (median) |\n|---|---|\n"
        f"| Slicer starts and finds the module | {found:.3f} |\n"
        f"| the module is opened for the first time | {opened:.3f} |\n\n"
        f"torch or monai imported: {'yes' if is_heavy else 'no'}.\n"
    )


if __name__ == "__main__":
    main()
