"""The auto engine: an installed network's answer is the start, prompts correct it.

The network runs once over the scan, at the first prompt. Its labels are the first mask, its doubts
say where a prompt reaches far (undecided) and where it does not (certain): see `geodesic`.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.errors import SegmentationAIError
from ..core.labelmap import Label
from ..core.mask_history import box_of, union
from ..core.pipeline import Options, Segmentation
from ..core.progress import IGNORE, Progress
from ..core.volume import Volume
from ..networks.segmenter import Segmenter, open_segmenter
from .engine import Answer, Mask, Probabilities, Turn
from .geodesic import GeodesicEngine

NOTHING_THERE: Final = (
    "The network found nothing at the first prompt: that was answered from the intensities alone; "
    "name the structure to start from the network's."
)
# A mask that was brought along counts more than the network where they differ.
_SHARE_OF_BASE: Final = 0.75
# The network's run is nearly all of the first answer.
_RUN: Final = 0.95


class AutoEngine:
    """Corrects what a network found.

    Args:
        volume: With the channels that the network wants.
        segmenter: The network.
        structure: Name of one of its structures; empty takes its only one, or the one under the
            first positive prompt.

    Raises:
        SegmentationAIError: The network does not know the structure.
    """

    def __init__(self, volume: Volume, segmenter: Segmenter, structure: str = "") -> None:
        self._volume, self._segmenter = volume, segmenter
        labels = segmenter.card.labels
        self._named = label_named(labels, structure) if structure else None
        if self._named is None and len(labels) == 1:
            self._named = labels[0]
        self._geodesic = GeodesicEngine()
        self._result: Segmentation | None = None
        self._starts: dict[str, tuple[Mask, Probabilities]] = {}

    def answer(self, turn: Turn, progress: Progress = IGNORE) -> Answer:
        """Return the network's mask corrected near the new prompts (see `engine.Engine`)."""
        result, notes = self._result, tuple[str, ...]()
        if result is None:
            result = self._run(progress.part(0.0, _RUN))
            notes = result.notes
        label = self._named or label_under(turn, result)
        if label is None:
            answer = self._geodesic.answer(turn, progress.part(_RUN, 1.0))
            return Answer(
                answer.box, answer.mask, answer.probabilities, (NOTHING_THERE, *answer.notes)
            )
        mask, start = self._start(label, result)
        if turn.base.voxels.any():
            base = turn.base.within(turn.volume.grid.box)
            start = _SHARE_OF_BASE * base + (1 - _SHARE_OF_BASE) * start
        answer = self._geodesic.answer_from(turn, start, progress.part(_RUN, 1.0))
        is_first = turn.new == len(turn.prompts) and not turn.base.voxels.any()
        if is_first:
            answer = _within_all(answer, mask, start)
        return Answer(answer.box, answer.mask, answer.probabilities, (*notes, *answer.notes))

    def close(self) -> None:
        """Close the network."""
        self._segmenter.network.close()
        self._result, self._starts = None, {}

    def _run(self, progress: Progress) -> Segmentation:
        self._result = self._segmenter.segment(
            self._volume, options=Options(uncertainty=True), progress=progress
        )
        return self._result

    def _start(self, label: Label, result: Segmentation) -> tuple[Mask, Probabilities]:
        if label.name not in self._starts:
            row = next(one for one in result.labelmap.labels if one.name == label.name)
            mask = result.labelmap.mask(row)
            assert result.uncertainty is not None
            channels = len(self._segmenter.card.labels) + 1
            is_softmax = self._segmenter.card.output == "softmax"
            entropy = result.uncertainty.voxels[0]
            start = probabilities_of(mask, entropy, channels if is_softmax else 2)
            # One structure is corrected at a time: the last one is kept.
            self._starts = {label.name: (mask, start)}
        return self._starts[label.name]


def open_auto(volume: Volume, network: str, structure: str, device: str) -> AutoEngine:
    """Return the engine by the name ``auto``.

    Raises:
        SegmentationAIError: No network is named, or it cannot be opened.
    """
    if not network:
        raise SegmentationAIError(
            "The engine auto starts from a network; name an installed one with --network (see "
            "'networks list')."
        )
    return AutoEngine(volume, open_segmenter(network, device), structure)


def label_named(labels: tuple[Label, ...], name: str) -> Label:
    """Return the label with a name; case does not matter.

    Raises:
        SegmentationAIError: There is none.
    """
    for label in labels:
        if label.name.casefold() == name.casefold():
            return label
    known = ", ".join(label.name for label in labels)
    raise SegmentationAIError(
        f"Found {ascii(name)[:60]} as the structure; this network has: {known}."
    )


def probabilities_of(mask: Mask, entropy: NDArray[Any], channels: int) -> NDArray[np.float16]:
    """Return the probability of a label from where it won and how undecided the network was.

    The probability with the same entropy as between two: exact for a label against background, and
    one half where any two labels tie.

    Args:
        mask: Where the label won.
        entropy: Over the largest possible one, 0 to 1, as `core.entropy` gives it.
        channels: Of the softmax; 2 for sigmoids.
    """
    higher = np.linspace(0.5, 1.0, 513)
    lower = 1 - higher
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = -higher * np.log2(higher) - np.where(lower > 0, lower * np.log2(lower), 0)
    found = np.asarray(entropy, np.float32) * np.float32(np.log2(max(channels, 2)))
    winner = np.interp(found, bits[::-1], higher[::-1])
    return np.asarray(np.where(mask, winner, 1 - winner), np.float16)


def label_under(turn: Turn, result: Segmentation) -> Label | None:
    """Return the label with most voxels under the first positive prompt, None without one."""
    for prompt, placed in zip(turn.prompts, turn.placed, strict=True):
        if prompt.positive:
            layers = [layer[placed.box.slices][placed.voxels] for layer in result.labelmap.layers]
            counts = [
                int(np.count_nonzero(layers[row.layer] == row.value))
                for row in result.labelmap.labels
            ]
            most = max(counts, default=0)
            return result.labelmap.labels[counts.index(most)] if most else None
    return None


def _within_all(answer: Answer, mask: Mask, start: Probabilities) -> Answer:
    """The answer inside the box of the network's whole mask: the rest of it is as the network's."""
    box = union(answer.box, box_of(mask))
    whole, probabilities = mask[box.slices].copy(), start[box.slices].astype(np.float32)
    cut = tuple(
        slice(a - s, b - s)
        for a, b, s in zip(answer.box.start_ijk, answer.box.stop_ijk, box.start_ijk, strict=True)
    )
    whole[cut] = answer.mask
    probabilities[cut] = answer.probabilities
    return Answer(box, whole, probabilities, answer.notes)
