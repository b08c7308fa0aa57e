"""One window after another through the network: cut out, padded, skipped where it is air."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .empty_windows import EmptyWindows
from .progress import Progress
from .windows import Shape, Windows

Index = tuple[int, int, int]


class Network(Protocol):
    """The function from patch to logits."""

    def __call__(self, patch: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Return logits ``(B, K, X, Y, Z)`` for a patch ``(B, C, X, Y, Z)``."""


@dataclass
class WindowLogits:
    """Runs a network window by window.

    Attributes:
        array: Prepared intensities ``(C, X, Y, Z)``; not changed.
        network: Called with one window at a time.
        windows: Where it looks.
        empty: Which windows need no call; None runs them all.
        padding: Intensity of each channel where a window reaches beyond the array.
        keep_as: Type in which the logits of an empty window are kept.
        progress: Told once per window, before it is run.
        seen: Number of windows looked at so far, skipped ones included.
    """

    array: NDArray[np.float32]
    network: Network
    windows: Windows
    empty: EmptyWindows | None
    padding: tuple[float, ...]
    keep_as: np.dtype[Any]
    progress: Progress
    seen: int = 0
    _empty_logits: NDArray[Any] | None = field(default=None, init=False, repr=False)

    def at(self, index: Index) -> NDArray[Any]:
        """Return logits ``(K, x, y, z)`` of the window at ``index`` of the lattice.

        Raises:
            ValueError: The network's answer does not have the patch's shape.
            Cancelled: Raised by ``progress``.
        """
        count = self.windows.count
        self.progress(self.seen / count, f"Patch {self.seen + 1} of {count}")
        self.seen += 1
        patch = self._patch(index)
        if self.empty is None or not self.empty.contains(patch):
            return self._run(patch[None])
        if self._empty_logits is None:
            logits = self._run(self.empty.patch(self.windows.patch_shape))
            self._empty_logits = logits.astype(self.keep_as, copy=True)
        return self._empty_logits

    def _patch(self, index: Index) -> NDArray[np.float32]:
        """Copy a window ``(C, x, y, z)`` out of the array, padded where it reaches beyond it."""
        start, shape = self.windows.start(index), self.windows.patch_shape
        box = self.windows.inside(start)
        cut = self.array[(slice(None), *box.slices)]
        if box.shape == shape:
            return np.ascontiguousarray(cut, np.float32)
        patch = np.empty((len(self.array), *shape), np.float32)
        patch[:] = np.asarray(self.padding, np.float32).reshape(-1, 1, 1, 1)
        patch[(slice(None), *self.windows.within(start))] = cut
        return patch

    def _run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        logits = self.network(batch)
        shape: Shape = self.windows.patch_shape
        if logits.ndim != 5 or logits.shape[0] != 1 or logits.shape[2:] != shape:
            raise ValueError(f"network answered {logits.shape} to a patch of {batch.shape}")
        return np.ascontiguousarray(logits[0], np.float32)
