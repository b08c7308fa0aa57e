"""The seam between networks that run and those who call them."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Patch = NDArray[np.float32]

# What allocators say; torch on a GPU has a class of its own, the others raise RuntimeError.
_OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "could not allocate",
    "failed to allocate",
    "not enough memory",
    "bad_alloc",
    "bad allocation",
)


class RunningNetwork(Protocol):
    """The function from patch to logits, on some device in some precision."""

    @property
    def out_channels(self) -> int:
        """Channels of the logits."""

    @property
    def device_name(self) -> str:
        """``cpu`` or the name of the GPU, as it is now."""

    @property
    def precision(self) -> str:
        """``fp32``, ``fp16``, ``bf16`` or ``int8``, as it is now."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Every fallback so far, each a sentence."""

    def __call__(self, patch: Patch, /) -> Patch:
        """Return logits ``(B, K, X, Y, Z)`` of a patch ``(B, C, X, Y, Z)``; the array is new."""

    def release_memory(self) -> None:
        """Give back working memory; the next call takes it again."""

    def close(self) -> None:
        """Give back all memory; the network cannot be called any more."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory could not be had."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _OUT_OF_MEMORY)
