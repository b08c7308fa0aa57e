"""What a network makes of a case in its deepest layer, as one vector."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...core.errors import SegmentationAIError
from ...core.patches import logits_slabs
from ...core.windows import plan_windows
from .pool import Candidate, Floats

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)


class DeepFeatures:
    """From a case to the mean answer of the network's deepest convolution.

    The deepest is the one whose answer to a patch has the fewest places; of several, the last one.

    Args:
        network: In evaluation mode, from ``(B, C, X, Y, Z)`` to logits; not changed.
        patch_size: Voxels (X, Y, Z).
        overlap: Fraction that neighboring patches share.

    Raises:
        SegmentationAIError: The network has no convolutions.
    """

    def __init__(
        self, network: nn.Module, patch_size: tuple[int, int, int], overlap: float = 0.5
    ) -> None:
        self._network, self._patch, self._overlap = network, patch_size, overlap
        self._layers = [m for m in network.modules() if isinstance(m, CONVOLUTIONS)]
        if not self._layers:
            raise SegmentationAIError(
                "This network has no convolutions, whose answers core-set compares; choose another "
                "strategy."
            )

    def __call__(self, case: Candidate) -> NDArray[np.float64]:
        """Return the vector ``(F,)`` of a case."""
        seen: list[NDArray[np.float64]] = []

        def run(patch: Floats, /) -> Floats:
            logits, features = self._asked(patch)
            seen.extend(features)
            return logits

        i, j, k = case.array.shape[1:]
        windows = plan_windows((i, j, k), self._patch, self._overlap)
        for _ in logits_slabs(case.array, run, windows, padding=case.padding or None):
            pass
        return np.asarray(np.mean(seen, axis=0), np.float64)

    @torch.inference_mode()
    def _asked(self, patch: Floats) -> tuple[Floats, NDArray[np.float64]]:
        """Return logits, and the deepest answer averaged over space, a row per patch."""
        deepest: list[Tensor] = []

        def keep(_layer: nn.Module, _inputs: Any, answer: Tensor) -> None:
            if not deepest or _places(answer) <= _places(deepest[0]):
                deepest[:] = [answer]

        hooks = [layer.register_forward_hook(keep) for layer in self._layers]
        try:
            logits = self._network(torch.from_numpy(np.ascontiguousarray(patch)))
        finally:
            for hook in hooks:
                hook.remove()
        rows = deepest[0].flatten(2).mean(dim=2).double().numpy()
        if len(rows) != len(patch):  # a network of planes sees each plane as a patch of its own
            rows = rows.reshape(len(patch), -1, rows.shape[1]).mean(axis=1)
        return logits.float().numpy(), rows


def _places(answer: Tensor) -> int:
    return int(np.prod(answer.shape[2:]))
