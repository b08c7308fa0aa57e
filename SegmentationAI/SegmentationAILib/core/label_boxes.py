"""The box of every label, in one pass."""

from typing import Any

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

Slices = tuple[slice, slice, slice]

# scipy lists the boxes of all values up to the largest; beyond this the list is what takes long.
LARGEST_LISTED_VALUE = 65_535


def label_boxes(labels: NDArray[np.integer[Any]]) -> dict[int, Slices]:
    """Return the smallest box around each label value above 0 that occurs.

    Args:
        labels: ``(I, J, K)`` integers.
    """
    if int(labels.max(initial=0)) <= LARGEST_LISTED_VALUE:
        found = enumerate(ndi.find_objects(labels), start=1)
        return {value: box for value, box in found if box is not None}
    values, numbers = np.unique(labels, return_inverse=True)
    # Numbers from 1 for the values above 0, so that background stays 0.
    first = int(np.searchsorted(values, 1))
    numbered = np.maximum(numbers.reshape(labels.shape) - first + 1, 0).astype(np.int32)
    boxes = ndi.find_objects(numbered)
    return {int(value): box for value, box in zip(values[first:], boxes, strict=True)}
