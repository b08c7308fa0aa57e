"""A patch in two overlapping halves: half the memory, and logits that are equal away from edges."""

from collections.abc import Callable

import numpy as np

from .running import Patch


def halved(run: Callable[[Patch], Patch], multiple: int, halo: int) -> Callable[[Patch], Patch]:
    """Return a function that runs a patch in two parts along its longest side.

    Each part reaches ``halo`` voxels beyond the middle; logits are taken up to the middle. With a
    halo of the receptive radius and no normalization over the patch the result is the same.

    Args:
        run: Logits ``(B, K, x, y, z)`` of a patch ``(B, C, x, y, z)``.
        multiple: Each side of a part is a multiple of it.
        halo: Voxels.
    """

    def in_two(patch: Patch) -> Patch:
        axis = 2 + int(np.argmax(patch.shape[2:]))
        side = patch.shape[axis]
        x, y, z = patch.shape[2:]
        length = half_shape((x, y, z), multiple, halo)[axis - 2]
        if length >= side:
            return run(patch)
        middle = side // 2
        first, second = np.split(np.arange(side), [middle])
        left = run(np.take(patch, np.arange(length), axis))
        shape = list(left.shape)
        shape[axis] = side
        logits = np.empty(shape, np.float32)
        target = np.moveaxis(logits, axis, 0)
        target[first] = np.moveaxis(left, axis, 0)[:middle]
        del left
        right = run(np.take(patch, np.arange(side - length, side), axis))
        target[second] = np.moveaxis(right, axis, 0)[middle - (side - length) :]
        return logits

    return in_two


def half_shape(shape: tuple[int, int, int], multiple: int, halo: int) -> tuple[int, int, int]:
    """Return the shape of each half, halo included; the same shape where halving gains nothing.

    Examples:
        >>> half_shape((64, 96, 80), 16, 16)
        (64, 64, 80)
        >>> half_shape((64, 64, 64), 16, 40)
        (64, 64, 64)
    """
    axis = int(np.argmax(shape))
    longer_half = shape[axis] - shape[axis] // 2
    length = -(-(longer_half + halo) // multiple) * multiple
    sides = list(shape)
    sides[axis] = min(length, shape[axis])
    x, y, z = sides
    return x, y, z
