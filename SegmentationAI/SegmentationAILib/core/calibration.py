"""Whether probabilities mean what they say: expected calibration error."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def expected_calibration_error(
    confidence: NDArray[Any], is_right: NDArray[np.bool_], bins: int = 15
) -> float:
    """Return the mean gap between how sure and how often right, 0 (calibrated) to 1.

    The definition of Guo et al., On Calibration of Modern Neural Networks, ICML 2017,
    arXiv:1706.04599: bins of equal width, weighted by the voxels in them.

    Args:
        confidence: Probability of the chosen label, 0 to 1, any shape.
        is_right: Whether it was the right one, same shape.
        bins: Number of bins.

    Raises:
        ValueError: Shapes differ, or there is no voxel.
    """
    if confidence.shape != is_right.shape or not confidence.size:
        raise ValueError(f"{confidence.shape} confidences for {is_right.shape} answers")
    where = np.minimum((confidence.ravel() * bins).astype(np.intp), bins - 1)
    sure = np.bincount(where, confidence.ravel().astype(np.float64), bins)
    right = np.bincount(where, is_right.ravel().astype(np.float64), bins)
    return float(np.abs(sure - right).sum() / confidence.size)
