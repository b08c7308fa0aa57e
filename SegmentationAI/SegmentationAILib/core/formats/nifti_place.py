"""Where a NIfTI header places its voxels: sform before qform, in millimeters, RAS.

Source: nifti1.h, "3D image (volume) orientation and location in space"; methods 1, 2 and 3.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..admission import check_spacing, checked_affine
from ..errors import GeometryError
from ..volume import Affine, Grid
from .nifti_header import NiftiHeader

_MILLIMETERS_PER_UNIT = {1: (1000.0, "meters"), 3: (0.001, "micrometers")}
# Scanners store the quaternion in single precision: its squares may sum to a little over 1.
QUATERNION_EXCESS = 1e-4
KNOWN_CODES = range(6)
# sform and qform of one exporter agree to rounding; half a tenth of a voxel is a disagreement.
DISAGREEMENT_VOXELS = 0.05


def affine_and_notes(
    header: NiftiHeader, sizes: tuple[int, int, int], name: str
) -> tuple[Affine, tuple[str, ...]]:
    """Return the affine to RAS mm and sentences about what was chosen or converted.

    Raises:
        GeometryError: The matrix in force is not finite or singular, or a spacing cannot be one.
    """
    axes = min(header.dim[0], 3)
    check_spacing(_scaled(header.pixdim[1 : axes + 1], header), name)
    notes: list[str] = []
    code = header.sform_code or header.qform_code
    if code not in KNOWN_CODES:
        raise GeometryError(
            f"{name} says by code {code} what its positions mean; a code from 0 to 5 was expected: "
            "the header is damaged, export it again."
        )
    if header.sform_code > 0:
        affine = np.vstack([np.reshape(header.srow, (3, 4)), [0, 0, 0, 1]])
    elif header.qform_code > 0:
        affine = _affine_of_qform(header, name)
    else:
        # As ITK, and so Slicer, places it: the axes of the file run to the left and to posterior.
        affine = np.diag([*_spacing(header) * [-1, -1, 1], 1.0])
        notes.append(
            "The header does not say where the scan lies (sform and qform code 0): its axes were "
            "taken to run left, posterior and superior from the origin."
        )
    scale, unit = _MILLIMETERS_PER_UNIT.get(header.units & 7, (1.0, ""))
    if unit:
        affine[:3] *= scale
        notes.append(f"The header gives positions in {unit}; they were converted to millimeters.")
    affine = checked_affine(affine, name)
    if header.sform_code > 0 and header.qform_code > 0:
        notes += _disagreement(header, Grid(sizes, affine), scale, name)
    return affine, tuple(notes)


def quaternion_of(rotation: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return b, c, d (a is the positive rest) of a proper rotation matrix ``(3, 3)``.

    Source: S. W. Shepperd, "Quaternion from rotation matrix", J. Guidance and Control 1(3), 1978,
    DOI 10.2514/3.55767b: divide by the largest of the four.
    """
    r = rotation
    squares = 1.0 + np.array(
        [
            r[0, 0] + r[1, 1] + r[2, 2],
            r[0, 0] - r[1, 1] - r[2, 2],
            r[1, 1] - r[0, 0] - r[2, 2],
            r[2, 2] - r[0, 0] - r[1, 1],
        ]
    )
    products = np.array(
        [
            [squares[0], r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]],
            [r[2, 1] - r[1, 2], squares[1], r[1, 0] + r[0, 1], r[0, 2] + r[2, 0]],
            [r[0, 2] - r[2, 0], r[1, 0] + r[0, 1], squares[2], r[2, 1] + r[1, 2]],
            [r[1, 0] - r[0, 1], r[0, 2] + r[2, 0], r[2, 1] + r[1, 2], squares[3]],
        ]
    )
    quaternion = products[int(np.argmax(squares))]
    quaternion = quaternion / np.linalg.norm(quaternion) * (-1 if quaternion[0] < 0 else 1)
    _, b, c, d = (float(q) for q in quaternion)
    return b, c, d


def _affine_of_qform(header: NiftiHeader, name: str) -> NDArray[Any]:
    b, c, d = header.quatern
    norm = b * b + c * c + d * d
    if not norm <= 1 + QUATERNION_EXCESS:
        raise GeometryError(
            f"{name} has a rotation (qform) that is none: b, c, d = {b:g}, {c:g}, {d:g}; squares "
            "that sum to at most 1 were expected: repair the header or export it again."
        )
    if norm > 1:
        b, c, d = (q / math.sqrt(norm) for q in (b, c, d))
    a = math.sqrt(max(0.0, 1 - norm))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * _spacing(header) * [1, 1, -1 if header.pixdim[0] < 0 else 1]
    affine[:3, 3] = header.qoffset
    return affine


def _spacing(header: NiftiHeader) -> NDArray[np.float64]:
    """Return the spacing of the three axes in the header's unit, 1 for axes it does not have."""
    axes = min(header.dim[0], 3)
    return np.array([*header.pixdim[1 : axes + 1], *(1.0,) * (3 - axes)])


def _scaled(lengths: tuple[float, ...], header: NiftiHeader) -> list[float]:
    scale = _MILLIMETERS_PER_UNIT.get(header.units & 7, (1.0, ""))[0]
    return [length * scale for length in lengths]


def _disagreement(header: NiftiHeader, grid: Grid, scale: float, name: str) -> list[str]:
    """Return a sentence when the qform places the voxels elsewhere than the sform."""
    try:
        affine = _affine_of_qform(header, name)
        affine[:3] *= scale
        apart = grid.distance_voxels(Grid(grid.shape, checked_affine(affine, name)))
    except GeometryError:
        return ["The qform of the header is not valid; the sform was used."]
    if apart <= DISAGREEMENT_VOXELS:
        return []
    return [
        f"sform and qform of the header disagree by up to {apart:.3g} voxels; the sform was used."
    ]
