"""Slices of a DICOM series in the order and at the places that make them one volume.

Source: DICOM PS3.3 C.7.6.2 (Image Plane): the position of the first pixel and the directions of
rows and columns, in LPS millimeters. The order of the files, their names and their instance
numbers say nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..admission import check_spacing, checked_affine
from ..errors import FileFormatError, GeometryError
from ..volume import Affine

# Exporters round directions to 4 digits and more.
SAME_DIRECTION = 1e-3
SAME_PLACE_MM = 1e-3
# Positions rounded to 0.1 mm at 0.6 mm lie up to 0.08 slices off; a missing slice 0.5 and more.
LARGEST_UNEVENNESS = 0.1
SAID_UNEVENNESS = 0.01
LARGEST_DRIFT_PIXELS = 0.25
_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Slice:
    """Where one image lies.

    Attributes:
        index: Which of the images it is.
        shape: (columns, rows).
        spacing: Distance between columns and between rows, mm.
        directions: ``(2, 3)``: along a row, along a column; LPS.
        position: Center of the first pixel, LPS mm.
        content: Equal for two images with the same pixels and rescaling.
        thickness: Distance to the next slice as the header claims it, 0 when it does not.
    """

    index: int
    shape: tuple[int, int]
    spacing: tuple[float, float]
    directions: NDArray[np.float64]
    position: NDArray[np.float64]
    content: int
    thickness: float


def arranged(slices: Sequence[Slice], name: str) -> tuple[list[int], Affine, tuple[str, ...]]:
    """Return the images' indices in order of position, the affine to RAS mm, and notes.

    Raises:
        FileFormatError: Slices are missing, of several sizes or orientations, or several lie at
            one place.
        GeometryError: They do not lie on a line, or at uneven distances.
    """
    first = slices[0]
    _check_alike(slices, name)
    normal = np.cross(*first.directions)
    ordered = sorted(slices, key=lambda s: float(s.position @ normal))
    ordered, notes = _without_duplicates(ordered, normal, name)
    if len(ordered) == 1:
        check_spacing([first.thickness], name)
        step = normal * first.thickness
    else:
        step, said = _even_step(ordered, normal, name)
        notes += said
    affine = np.eye(4)
    affine[:3, 0] = first.directions[0] * first.spacing[0]
    affine[:3, 1] = first.directions[1] * first.spacing[1]
    affine[:3, 2] = step
    affine[:3, 3] = ordered[0].position
    affine[:3] *= _LPS_TO_RAS[:, None]
    affine += 0.0  # no negative zeros
    return [s.index for s in ordered], checked_affine(affine, name), notes


def _check_alike(slices: Sequence[Slice], name: str) -> None:
    first = slices[0]
    for what, values in (
        ("sizes", {s.shape for s in slices}),
        ("pixel spacings", {s.spacing for s in slices}),
    ):
        if len(values) > 1:
            shown = " and ".join(str(v) for v in sorted(values)[:2])
            raise FileFormatError(
                f"{name} has images of {len(values)} {what} ({shown}); one was expected: put the "
                "images of one volume into a folder of their own."
            )
    off = [s for s in slices if np.abs(s.directions - first.directions).max() > SAME_DIRECTION]
    if off:
        raise FileFormatError(
            f"{name} has images of mixed orientations ({len(off)} of {len(slices)} differ from the "
            "first), as a localizer has; one was expected: put the images of one volume into a "
            "folder of their own."
        )
    gram = first.directions @ first.directions.T
    if not np.abs(gram - np.eye(2)).max() <= SAME_DIRECTION:
        raise GeometryError(
            f"{name} has rows and columns that are not at right angles (ImageOrientationPatient); "
            "export it again."
        )


def _without_duplicates(
    ordered: list[Slice], normal: NDArray[np.float64], name: str
) -> tuple[list[Slice], tuple[str, ...]]:
    kept = ordered[:1]
    for here in ordered[1:]:
        if (here.position - kept[-1].position) @ normal > SAME_PLACE_MM:
            kept.append(here)
        elif here.content != kept[-1].content:
            raise FileFormatError(
                f"{name} has several different images at one place (time points, echoes or "
                "phases); one was expected: put the images of one volume into a folder of their "
                "own."
            )
    twice = len(ordered) - len(kept)
    if not twice:
        return kept, ()
    return kept, (
        f"Images that were there twice, with the same pixels, and were taken once: {twice}.",
    )


def _even_step(
    ordered: list[Slice], normal: NDArray[np.float64], name: str
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the vector from one slice to the next, and a sentence when it is not quite even."""
    positions = np.array([s.position for s in ordered])
    step = (positions[-1] - positions[0]) / (len(ordered) - 1)
    distance = float(step @ normal)
    off = positions - positions[0] - np.arange(len(ordered))[:, None] * step
    uneven = float(np.abs(off @ normal).max()) / distance
    if uneven > LARGEST_UNEVENNESS:
        raise _uneven(positions @ normal, name)
    drift = float(np.linalg.norm(off - np.outer(off @ normal, normal), axis=1).max())
    if drift > LARGEST_DRIFT_PIXELS * min(ordered[0].spacing):
        raise GeometryError(
            f"{name} has slices that are shifted sideways by up to {drift:.3g} mm off a straight "
            "line; a straight stack was expected: export it again."
        )
    if uneven <= SAID_UNEVENNESS:
        return step, ()
    return step, (
        f"The distances between slices differ by up to {uneven:.0%} of {distance:.4g} mm from an "
        "even one, which was taken.",
    )


def _uneven(places_mm: NDArray[np.float64], name: str) -> FileFormatError | GeometryError:
    gaps = np.diff(places_mm)
    usual = float(np.median(gaps))
    multiples = gaps / usual
    is_gap = multiples > 1.5
    if is_gap.any() and np.abs(multiples - np.round(multiples)).max() <= 2 * LARGEST_UNEVENNESS:
        missing = int(np.round(multiples[is_gap] - 1).sum())
        after = int(np.argmax(is_gap)) + 1
        return FileFormatError(
            f"{name} has missing slices ({missing}): between slices {after} and {after + 1} of "
            f"{len(places_mm)} lie {gaps[after - 1]:.4g} mm instead of {usual:.4g} mm; export the "
            "series again, whole."
        )
    return GeometryError(
        f"{name} has slices at varying distances, {gaps.min():.4g} to {gaps.max():.4g} mm; even "
        "ones were expected: reconstruct or export it with one spacing."
    )
