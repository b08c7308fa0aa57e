"""How strategies look at a case through a network: its logits, slab by slab, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ...core.patches import logits_slabs
from ...core.window_logits import Network
from ...core.windows import plan_windows
from .pool import Candidate, Floats

# Logits ``(K, ...)`` of consecutive parts of a case, the same parts on every call.
Look = Callable[[Candidate], Iterator[Floats]]


def look_through(network: Network, patch_size: tuple[int, int, int], overlap: float = 0.5) -> Look:
    """Return a look by the windows of ``segment``.

    Args:
        network: From patch to logits.
        patch_size: Voxels (X, Y, Z).
        overlap: Fraction that neighboring patches share.
    """

    def look(case: Candidate) -> Iterator[Floats]:
        i, j, k = case.array.shape[1:]
        windows = plan_windows((i, j, k), patch_size, overlap)
        for slab in logits_slabs(case.array, network, windows, padding=case.padding or None):
            yield slab.logits

    return look


@dataclass(frozen=True)
class Flipped:
    """A network that sees its patches flipped and answers flipped back.

    Attributes:
        network: The network.
        axes: Spatial axes, of 0, 1 and 2.
    """

    network: Network
    axes: tuple[int, ...]

    def __call__(self, patch: Floats, /) -> Floats:
        """Return logits ``(B, K, X, Y, Z)`` for a patch ``(B, C, X, Y, Z)``."""
        flip = tuple(axis + 2 for axis in self.axes)
        answer = self.network(np.ascontiguousarray(np.flip(patch, flip)))
        return np.ascontiguousarray(np.flip(answer, flip))


def flips_of(network: Network, axes: Sequence[int]) -> list[Network]:
    """Return the network once per combination of flips, none included."""
    chosen = [c for count in range(len(axes) + 1) for c in combinations(axes, count)]
    return [Flipped(network, combination) for combination in chosen]
