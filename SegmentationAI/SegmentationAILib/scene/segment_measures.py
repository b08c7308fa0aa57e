"""Volume, surface and mean intensity of every segment, from voxels: any thread may do it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..core.labelmap import Labelmap
from ..core.volume import Array


@dataclass(frozen=True)
class SegmentMeasures:
    """Measures of one segment.

    Attributes:
        name: Of the segment.
        volume_ml: Its voxels times their volume.
        surface_cm2: Area of its closed surface, None for a segment without voxels.
        mean: Mean intensity in the units of the scan, None for a segment without voxels.
        deviation: Standard deviation of the intensity, None for a segment without voxels.
    """

    name: str
    volume_ml: float
    surface_cm2: float | None
    mean: float | None
    deviation: float | None


def measured(
    labelmap: Labelmap, intensities: Array, areas: Mapping[str, float]
) -> tuple[SegmentMeasures, ...]:
    """Return the measures of every label in order.

    Args:
        labelmap: On the grid of the scan.
        intensities: ``(I, J, K)``; voxels that are not finite count in volumes alone.
        areas: Of closed surfaces, cm2, by segment ID; see `surface_areas.areas_cm2`.
    """
    per_layer = [_sums(layer, intensities) for layer in labelmap.layers]
    rows = []
    for label in labelmap.labels:
        voxels, finite, total, squares = (sums[label.value] if label.value < len(sums) else 0
                                          for sums in per_layer[label.layer])  # fmt: skip
        mean = float(total / finite) if finite else None
        spread = None if mean is None else float(np.sqrt(max(squares / finite - mean**2, 0.0)))
        area = areas.get(label.segment_id)
        volume = float(voxels) * labelmap.grid.voxel_volume_ml
        rows.append(SegmentMeasures(label.name, volume, area, mean, spread))
    return tuple(rows)


def _sums(layer: Array, intensities: Array) -> tuple[Array, Array, Array, Array]:
    """Return voxels, finite voxels, sum and sum of squares of the intensities by label value."""
    length = int(layer.max(initial=0)) + 1
    sums = np.zeros((4, length))
    # Plane by plane: the interpreter goes to other threads in between, and nothing large is made.
    for k in range(layer.shape[2]):
        values = layer[:, :, k].ravel()
        if not values.any():
            continue
        plane = intensities[:, :, k].ravel().astype(np.float64)
        is_finite = np.isfinite(plane)
        plane = np.where(is_finite, plane, 0.0)
        sums[0] += np.bincount(values, minlength=length)
        sums[1] += np.bincount(values, weights=is_finite, minlength=length)
        sums[2] += np.bincount(values, weights=plane, minlength=length)
        sums[3] += np.bincount(values, weights=plane * plane, minlength=length)
    return sums[0], sums[1], sums[2], sums[3]
