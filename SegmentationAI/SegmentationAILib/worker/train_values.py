"""What a call says of a training, checked: a request for `learn.training_job` and nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

from ..core.errors import SegmentationAIError
from ..learn.frozen_layers import Freeze
from ..learn.training_job import TrainingRequest
from ..networks.network_source import check_id
from ..resources import OWNER_ONLY, data_folder
from .protocol import WorkerError

# Below the data folder; what lies in them shows patients, so it is their owner's alone.
TRAININGS: Final = "trainings"
COLLECTED: Final = "training-data"
MOST_MINUTES: Final = 100_000.0


def training_folder(name: str) -> Path:
    """Return the folder of a training; it may be absent.

    Raises:
        SegmentationAIError: The name cannot be that of a network.
    """
    return _room(TRAININGS) / check_id(name)


def collected_folder(name: str) -> Path:
    """Return the folder of the cases that were collected for a training; it may be absent.

    Raises:
        SegmentationAIError: The name cannot be that of a network.
    """
    return _room(COLLECTED) / check_id(name)


def request_of(name: str, values: Mapping[str, Any]) -> TrainingRequest:
    """Return what is to be trained.

    Args:
        name: Of the training.
        values: ``data`` (path of a data set, empty for the collected cases), ``base``,
            ``architecture``, ``freeze``, ``epochs``, ``minutes``, ``seed``, ``device``, ``resume``;
            what is absent or null is left to the plan.

    Raises:
        WorkerError: One is of another type, or beyond its limits.
        SegmentationAIError: The name cannot be that of a network.
    """
    data = _text(values, "data")
    freeze, minutes = _text(values, "freeze") or "none", values.get("minutes")
    if freeze not in get_args(Freeze):
        raise WorkerError(f"{ascii(freeze)[:40]} is none of {', '.join(get_args(Freeze))}.")
    if minutes is not None and not (type(minutes) in (int, float) and 0 < minutes <= MOST_MINUTES):
        raise WorkerError("A training takes more than 0 and at most 100000 minutes.")
    return TrainingRequest(
        data=Path(data) if data else collected_folder(name),
        output=training_folder(name),
        base=_text(values, "base"),
        architecture=_text(values, "architecture"),
        epochs=_whole(values, "epochs", 1),
        minutes=minutes,
        freeze=freeze,  # type: ignore[arg-type]  # one of its values
        seed=_whole(values, "seed", 0) or 0,
        device=_text(values, "device") or "auto",
        resume=values.get("resume") is True,
    )


def left_out_of(values: Mapping[str, Any]) -> frozenset[str]:
    """Return the IDs of the cases that a person does not want.

    Raises:
        WorkerError: They are no list of texts.
    """
    names = values.get("left_out", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise WorkerError("The cases to leave out have to be a list of names.")
    return frozenset(names)


def modality_of(values: Mapping[str, Any]) -> str:
    """Return what kind of scans are collected, as the data set will name it.

    Raises:
        SegmentationAIError: Nothing is said of it.
    """
    kind = _text(values, "kind").strip()
    if not kind:
        raise SegmentationAIError("The kind of scan is not said; choose MR, CT or another one.")
    return kind[:40]


def _room(name: str) -> Path:
    room = data_folder() / name
    room.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
    return room


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name) or ""
    if not isinstance(value, str):
        raise WorkerError(f"The training gives {name} as something else than text.")
    return value


def _whole(values: Mapping[str, Any], name: str, least: int) -> int | None:
    value = values.get(name)
    if value is None:
        return None
    if type(value) is not int or not least <= value <= MOST_MINUTES:
        raise WorkerError(f"The training gives {name} as something else than a whole number.")
    return value
