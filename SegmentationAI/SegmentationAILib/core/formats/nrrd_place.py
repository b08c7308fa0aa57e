"""Where an NRRD header places its voxels, and which of its axes holds channels or layers."""

import math
import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..admission import checked_affine
from ..volume import Affine
from .nrrd_header import NrrdHeader

# NRRD's three anatomical spaces to RAS: which world axes change sign.
_TO_RAS: Final = {
    "right-anterior-superior": (1, 1, 1),
    "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
    "lps": (-1, -1, 1),
}
_MILLIMETERS_PER: Final = {
    "mm": 1.0,
    "millimeter": 1.0,
    "millimeters": 1.0,
    "millimetre": 1.0,
    "millimetres": 1.0,
    "cm": 10.0,
    "m": 1e3,
    "um": 1e-3,
    "µm": 1e-3,
    "micron": 1e-3,
    "microns": 1e-3,
    "nm": 1e-6,
}
_SPATIAL_KINDS: Final = ("", "???", "none", "domain", "space")
_UNREADABLE_KINDS: Final = ("complex", "time", "stub")
_VECTOR: Final = re.compile(r"\(([^()]*)\)|(none)", re.IGNORECASE)


def channel_axis(header: NrrdHeader) -> int | None:
    """Return which axis holds channels or layers, None when all three axes are in space.

    Raises:
        FileFormatError: The sizes do not fit the dimension, there are not three axes in space, or
            the fourth holds complex numbers or time.
    """
    dimension, sizes = header.integer("dimension"), header.integers("sizes")
    if dimension != len(sizes):
        raise header.refusal(
            f"has {len(sizes)} sizes for {dimension} dimensions", "one per dimension was expected"
        )
    kinds = _kinds(header, dimension)
    others = [axis for axis, kind in enumerate(kinds) if kind not in _SPATIAL_KINDS]
    if dimension == 3 and not others:
        return None
    directions = _directions(header, dimension)
    if directions is not None:
        others = [axis for axis, direction in enumerate(directions) if direction is None]
    if dimension != 4 or len(others) != 1:
        raise header.refusal(
            f"has {dimension} dimensions, {len(others)} of them not in space",
            "three axes in space and at most one of channels or segments were expected",
        )
    if kinds[others[0]] in _UNREADABLE_KINDS:
        raise header.refusal(
            f"has an axis of {kinds[others[0]]}", "channels or segments were expected"
        )
    return others[0]


def affine_and_notes(header: NrrdHeader) -> tuple[Affine, tuple[str, ...]]:
    """Return the affine to RAS mm and sentences about what was assumed or converted.

    A measurement frame is about vectors, not about places, and is not used.

    Raises:
        FileFormatError: The anatomical space is missing or unknown, or lines contradict each other.
        GeometryError: Directions, spacings or origin cannot be ones of a scan.
    """
    notes: list[str] = []
    space = header.fields.get("space", "").strip().lower()
    if space not in _TO_RAS:
        found = f"names the space '{space[:40]}'" if space else "does not name its space"
        raise header.refusal(
            found,
            "'space: left-posterior-superior', left-anterior-superior or right-anterior-superior "
            "was expected, else left and right could be swapped",
        )
    dimension = header.integer("dimension")
    columns = _columns(header, dimension, notes)
    origin = _origin(header, notes)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = columns, origin
    affine[:3] *= _millimeters(header, notes)
    affine[:3] *= np.array(_TO_RAS[space], float)[:, None]
    return checked_affine(affine, header.name), tuple(notes)


def lps_fields(affine: Affine) -> tuple[list[str], str]:
    """Return the three space directions and the origin of an affine (RAS), as NRRD text in LPS."""
    lps = np.diag([-1.0, -1.0, 1.0]) @ affine[:3]
    # Adding zero turns -0.0 into 0.0, which reads better and means the same.
    columns = [",".join(repr(float(value) + 0.0) for value in column) for column in lps.T]
    vectors = [f"({column})" for column in columns]
    return vectors[:3], vectors[3]


def _kinds(header: NrrdHeader, dimension: int) -> list[str]:
    text = header.fields.get("kinds")
    if text is None:
        return [""] * dimension
    kinds = text.lower().split()
    if len(kinds) != dimension:
        raise header.refusal(
            f"has {len(kinds)} kinds for {dimension} dimensions", "one per dimension was expected"
        )
    return kinds


def _columns(header: NrrdHeader, dimension: int, notes: list[str]) -> NDArray[np.float64]:
    """Return the three directions as columns, in the header's space and unit."""
    directions = _directions(header, dimension)
    if directions is not None:
        columns = [direction for direction in directions if direction is not None]
        if len(columns) != 3:
            raise header.refusal(
                f"has {len(columns)} space directions", "three were expected, else 'none'"
            )
        return np.array(columns).T
    texts = header.required("spacings").split()
    spacing = [_number(text, header) for text in texts]
    spacing = [value for value in spacing if not math.isnan(value)]
    if len(texts) != dimension or len(spacing) != 3:
        raise header.refusal(
            f"has the spacings '{' '.join(texts)[:60]}'", "one number per axis in space is needed"
        )
    notes.append(
        "The header has spacings and no directions: its axes were taken to run along the axes of "
        "its space."
    )
    return np.diag(spacing)


def _directions(header: NrrdHeader, dimension: int) -> list[list[float] | None] | None:
    """Return a direction or None for each axis; None when the header has no directions."""
    text = header.fields.get("space directions")
    if text is None:
        return None
    found = list(_VECTOR.finditer(text))
    if len(found) != dimension or _VECTOR.sub("", text).strip():
        raise header.refusal(
            f"has space directions '{text[:60]}' for {dimension} dimensions",
            "one '(x,y,z)' or 'none' per dimension was expected",
        )
    return [_vector(match[1], header) if match[2] is None else None for match in found]


def _vector(text: str, header: NrrdHeader) -> list[float] | None:
    """Return three numbers; None for three NaN, the old form of 'none'."""
    values = [_number(part, header) for part in text.split(",")]
    if len(values) == 3 and all(math.isnan(value) for value in values):
        return None
    if len(values) != 3 or not all(math.isfinite(value) for value in values):
        raise header.refusal(
            f"has the vector '({text[:60]})'", "three finite numbers were expected"
        )
    return values


def _origin(header: NrrdHeader, notes: list[str]) -> NDArray[np.float64]:
    text = header.fields.get("space origin", "").strip()
    if not text:
        notes.append("The header has no space origin; the first voxel was placed at 0, 0, 0.")
        return np.zeros(3)
    match = _VECTOR.fullmatch(text)
    origin = _vector(match[1], header) if match and match[1] is not None else None
    if origin is None:
        raise header.refusal(f"has the space origin '{text[:60]}'", "'(x,y,z)' was expected")
    return np.array(origin)


def _millimeters(header: NrrdHeader, notes: list[str]) -> float:
    """Return how many millimeters the header's unit of length is."""
    units = {
        unit.lower() for unit in re.findall(r'"([^"]*)"', header.fields.get("space units", ""))
    }
    units -= {"", "???"}
    if not units:
        return 1.0
    unit = min(units)
    if len(units) > 1 or unit not in _MILLIMETERS_PER:
        raise header.refusal(f"has the space units {sorted(units)}"[:90], "mm was expected")
    if _MILLIMETERS_PER[unit] != 1.0:
        notes.append(f"The header gives positions in {unit}; they were converted to millimeters.")
    return _MILLIMETERS_PER[unit]


def _number(text: str, header: NrrdHeader) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise header.refusal(f"says '{text[:40]}'", "a number was expected") from error
