"""What a network is taught about one scan: labels that are trusted, and how much each counts.

Wang et al., Interactive Medical Image Segmentation Using Deep Learning With Image-Specific Fine
Tuning (BIFSeg), IEEE TMI 2018, doi:10.1109/TMI.2018.2791721: what the network is sure of counts
once, what it is not sure of (0.2 to 0.7) not at all, and what a person said counts more. Where we
depart from it: a click is a single voxel, so that what a person said also counts around it, falling
with the distance, by the label that the prompts give to the place (see `adapt`); both sides of the
border count alike in sum, however small the segment is; and the network's other structures are
held to what they were.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import edt
import numpy as np
from numpy.typing import NDArray

from ..core.labelmap import Label, Labelmap
from ..core.prompts import BoxPrompt
from .adapt_crop import AdaptCrop
from .engine import Turn

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

# The probabilities between which Wang et al. leave voxels out.
UNSURE: Final = (0.2, 0.7)
# Standard deviations, in voxels of the network's grid and in those of the crop's intensities, of
# how far what a person said reaches.
REACH_VOXELS: Final = 2.0
REACH_INTENSITY: Final = 0.5
# What a person said stands against logits of this size.
PERSON: Final = 10.0
NOT_TAUGHT: Final = -1


@dataclass(frozen=True, eq=False)
class Said:
    """How much places are like what was pointed at, 0 to 1, ``(X, Y, Z)`` for each kind."""

    positive: Floats
    negative: Floats

    @property
    def either(self) -> Floats:
        """How much a place is like any prompt."""
        return np.maximum(self.positive, self.negative)

    def on(self, logits: Floats) -> Floats:
        """Return logits of the segment with what was said."""
        return np.asarray(logits + np.float32(PERSON) * (self.positive - self.negative), np.float32)


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is taught in a crop; all arrays ``(X, Y, Z)`` on the network's grid.

    Attributes:
        segment: Which voxels belong to the segment.
        trust: How much each voxel's label counts, 0 or 1.
        said: How much it counts for being near a prompt, 0 to 1.
        others: Channel of what else lies there, background included; `NOT_TAUGHT` where that is
            not taught.
    """

    segment: Mask
    trust: Floats
    said: Floats
    others: NDArray[np.int64]


def said_in(crop: AdaptCrop, turn: Turn) -> Said:
    """Return how far what a person said reaches: near, and where the intensities are alike."""
    shape = crop.network_shape
    reach = (np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    deviations = [max(float(channel.std()), 1e-6) for channel in crop.array]
    for prompt, placed in zip(turn.prompts, turn.placed, strict=True):
        # A box around the segment says nothing of the places inside of it.
        cells = crop.touched(placed.voxels, placed.start_ijk)
        if (isinstance(prompt, BoxPrompt) and prompt.positive) or not cells.any():
            continue
        squared = edt.edtsq(~cells) / np.float32(REACH_VOXELS**2)
        for channel, deviation in zip(crop.array, deviations, strict=True):
            apart = (channel - np.float32(channel[cells].mean())) / np.float32(deviation)
            squared += (apart / np.float32(REACH_INTENSITY)) ** 2 / np.float32(len(crop.array))
        like = np.exp(np.float32(-0.5) * squared)
        same, other = reach if prompt.positive else reach[::-1]
        np.maximum(same, like, out=same)
        # The later prompt wins where two meet.
        same[cells], other[cells] = 1, 0
    return Said(*reach)


def lesson_of(
    crop: AdaptCrop, logits: Floats, said: Said, channels: NDArray[np.int64] | None
) -> Lesson:
    """Return what is taught.

    Args:
        crop: Where.
        logits: Of the segment, ``(X, Y, Z)``.
        said: What a person said.
        channels: Channel of what the network found at first, ``(X, Y, Z)``; None teaches nothing
            of other structures.
    """
    found = probabilities_of_logits(said.on(logits))
    segment = found > 0.5
    trust = ((found <= UNSURE[0]) | (found >= UNSURE[1])) & crop.is_scan
    if channels is None:
        channels = np.full(crop.network_shape, NOT_TAUGHT, np.int64)
    others = np.where(segment | ~trust, NOT_TAUGHT, channels)
    return Lesson(segment, trust.astype(np.float32), said.either * trust, others)


def probabilities_of_logits(logits: Floats) -> Floats:
    """Return the sigmoid."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)


def logits_of_probabilities(probabilities: NDArray[np.floating[Any]]) -> Floats:
    """Return the logarithm of the odds, within -9 and 9."""
    inside = np.clip(np.asarray(probabilities, np.float32), 1e-4, 1 - 1e-4)
    return np.asarray(np.log(inside / (1 - inside)), np.float32)


def channels_found(
    labelmap: Labelmap, labels: Sequence[Label], crop: AdaptCrop
) -> NDArray[np.int64]:
    """Return the channel of a softmax network that each voxel of the crop was given.

    Args:
        labelmap: What the network found.
        labels: The network's, in order; ``labels[n]`` is channel ``n + 1``.
        crop: Where.
    """
    values = crop.from_source(labelmap.layers[0])
    channels = np.zeros(int(max(label.value for label in labels)) + 1, np.int64)
    for number, label in enumerate(labels):
        channels[label.value] = number + 1
    found: NDArray[np.int64] = channels[values]
    return found
