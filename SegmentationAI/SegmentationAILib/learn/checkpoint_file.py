"""Checkpoints: everything that a training needs to go on, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..core.atomic import whole_file
from ..core.errors import SegmentationAIError

State = dict[str, Any]


def save_checkpoint(state: State, path: Path) -> None:
    """Write a state; until it is complete on the disk, the previous file stays.

    Args:
        state: Tensors, numbers, texts, and lists and dictionaries of them.
        path: Of the file; its folder is there.

    Raises:
        SegmentationAIError: The file cannot be written.
    """
    with whole_file(path) as beside:
        torch.save(state, beside)


def load_checkpoint(path: Path) -> State:
    """Return a state, its tensors on the CPU; the file is read as data, nothing in it runs.

    Raises:
        SegmentationAIError: The file is missing, damaged, or holds something else.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise SegmentationAIError(
            f"There is no checkpoint {path.name}; start the training anew."
        ) from error
    except Exception as error:  # torch raises many kinds for a damaged file
        raise SegmentationAIError(
            f"The checkpoint {path.name} cannot be read ({type(error).__name__}): it is damaged or "
            "not ours; start anew in another folder."
        ) from error
    if not isinstance(state, dict):
        raise SegmentationAIError(f"{path.name} is not a checkpoint of a training; start anew.")
    return state
