"""The nearest permutation and flips of a volume's axes to a wanted orientation."""

from functools import lru_cache

import nibabel.orientations as directions
import numpy as np
from numpy.typing import NDArray

from .errors import GeometryError

Axes = tuple[tuple[int, bool], tuple[int, bool], tuple[int, bool]]


def oriented_axes(affine: NDArray[np.float64], code: str | None) -> Axes:
    """Return for each wanted axis the source axis it runs along, and whether it is flipped.

    Nothing is rotated: an oblique volume keeps its own axes, in the order and the directions that
    come closest to the code.

    Args:
        affine: Voxel centers (i, j, k) to RAS mm.
        code: The directions in which the indices rise, such as ``LIA`` (left, inferior, anterior);
            None keeps the axes as they are.

    Raises:
        GeometryError: The code does not name each of the three directions once.
    """
    if code is None:
        return (0, False), (1, False), (2, False)
    return _axes(np.asarray(affine, np.float64).tobytes(), code)


# The scans of a data set lie in few ways, and a small one is prepared in milliseconds.
@lru_cache(maxsize=256)
def _axes(affine: bytes, code: str) -> Axes:
    try:
        wanted = directions.axcodes2ornt(tuple(code))
        found = directions.io_orientation(np.frombuffer(affine).reshape(4, 4))
        # Row s: the wanted axis that source axis s becomes, and its sign.
        become = directions.ornt_transform(found, wanted)
    except ValueError as error:
        raise GeometryError(
            f"The orientation {code!r} is not a code of three letters such as LIA."
        ) from error
    sources = {int(axis): (source, sign < 0) for source, (axis, sign) in enumerate(become)}
    if sorted(sources) != [0, 1, 2]:
        raise GeometryError(f"The orientation {code!r} does not name each direction once.")
    return sources[0], sources[1], sources[2]
