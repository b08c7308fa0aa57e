"""A small picture of what a network finds now, beside what is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..core.labelmap import Label
from .training_case import IGNORED, PreparedCase

LEAST_SIDE = 160


def sample_picture(
    case: PreparedCase, found: NDArray[np.uint8], labels: Sequence[Label]
) -> NDArray[np.uint8]:
    """Return `(rows, columns, 3)` uint8: one plane twice, with the outlines of truth and answer.

    Args:
        case: Its first channel is shown, in the plane along the last axis that has most of labels.
        found: Channels that the network chose, `(I, J, K)`.
        labels: Of channels 1, 2, ...; their colors are used.
    """
    is_label = (case.channels > 0) & (case.channels != IGNORED)
    plane = int(np.argmax(is_label.sum(axis=(0, 1))))
    gray = _gray(case.array[0, :, :, plane])
    halves = [_outlined(gray, channels[:, :, plane], labels) for channels in (case.channels, found)]
    picture = np.concatenate(halves, axis=0).transpose(1, 0, 2)[::-1]
    enlarged = max(1, -(-LEAST_SIDE // picture.shape[0]))
    return np.ascontiguousarray(picture.repeat(enlarged, axis=0).repeat(enlarged, axis=1))


def _gray(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = np.percentile(plane, (1, 99))
    scaled = (plane - low) / max(float(high - low), 1e-6)
    return np.asarray(np.clip(scaled, 0, 1) * 255, np.uint8)


def _outlined(
    gray: NDArray[np.uint8], channels: NDArray[np.uint8], labels: Sequence[Label]
) -> NDArray[np.uint8]:
    """Return `(X, Y, 3)`: gray, and each label's voxels that touch another in its color."""
    picture = np.repeat(gray[:, :, None], 3, axis=2)
    padded = np.pad(channels, 1, mode="edge")
    middle = padded[1:-1, 1:-1]
    edge = np.zeros(channels.shape, bool)
    for neighbor in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        edge |= neighbor != middle
    for number, label in enumerate(labels, start=1):
        color = [round(255 * level) for level in label.color]
        picture[edge & (channels == number)] = color
    return picture
