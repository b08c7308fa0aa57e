"""A sliding network over a prepared array: finished slabs of blended logits, one after another.

Only the planes that some window still has to touch are held; as soon as the next windows begin
behind them, they are handed on and forgotten. See `windows` for why no weight map is needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .empty_windows import EmptyWindows
from .progress import IGNORE, Progress
from .window_logits import Index, Network, WindowLogits
from .windows import Windows

SumType = Literal["float32", "float16"]


@dataclass(frozen=True, eq=False)
class LogitsSlab:
    """Finished logits of some consecutive planes of the network grid.

    Attributes:
        axis: Spatial axis (0, 1 or 2) along which the slabs follow each other.
        start: First plane along it.
        stop: First plane not in it.
        logits: ``(K, X, Y, Z)`` with ``stop - start`` planes along ``axis``. A view into memory
            that is used again: valid until the next slab is asked for.
    """

    axis: int
    start: int
    stop: int
    logits: NDArray[Any]


def logits_slabs(
    array: NDArray[np.float32],
    network: Network,
    windows: Windows,
    *,
    empty: EmptyWindows | None = None,
    padding: tuple[float, ...] | None = None,
    sum_in: SumType = "float32",
    progress: Progress = IGNORE,
) -> Iterator[LogitsSlab]:
    """Yield the logits of the whole grid slab by slab, in order along `Windows.slab_axis`.

    Args:
        array: Prepared intensities ``(C, X, Y, Z)``; not changed. May be memory-mapped.
        network: Called with one window at a time.
        windows: Where it looks.
        empty: Which windows need no call; None runs them all.
        padding: Intensity of each channel around an array that is smaller than the patch; None
            means 0.
        sum_in: ``float16`` halves the memory of the slab; a sum of eight windows is then off by
            up to 2e-3 of the logit (nnU-Net sums so), and merging takes five times as long.
        progress: Told once per window, before it is run; to cancel, that call raises.

    Raises:
        ValueError: The array is not on the grid of the windows, or the network's answer does not
            have the patch's shape.
        Cancelled: Raised by ``progress``.
    """
    if array.ndim != 4 or array.shape[1:] != windows.volume_shape:
        raise ValueError(f"array of {array.shape} is not (C, {windows.volume_shape})")
    look = WindowLogits(
        array=array,
        network=network,
        windows=windows,
        empty=empty,
        padding=padding or (0.0,) * len(array),
        keep_as=np.dtype(sum_in),
        progress=progress,
    )
    if windows.count == 1:
        axis = windows.slab_axis
        logits = look.at((0, 0, 0))[(slice(None), *windows.within(windows.start((0, 0, 0))))]
        yield LogitsSlab(axis, 0, windows.volume_shape[axis], logits)
    else:
        yield from _blended(look, windows, np.dtype(sum_in))


def _blended(look: WindowLogits, windows: Windows, dtype: np.dtype[Any]) -> Iterator[LogitsSlab]:
    """Sum the windows level by level; yield the planes that no later level touches.

    The sums are a ring: plane ``p`` lies at ``p`` modulo the planes held, so nothing is moved when
    a slab is finished. A slab that reaches around the end of the ring is yielded in two parts.
    """
    axis = windows.slab_axis
    starts, planes = windows.starts[axis], windows.volume_shape[axis]
    held = min(windows.patch_shape[axis], planes)
    sums: NDArray[Any] | None = None
    first = 0
    for level in range(len(starts)):
        for index in _level_windows(windows, axis, level):
            logits = look.at(index)
            if sums is None:
                shape = list(windows.volume_shape)
                shape[axis] = held
                sums = np.zeros((len(logits), *shape), dtype)
            _add_window(sums, logits, windows, index)
        assert sums is not None  # every level has a window
        stop = starts[level + 1] if level + 1 < len(starts) else planes
        for start, end in _ring_parts(first, stop, held):
            part = sums[_planes(axis, start % held, end - start)]
            yield LogitsSlab(axis, start, end, part)
            if stop < planes:
                _clear(part)
        first = stop


def _level_windows(windows: Windows, axis: int, level: int) -> Iterator[Index]:
    counts = [len(starts) for starts in windows.starts]
    counts[axis] = 1
    for index in np.ndindex(*counts):
        i, j, k = (level if a == axis else index[a] for a in range(3))
        yield i, j, k


def _add_window(sums: NDArray[Any], logits: NDArray[Any], windows: Windows, index: Index) -> None:
    """Add one window's weighted logits to the ring of held planes."""
    # torch fuses product and sum: 10 ms of two cores for 30 classes of 96^3, the speed of memory.
    # Setting what no window has touched yet, instead of clearing and adding, was slower: its boxes
    # are too narrow for that.
    import torch

    axis, start = windows.slab_axis, windows.start(index)
    box, inside = windows.inside(start), windows.within(start)
    x, y, z = (torch.from_numpy(windows.weights[a][index[a]][inside[a]]) for a in range(3))
    weight = x[:, None, None] * (y[:, None] * z)
    added = torch.from_numpy(logits)[(slice(None), *inside)]
    low, high = box.start_ijk[axis], box.stop_ijk[axis]
    held = sums.shape[axis + 1]
    for first, stop in _ring_parts(low, high, held):
        target = list(box.slices)
        target[axis] = slice(first % held, first % held + stop - first)
        part = torch.from_numpy(sums)[(slice(None), *target)]
        share = weight.narrow(axis, first - low, stop - first)
        logits_part = added.narrow(axis + 1, first - low, stop - first)
        if part.dtype == added.dtype == weight.dtype:
            part.addcmul_(logits_part, share)
        else:
            for channel, one in zip(part, logits_part, strict=True):
                channel.add_(one * share)


def _clear(planes: NDArray[Any]) -> None:
    """Set planes to zero on all cores, which numpy would do on one."""
    import torch

    torch.from_numpy(planes).zero_()


def _ring_parts(first: int, stop: int, held: int) -> Iterator[tuple[int, int]]:
    """Yield the planes ``[first, stop)`` in parts that do not reach around the ring's end."""
    while first < stop:
        end = min(stop, (first // held + 1) * held)
        yield first, end
        first = end


def _planes(axis: int, start: int, count: int) -> tuple[slice, ...]:
    """Index of some planes along a spatial axis of an array ``(K, X, Y, Z)``."""
    every = [slice(None)] * 4
    every[axis + 1] = slice(start, start + count)
    return tuple(every)
