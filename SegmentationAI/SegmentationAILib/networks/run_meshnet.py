"""A MeshNet over a whole volume on the CPU: without the air, in one piece or else streamed."""

from collections.abc import Callable

import numpy as np
import torch

from ..core.memory_budget import free_memory_bytes
from .air_crop import Slices, box_without_air
from .architectures.meshnet import MeshNet
from .device import compute_on_cores
from .interleaved_meshnet import INTERLEAVE
from .running import Patch, RunningNetwork, is_out_of_memory
from .streamed_meshnet import streamed_logits

# Measured in one piece at 256^3, 32 padded channels, float32: 5.2 GB, of which 1.2 GB are logits.
FEATURE_COPIES = 2.5
SHARE_OF_FREE_MEMORY = 0.7


class WholeMeshNet:
    """A `RunningNetwork` that answers the same whichever way memory makes it go.

    Args:
        network: The MeshNet.
        one_piece: Runs the network on a whole volume.
        free_memory: Bytes that may be had now.
    """

    device_name = "cpu"

    def __init__(
        self,
        network: MeshNet,
        one_piece: RunningNetwork,
        free_memory: Callable[[], int] = free_memory_bytes,
    ) -> None:
        self.out_channels = network.out_channels
        self._network, self._one_piece = network, one_piece
        self._free_memory = free_memory
        self._streamed = self._cropped = False
        self._notes: list[str] = []

    @property
    def precision(self) -> str:
        """Precision in which it runs; int8 is streamed in single precision."""
        asked = self._one_piece.precision
        return "fp32" if self._streamed and asked == "int8" else asked

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done otherwise than asked."""
        return (*self._one_piece.notes, *self._notes)

    def __call__(self, patch: Patch, /) -> Patch:
        """Return logits ``(B, K, X, Y, Z)`` of volumes ``(B, C, X, Y, Z)``."""
        return np.concatenate([self._without_air(one[None]) for one in patch])

    def release_memory(self) -> None:
        """Give back working memory; the next call takes it again."""
        self._one_piece.release_memory()

    def close(self) -> None:
        """Give back all memory."""
        self._one_piece.close()

    def bytes_in_one_piece(self, patch: Patch) -> int:
        """Return what one volume of the patch takes beyond itself, in bytes."""
        channels = -(-self._network.head.in_channels // 16) * 16
        bytes_each = 2 if self.precision == "bf16" else 4
        features = FEATURE_COPIES * channels * bytes_each
        return int(patch[0, 0].size * (features + 4 * self.out_channels))

    def _without_air(self, volume: Patch) -> Patch:
        """Run on what is not air; the rest gets the logits of the air in the first corner."""
        box = self._box(volume)
        part = np.ascontiguousarray(volume[(slice(None), slice(None), *box)])
        answer = self._part(part)
        if part.shape == volume.shape:
            return answer
        logits = np.empty((1, self.out_channels, *volume.shape[2:]), np.float32)
        logits[:] = answer[:, :, :1, :1, :1]
        logits[(slice(None), slice(None), *box)] = answer
        return logits

    def _box(self, volume: Patch) -> Slices:
        if self._network.normalization == "instance":
            # Its statistics are those of the whole volume, air included.
            x, y, z = volume.shape[2:]
            return slice(0, x), slice(0, y), slice(0, z)
        box = box_without_air(volume[0], INTERLEAVE)
        sides = [side.stop - side.start for side in box]
        if sides != list(volume.shape[2:]) and not self._cropped:
            self._cropped = True
            self._notes.append(
                "The air around the head was left out of the network's volume: "
                f"{sides} of {list(volume.shape[2:])} voxels."
            )
        return box

    def _part(self, part: Patch) -> Patch:
        if not self._streamed and self.bytes_in_one_piece(part) <= self._budget():
            try:
                return self._one_piece(part)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
        self._stream_from_now_on()
        return self._by_slabs(part)

    def _budget(self) -> int:
        return int(SHARE_OF_FREE_MEMORY * self._free_memory())

    def _stream_from_now_on(self) -> None:
        if not self._streamed:
            self._streamed = True
            self._one_piece.close()
            self._notes.append(
                "The whole volume in one piece would not fit the free memory: the network ran in "
                "slabs, with the same result, only slower."
            )

    def _by_slabs(self, volume: Patch) -> Patch:
        compute_on_cores()
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        logits = np.empty((1, self.out_channels, *volume.shape[2:]), np.float32)
        start = 0
        tensor = torch.from_numpy(np.ascontiguousarray(volume, np.float32))
        for slab in streamed_logits(self._network, tensor, dtype):
            stop = start + slab.shape[2]
            logits[:, :, start:stop] = slab.numpy()
            start = stop
        return logits
