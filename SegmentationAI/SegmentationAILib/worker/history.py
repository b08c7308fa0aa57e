"""How long runs took on this machine, and how long the present one will take.

The file holds a network's ID, the device, a number of voxels, seconds and bytes: nothing of a
patient.
"""

import json
import logging
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..core.atomic import whole_file
from ..resources import OWNER_ONLY

FOLDER: Final = "history"
FILE: Final = "runs.json"
RUNS_KEPT: Final = 20
# Time per voxel changes with size (borders, caches); the runs nearest in size say most.
NEAREST_RUNS: Final = 5
LARGEST_FILE: Final = 4 << 20
# Below this fraction the run's own speed says little: one patch can be of air and take no time.
LEAST_FRACTION: Final = 0.05

logger = logging.getLogger(__name__)


class RunHistory:
    """Runs of networks on this machine.

    Args:
        home: Data folder; the history lies in it.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / FOLDER / FILE

    def expected_seconds(self, run: str, voxels: float) -> float | None:
        """Return how long a run over ``voxels`` voxels will take, None when none is known.

        Args:
            run: What ran and where, see `name_of_run`.
            voxels: Voxels that the network sees.
        """
        past = [one[:2] for one in self._read().get(run, []) if one[0] > 0 and one[1] > 0]
        if not past or voxels <= 0:
            return None
        nearest = sorted(past, key=lambda one: abs(math.log(one[0] / voxels)))[:NEAREST_RUNS]
        return statistics.median(seconds / size for size, seconds in nearest) * voxels

    def seconds_per_million_voxels(self, network_id: str) -> dict[str, float]:
        """Return what is known of a network: seconds per million voxels by device."""
        known = {}
        for run, past in self._read().items():
            name, device, *options = run.split("|")
            if name == network_id and options == [""] and past:
                known[device] = 1e6 * statistics.median(
                    one[1] / one[0] for one in past if one[0] > 0
                )
        return known

    def add(self, run: str, voxels: float, seconds: float, peak_bytes: int | None = None) -> None:
        """Remember a run that was finished.

        Args:
            run: What ran and where, see `name_of_run`.
            voxels: Voxels that the network saw.
            seconds: What it took.
            peak_bytes: The most memory that the worker held, None when an earlier run held more.

        Raises:
            OSError, SegmentationAIError: It cannot be written.
        """
        runs = self._read()
        one = (voxels, seconds) if peak_bytes is None else (voxels, seconds, float(peak_bytes))
        runs[run] = [*runs.get(run, []), one][-RUNS_KEPT:]
        self.path.parent.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        with whole_file(self.path) as beside:
            beside.write_text(json.dumps({"runs": runs}), encoding="utf-8")

    def _read(self) -> dict[str, list[tuple[float, ...]]]:
        try:
            with self.path.open("rb") as file:
                found: Any = json.loads(file.read(LARGEST_FILE))
            return {
                str(run): [_numbers(one) for one in past] for run, past in found["runs"].items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Only an estimate depends on it, and the next run writes it anew.
            logger.info("the history of runs cannot be read and begins anew")
            return {}


def _numbers(one: Sequence[Any]) -> tuple[float, ...]:
    """Return voxels, seconds and, where known, bytes of a run."""
    if len(one) not in (2, 3):
        raise ValueError("a run has two or three numbers")
    return tuple(float(number) for number in one)


def name_of_run(network_id: str, device: str, options: str) -> str:
    """Return the name under which like runs are remembered; ``options`` is empty for none."""
    return "|".join(part.replace("|", "/") for part in (network_id, device, options))


@dataclass
class RemainingTime:
    """Seconds left, from the history at first and from the run's own speed more and more.

    Attributes:
        expected: Seconds of the whole run, None when the history knows nothing.
        started: Of a clock that never jumps, seconds.
    """

    expected: float | None = None
    started: float = field(default_factory=time.monotonic)

    def left(self, fraction: float) -> float | None:
        """Return the seconds left when ``fraction`` (0 to 1) is done, None when unknown."""
        passed = time.monotonic() - self.started
        by_history = None if self.expected is None else max(self.expected - passed, 0.0)
        if fraction < LEAST_FRACTION:
            return None if by_history is None else round(by_history, 1)
        by_speed = passed * (1 - fraction) / fraction
        if by_history is None:
            return round(by_speed, 1)
        return round((1 - fraction) * by_history + fraction * by_speed, 1)
