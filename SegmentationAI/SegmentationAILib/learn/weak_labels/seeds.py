"""Prompts as voxels: where a method that needs a person's hint starts, and where it must not go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.errors import PromptError

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Seeds:
    """Voxels that belong to the object, and voxels that do not.

    Attributes:
        positive: ``(I, J, K)``.
        negative: ``(I, J, K)``; where both are set, the voxel does not belong.
    """

    positive: Mask
    negative: Mask

    @classmethod
    def of(cls, positive: Mask) -> Seeds:
        """Return positive seeds alone."""
        return cls(positive, np.zeros_like(positive))

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise unless there is a positive seed, on voxels of this shape.

        Raises:
            PromptError: No voxel is positive.
            ValueError: The shapes differ.
        """
        if self.positive.shape != shape or self.negative.shape != shape:
            raise ValueError(f"seeds of shape {self.positive.shape} on voxels of shape {shape}")
        if not (self.positive & ~self.negative).any():
            raise PromptError(
                "No positive prompt marks a voxel of this volume; place at least one in the "
                "structure."
            )
