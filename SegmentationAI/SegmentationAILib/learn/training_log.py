"""Curves on the disk: one JSON object a line, and TensorBoard's files where that is installed."""

from __future__ import annotations

import importlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from ..core.atomic import whole_file
from .training_events import EpochDone, SampleDrawn, StepDone, TrainingEvent, event_to_json
from .training_folder import CURVES, TENSORBOARD


class TrainingLog:
    """Writes the events of a training into its folder.

    After a resume the lines behind the checkpoint are dropped: they are written again, the same.

    Args:
        folder: Of the training.
        step: From which the training goes on, 0 for a new one.
        label_names: For TensorBoard's curves.
    """

    def __init__(self, folder: Path, step: int, label_names: tuple[str, ...]) -> None:
        self._path = folder / CURVES
        self._names = label_names
        _keep_until(self._path, step)
        self._stream = self._path.open("a", encoding="utf-8")
        self._board = _board(folder / TENSORBOARD, step)

    def __call__(self, event: TrainingEvent) -> None:
        """Write one event; a line is whole or, after a kill, dropped."""
        self._stream.write(json.dumps(event_to_json(event)) + "\n")
        if not isinstance(event, StepDone):
            self._stream.flush()
        if self._board is not None:
            self._to_board(event)

    def close(self) -> None:
        """Finish the files."""
        self._stream.close()
        if self._board is not None:
            self._board.close()

    def _to_board(self, event: TrainingEvent) -> None:
        if isinstance(event, StepDone):
            self._board.add_scalar("loss/step", event.loss, event.step)
            self._board.add_scalar("learning rate", event.learning_rate, event.step)
        elif isinstance(event, EpochDone):
            self._board.add_scalar("loss/epoch", event.loss, event.step)
            for name, dice in zip(self._names, event.dice, strict=True):
                if dice is not None:
                    self._board.add_scalar(f"hold-out Dice/{name}", dice, event.step)
        elif isinstance(event, SampleDrawn):
            self._board.add_image("sample", event.picture, event.epoch, dataformats="HWC")


def read_curves(folder: Path) -> list[dict[str, Any]]:
    """Return the events in a training's folder, oldest first; an unfinished last line is left."""
    path = folder / CURVES
    lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    return [json.loads(line) for line in lines[:-1]]


def has_tensorboard() -> bool:
    """Return whether TensorBoard's files can be written here."""
    return importlib.util.find_spec("tensorboard") is not None


def _keep_until(path: Path, step: int) -> None:
    if not path.exists():
        return
    kept, last = [], 0
    for event in read_curves(path.parent):
        last = event.get("step", last)
        if last <= step and step > 0:
            kept.append(json.dumps(event) + "\n")
    with whole_file(path) as beside:
        beside.write_text("".join(kept), encoding="utf-8")


def _board(folder: Path, step: int) -> Any:
    if not has_tensorboard():
        return None
    writer = importlib.import_module("torch.utils.tensorboard").SummaryWriter
    return writer(str(folder), purge_step=step + 1 if step else None)
