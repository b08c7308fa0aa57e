"""Windows of air: known without a network call, because the same input gives the same output."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class EmptyWindows:
    """What a window without anything in it looks like.

    The network is run once on a patch of these values, and its output is used for every empty
    window. With ``tolerance`` 0 the result is exactly that of running all windows. A larger
    tolerance also skips windows of noise; the result is then that of a scan whose air is silent.

    Attributes:
        values: Intensity of the background in each channel of the prepared array ``(C,)``.
        tolerance: Largest distance from it that still counts as background, same unit.
    """

    values: tuple[float, ...]
    tolerance: float = 0.0

    def contains(self, patch: NDArray[np.float32]) -> bool:
        """Return whether ``patch`` ``(C, x, y, z)`` is background in every voxel and channel.

        Raises:
            ValueError: The patch has another number of channels.
        """
        return all(
            bool(channel.min() >= np.float32(value - self.tolerance))
            and bool(channel.max() <= np.float32(value + self.tolerance))
            for channel, value in zip(patch, self.values, strict=True)
        )

    def patch(self, shape: tuple[int, int, int]) -> NDArray[np.float32]:
        """Return background alone, a batch ``(1, C, x, y, z)``."""
        values = np.asarray(self.values, np.float32).reshape(1, -1, 1, 1, 1)
        return np.broadcast_to(values, (1, len(self.values), *shape)).copy()
