"""A whole head as the MeshNets want it, by a few lines of scipy, not the code under test."""

from functools import cache
from pathlib import Path

import nibabel
import numpy as np
from scipy.ndimage import affine_transform

SIDE = 256


@cache
def conformed_head(path: Path) -> np.ndarray:
    """256^3 at 1 mm in LIA order around the scan's middle, quantiles 2 to 98 % to 0 to 1."""
    image = nibabel.load(path)
    voxels = np.asarray(image.dataobj, np.float32)
    middle = image.affine @ np.append((np.array(voxels.shape) - 1) / 2, 1)
    target = np.eye(4)
    target[:3, :3] = np.array([[-1, 0, 0], [0, 0, 1], [0, -1, 0]])
    target[:3, 3] = middle[:3] - target[:3, :3] @ np.full(3, (SIDE - 1) / 2)
    to_source = np.linalg.inv(image.affine) @ target
    whole = affine_transform(
        voxels, to_source[:3, :3], to_source[:3, 3], output_shape=(SIDE,) * 3, order=1
    )
    low, high = np.quantile(whole, [0.02, 0.98])
    return np.clip((whole - low) / (high - low + 1e-3), 0, 1).astype(np.float32)


def middle_of_the_head(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """A block ``(1, 1, *shape)`` around the thalamus."""
    starts = [(128, 120, 138)[a] - shape[a] // 2 for a in range(3)]
    block = tuple(slice(s, s + n) for s, n in zip(starts, shape, strict=True))
    return np.ascontiguousarray(conformed_head(path)[block])[None, None]
