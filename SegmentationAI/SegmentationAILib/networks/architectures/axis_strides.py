"""How far each level of an encoder is from the patch, along each axis."""

from collections.abc import Sequence
from itertools import accumulate

Stride = int | Sequence[int]
AxisStrides = tuple[int, ...]


def level_strides(strides: Sequence[Stride], dimensions: int) -> tuple[AxisStrides, ...]:
    """Return for each level how many voxels of the patch one of its voxels stands for.

    Args:
        strides: Of each step, one number for all axes or one per axis.
        dimensions: Number of axes.

    Raises:
        ValueError: A step with another number of axes, or a stride under 1.

    Examples:
        >>> level_strides((1, (2, 2, 1), 2), 3)
        ((1, 1, 1), (2, 2, 1), (4, 4, 2))
    """
    steps = [_per_axis(stride, dimensions) for stride in strides]
    return tuple(accumulate(steps, lambda a, b: tuple(x * y for x, y in zip(a, b, strict=True))))


def _per_axis(stride: Stride, dimensions: int) -> AxisStrides:
    step = (stride,) * dimensions if isinstance(stride, int) else tuple(stride)
    if len(step) != dimensions or min(step) < 1:
        raise ValueError(f"strides of {step} in a network of {dimensions} dimensions")
    return step
