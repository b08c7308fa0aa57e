"""What a run holds in memory, known before it starts."""

import numpy as np

from .errors import MemoryBudgetError
from .memory_budget import free_memory_bytes
from .patches import SumType
from .windows import Windows

GIBIBYTE = 2**30


def sliding_bytes(windows: Windows, classes: int, sum_in: SumType = "float32") -> int:
    """Return the bytes that `patches.logits_slabs` holds at once beside its input.

    That is the slab of sums, one patch of logits, and the kept logits of an empty window; what the
    network needs inside comes on top.
    """
    width = np.dtype(sum_in).itemsize
    patch = int(np.prod(windows.patch_shape, dtype=np.int64)) * classes
    if windows.count == 1:
        return 4 * patch
    axis = windows.slab_axis
    held = list(windows.volume_shape)
    held[axis] = min(windows.patch_shape[axis], held[axis])
    return int(np.prod(held, dtype=np.int64)) * classes * width + (4 + width) * patch


def check_run_fits(source_voxels: int, windows: Windows, channels: int, classes: int) -> None:
    """Raise unless a run beside its volume fits the free memory; asked before any work.

    Counted are the prepared array, the labels in bytes of their own, and the least slab.

    Args:
        source_voxels: Of the volume, each of which gets a label.
        windows: Where the network will look.
        channels: Of its input.
        classes: Channels of its logits.

    Raises:
        MemoryBudgetError: It does not; the message names both sizes.
    """
    array = 4 * channels * int(np.prod(windows.volume_shape, dtype=np.int64))
    label_bytes = source_voxels * np.min_scalar_type(classes).itemsize
    needed = array + label_bytes + sliding_bytes(windows, classes, "float16")
    available = free_memory_bytes()
    if needed > available:
        shape = " x ".join(str(n) for n in windows.volume_shape)
        raise MemoryBudgetError(
            f"This run would need about {needed / GIBIBYTE:.1f} GiB of memory for the network's "
            f"{shape} voxels, and {available / GIBIBYTE:.1f} GiB are free; segment a smaller "
            "region, or close other programs."
        )


def sums_that_fit(windows: Windows, classes: int, available_bytes: int) -> SumType:
    """Return the most exact type of sums whose slab fits the memory.

    Args:
        windows: Where the network looks.
        classes: Channels of its logits.
        available_bytes: What may be used beside the input and the labels.

    Raises:
        MemoryBudgetError: Not even half precision fits; the message names both sizes.
    """
    choices: tuple[SumType, SumType] = ("float32", "float16")
    for choice in choices:
        if sliding_bytes(windows, classes, choice) <= available_bytes:
            return choice
    needed = sliding_bytes(windows, classes, "float16") / GIBIBYTE
    raise MemoryBudgetError(
        f"The logits of {classes} classes need {needed:.1f} GiB of memory and "
        f"{available_bytes / GIBIBYTE:.1f} GiB are free; segment a smaller region, or close other "
        "programs."
    )
