"""What the worker does for a call ``compare``: scores of pairs of labels on one grid."""

from dataclasses import asdict
from typing import Any, Final

import numpy as np

from ..core.admission import check_sizes
from ..core.label_boxes import Slices, label_boxes
from ..core.metrics import Scores, compare
from ..core.progress import Progress
from .frame import Array, Frame
from .protocol import WorkerError

MOST_PAIRS: Final = 65535
Boxes = dict[str, dict[int, Slices]]


def compare_labels(frame: Frame, progress: Progress) -> Frame:
    """Return the scores of each pair of labels, in order.

    Args:
        frame: Arrays ``(I, J, K)`` of label values, all of one shape. Header: ``pairs``, each two
            of ``[array, value]`` or null where a side lacks the label; ``spacing``, mm;
            ``tolerance_mm``.
        progress: Told after each pair; raises when the call was canceled.

    Raises:
        WorkerError: The frame does not say what to do.
    """
    spacing, tolerance_mm = _numbers(frame.header.get("spacing"), frame.header.get("tolerance_mm"))
    _check_arrays(frame)
    pairs = [_checked(pair, frame) for pair in _list(frame.header.get("pairs"))]
    boxes = {name: label_boxes(array) for name, array in frame.arrays.items()}
    scores = []
    for number, pair in enumerate(pairs):
        progress(number / len(pairs), f"Structure {number + 1} of {len(pairs)}")
        scores.append(asdict(_scores(frame, pair, boxes, spacing, tolerance_mm)))
    return Frame({"scores": scores}, {})


def _scores(
    frame: Frame,
    pair: list[tuple[str, int] | None],
    boxes: Boxes,
    spacing: tuple[float, float, float],
    tolerance_mm: float,
) -> Scores:
    found = [boxes[one[0]].get(one[1]) for one in pair if one is not None]
    there = [box for box in found if box is not None]
    if not there:
        return Scores()
    around = tuple(
        slice(min(s.start for s in axis), max(s.stop for s in axis))
        for axis in zip(*there, strict=True)
    )
    masks = [_mask(frame.arrays, one, around) for one in pair]
    return compare(masks[0], masks[1], spacing, [1], tolerance_mm)[1]


def _mask(arrays: Any, one: tuple[str, int] | None, around: tuple[slice, ...]) -> Array:
    if one is None:
        return np.zeros([s.stop - s.start for s in around], np.uint8)
    mask: Array = np.equal(arrays[one[0]][around], one[1]).view(np.uint8)
    return mask


def _check_arrays(frame: Frame) -> None:
    shapes = {array.shape for array in frame.arrays.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3:
        raise WorkerError("The call brings no labels, or some on different grids.")
    for array in frame.arrays.values():
        check_sizes((1, *array.shape), array.dtype.itemsize, "The labelmap")
        if array.dtype.kind not in "iu":
            raise WorkerError("The call brings labels that are no integers.")


def _checked(pair: Any, frame: Frame) -> list[tuple[str, int] | None]:
    sides: list[tuple[str, int] | None] = []
    for side in _list(pair):
        if side is None:
            sides.append(None)
            continue
        name, value = [*_list(side), None, None][:2]
        if name not in frame.arrays or type(value) is not int or value <= 0:
            raise WorkerError("The call names a label that it does not bring.")
        sides.append((name, value))
    if len(sides) != 2:
        raise WorkerError("A comparison takes two labels.")
    return sides


def _list(given: Any) -> list[Any]:
    if not isinstance(given, list) or len(given) > MOST_PAIRS:
        raise WorkerError("The call lists nothing, or too much.")
    return given


def _numbers(spacing: Any, tolerance_mm: Any) -> tuple[tuple[float, float, float], float]:
    numbers = [*_list(spacing), tolerance_mm]
    are_numbers = all(type(one) in (int, float) and np.isfinite(one) for one in numbers)
    if len(numbers) != 4 or not are_numbers or min(numbers[:3]) <= 0 or numbers[3] < 0:
        raise WorkerError("The spacing has to be three lengths in mm, the tolerance one.")
    return (float(numbers[0]), float(numbers[1]), float(numbers[2])), float(numbers[3])
