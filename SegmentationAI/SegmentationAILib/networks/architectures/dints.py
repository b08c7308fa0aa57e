"""DiNTS: a network whose topology was searched, out of paths between resolutions.

He, Yang, Roth, Zhao, Xu, DiNTS: Differentiable neural network topology search for 3D medical image
segmentation, CVPR 2021, doi:10.1109/CVPR46437.2021.00578. MONAI's implementation. The paper's own
search results are files that are not part of MONAI; the topology here is a fixed one of our own,
and a search's codes can be given instead.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import Final

import numpy as np
from monai.networks.nets.dints import DiNTS as MonaiDiNTS
from monai.networks.nets.dints import TopologyInstance
from numpy.typing import NDArray
from torch import Tensor

Codes = Sequence[Sequence[int]]

# MONAI's order of what a cell can do: nothing, and the convolutions 3x3x3, 3x3x1, 3x1x3, 1x3x3 (in
# two dimensions: nothing, 3x3).
OPERATIONS: Final = {2: 2, 3: 5}
FULL_CONVOLUTION: Final = 1


class DiNTS(MonaiDiNTS):  # type: ignore[misc]  # MONAI is read without its types
    """Logits ``(B, out_channels, ...)`` of ``(B, in_channels, ...)``, two or three dimensions.

    The names of weights are MONAI's.

    Args:
        in_channels: Channels of the volume.
        out_channels: Background and structures.
        spatial_dims: 2 or 3.
        num_blocks: Cells in a row.
        num_depths: Resolutions, from half of the patch's on.
        channel_mul: Factor of the channels, which are 64, 128, ... by default.
        paths: For each block which of the ``3 * num_depths - 2`` paths there are, 0 or 1, in
            MONAI's order (``arch_code_a``); None for `ladder`. All resolutions are fed and read.
        operations: For each block and path the operation of its cell (``arch_code_c``).

    Raises:
        ValueError: Codes of another shape, or a block that a path leads into from nowhere.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        spatial_dims: int = 3,
        num_blocks: int = 12,
        num_depths: int = 4,
        channel_mul: float = 1.0,
        paths: Codes | None = None,
        operations: Codes | None = None,
    ) -> None:
        ours = ladder(num_blocks, num_depths, OPERATIONS[spatial_dims])
        codes = [ours[0] if paths is None else np.array(paths, np.int64),
                 ours[1] if operations is None else np.array(operations, np.int64)]  # fmt: skip
        _check_codes(codes, ours[0].shape, OPERATIONS[spatial_dims])
        # MONAI prints a recommendation about the patch, which `divisors` says as well.
        with contextlib.redirect_stdout(io.StringIO()):
            space = TopologyInstance(
                codes, channel_mul, num_blocks=num_blocks, num_depths=num_depths,
                spatial_dims=spatial_dims,
            )  # fmt: skip
        # Numbers, not a tensor: MONAI asks each "if activation", which cannot be converted.
        space.arch_code_a = codes[0]
        everywhere = np.ones((num_blocks + 1, num_depths), np.int64)
        super().__init__(
            space, in_channels, out_channels, spatial_dims=spatial_dims, node_a=everywhere
        )
        self.out_channels = out_channels
        self.divisors = (2**num_depths,) * spatial_dims
        self.output_strides = ((1,) * spatial_dims,)
        cells = (f"dints_space.cell_tree.({block}, " for block in range(num_blocks // 2))
        self.encoder_prefixes = ("stem_down.", *cells)
        self.last_block_prefixes = ("stem_up.0.", "stem_finals.")

    def training_logits(self, patch: Tensor) -> list[Tensor]:
        """Return the logits, the only ones there are."""
        return [self(patch)]


def ladder(
    num_blocks: int, num_depths: int, operations: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return paths and operations ``(num_blocks, 3 * num_depths - 2)`` of our fixed topology.

    Every resolution goes on through all blocks, its cells taking one operation after the other.
    The first blocks lead down, one level each, and the last ones back up, by full convolutions.

    Raises:
        ValueError: Fewer blocks than it takes to go down and up again.
    """
    if num_blocks < 2 * (num_depths - 1) or num_depths < 2:
        raise ValueError(f"{num_blocks} blocks are too few for {num_depths} depths")
    paths = np.zeros((num_blocks, 3 * num_depths - 2), np.int64)
    chosen = np.full_like(paths, FULL_CONVOLUTION)
    # Path 3d keeps depth d, 3d + 1 leads up to it from below, 3d + 2 down from it.
    paths[:, ::3] = 1
    chosen[:, ::3] = (np.arange(num_blocks)[:, None] + 1) % operations
    for depth in range(num_depths - 1):
        paths[depth, 3 * depth + 2] = 1
        paths[num_blocks - 1 - depth, 3 * depth + 1] = 1
    return paths, chosen


def _check_codes(
    codes: Sequence[NDArray[np.int64]], shape: tuple[int, ...], operations: int
) -> None:
    for code, limit in zip(codes, (2, operations), strict=True):
        if code.shape != shape or code.min() < 0 or code.max() >= limit:
            raise ValueError(
                f"codes of shape {code.shape}, from {code.min()} to {code.max()}; expected shape "
                f"{shape}, from 0 to {limit - 1}"
            )
    depths = (shape[1] + 2) // 3
    for block in codes[0]:
        reached = {(path + 2) // 3 - (path % 3 == 1) for path in np.flatnonzero(block)}
        if len(reached) != depths:
            raise ValueError("a block in which a resolution is reached by no path")
