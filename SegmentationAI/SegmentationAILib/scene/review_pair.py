"""A pair of a blind review as pictures: two labels of one scan, nothing that tells them apart."""

import numpy as np

from ..core.labelmap import Labelmap
from ..core.volume import Volume, check_same_grid
from ..worker.client import StudyAnswer, WorkerError
from .picture_composition import intensity_window
from .png_bytes import png_of_pixels
from .slice_picture import patient_axes, slice_picture


class ReviewPair:
    """What a reader sees.

    Args:
        answer: Of the worker to ``next pair``.

    Raises:
        WorkerError: It brings no pair.
    """

    def __init__(self, answer: StudyAnswer) -> None:
        facts = answer.facts
        left, right = (answer.labelmaps.get(side) for side in ("left", "right"))
        if answer.volume is None or left is None or right is None:
            raise WorkerError("The worker's answer of a review is not understood.")
        for side in (left, right):
            check_same_grid(side.grid, answer.volume.grid, ("a side", "the scan"))
        self.item, self.done, self.total = (int(facts[n]) for n in ("item", "done", "total"))
        self._volume: Volume = answer.volume
        self._sides: tuple[Labelmap, Labelmap] = (left, right)
        self._window = intensity_window(self._volume)
        axis, place = facts["axis"], facts["place"]
        self.is_whole = axis is None
        self._axis = patient_axes(self._volume)[0][2] if axis is None else int(axis)
        self.places = self._volume.grid.shape[self._axis]
        self.place = self._fullest() if place is None else int(place)

    def pictures(self, place: int) -> tuple[bytes, bytes]:
        """Return both sides of a slice as PNG, 0 to `places` - 1."""
        left, right = (
            png_of_pixels(slice_picture(self._volume, side, self._axis, place, self._window))
            for side in self._sides
        )
        return left, right

    def _fullest(self) -> int:
        """Return the slice on which both sides together have most labels."""
        across = tuple(axis for axis in range(3) if axis != self._axis)
        found = sum(np.count_nonzero(side.layers[0], axis=across) for side in self._sides)
        return int(np.argmax(found))
