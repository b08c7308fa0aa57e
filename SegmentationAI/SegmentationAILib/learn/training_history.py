"""How much longer than their trial steps trainings took on this machine.

The file holds names of architectures and devices, and ratios: nothing of a patient.
"""

import json
import logging
import math
import statistics
from pathlib import Path
from typing import Any, Final

from ..core.atomic import whole_file
from ..resources import OWNER_ONLY, data_folder
from .plan import TrainingPlan

FOLDER: Final = "history"
FILE: Final = "trainings.json"
KEPT: Final = 20
LARGEST_FILE: Final = 1 << 20
# A ratio beyond these is a clock that jumped or a machine that slept, not a training.
PLAUSIBLE: Final = (0.2, 50.0)

logger = logging.getLogger(__name__)


class TrainingHistory:
    """Trainings on this machine.

    Args:
        home: Data folder, None for the person's own.
    """

    def __init__(self, home: Path | None = None) -> None:
        self.path = (home or data_folder()) / FOLDER / FILE

    def factor(self, plan: TrainingPlan, device: str) -> float | None:
        """Return seconds of whole trainings per second of trial steps; None when none is known.

        Args:
            plan: Trainings of the same architecture, dimensions and precision count.
            device: Name of the device.
        """
        past = self._read().get(_name(plan, device), [])
        return statistics.median(past) if past else None

    def add(self, plan: TrainingPlan, device: str, step_seconds: float, seconds: float) -> None:
        """Remember a training that came to its end.

        Args:
            plan: As it was carried out.
            device: Name of the device.
            step_seconds: What the trial steps promised for the steps that were taken.
            seconds: What they took, pauses left out.

        Raises:
            OSError, SegmentationAIError: It cannot be written.
        """
        ratio = seconds / step_seconds if step_seconds > 0 else math.inf
        if not PLAUSIBLE[0] <= ratio <= PLAUSIBLE[1]:
            return
        runs, name = self._read(), _name(plan, device)
        runs[name] = [*runs.get(name, []), round(ratio, 4)][-KEPT:]
        self.path.parent.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        with whole_file(self.path) as beside:
            beside.write_text(json.dumps({"trainings": runs}), encoding="utf-8")

    def _read(self) -> dict[str, list[float]]:
        try:
            with self.path.open("rb") as stream:
                found: Any = json.loads(stream.read(LARGEST_FILE))
            return {
                str(name): [_plausible(ratio) for ratio in past]
                for name, past in found["trainings"].items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Only an estimate depends on it, and the next training writes it anew.
            logger.info("the history of trainings cannot be read and begins anew")
            return {}


def _plausible(ratio: Any) -> float:
    if not PLAUSIBLE[0] <= float(ratio) <= PLAUSIBLE[1]:
        raise ValueError(f"a ratio of {ratio}")
    return float(ratio)


def _name(plan: TrainingPlan, device: str) -> str:
    kind = "planes" if plan.is_of_planes else "volumes"
    parts = (plan.architecture.name, kind, plan.precision, device)
    return "|".join(part.replace("|", "/") for part in parts)
