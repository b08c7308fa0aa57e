"""Networks run by torch, on a GPU or the CPU, stepping down when memory runs out.

The steps, in order: half the batch, half precision, half the patch, the CPU. Logits go to the
caller's memory patch by patch, so there is no sum on the device that would have to move. A step
is taken once and kept; the patch that failed is run again, those before it are not.
"""

import gc
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from ..core.errors import MemoryBudgetError
from .device import CPU, Device, compute_on_cores
from .patch_halves import half_shape, halved
from .precision import Precision
from .running import Patch, is_out_of_memory

MOST_HALVINGS = 3
AUTOCAST = {"fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Plan:
    """How a patch is run: the largest batch (0: any), precision, halvings of it, device."""

    batch: int
    precision: Precision
    halvings: int
    device: Device


class TorchNetwork:
    """A `RunningNetwork` of a torch module.

    Args:
        module: In evaluation mode; owned by this network from now on.
        out_channels: Channels of its logits.
        device: Where to run.
        precision: ``fp32``, or ``fp16`` or ``bf16`` by autocast: weights and sums stay single.
        multiple: Each side of a patch has to be a multiple of it.
        halo: Voxels beyond its middle that half a patch overlaps the other by.
    """

    def __init__(
        self,
        module: nn.Module,
        out_channels: int,
        device: Device = CPU,
        precision: Precision = "fp32",
        *,
        multiple: int = 1,
        halo: int = 16,
    ) -> None:
        self.out_channels = out_channels
        self._plan = Plan(0, precision, 0, device)
        self._module: nn.Module | None = module
        self._multiple, self._halo = multiple, halo
        self._notes: list[str] = []
        self._placed_on = ""

    @property
    def device_name(self) -> str:
        """Name of the device that runs it now."""
        return self._plan.device.name

    @property
    def precision(self) -> str:
        """Precision in which it runs now."""
        return self._plan.precision

    @property
    def notes(self) -> tuple[str, ...]:
        """Steps taken so far for want of memory."""
        return tuple(self._notes)

    def __call__(self, patch: Patch, /) -> Patch:
        """Return logits ``(B, K, X, Y, Z)`` of a patch ``(B, C, X, Y, Z)``.

        Raises:
            MemoryBudgetError: Memory ran out although every step was taken.
        """
        while True:
            reason = ""
            try:
                return self._run(patch)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = type(error).__name__
            # Outside of the handler: its traceback would hold the tensors that are in the way.
            self._give_memory_back()
            self._step_down(patch, reason)

    def release_memory(self) -> None:
        """Give back working memory; the next call takes it again."""
        self._give_memory_back()

    def close(self) -> None:
        """Give back all memory."""
        self._module = None
        self._give_memory_back()

    def _run(self, patch: Patch) -> Patch:
        parts = self._plan.batch or len(patch)
        answers = []
        for start in range(0, len(patch), parts):
            run: Callable[[Patch], Patch] = self._forward
            for _ in range(self._plan.halvings):
                run = halved(run, self._multiple, self._halo)
            answers.append(run(patch[start : start + parts]))
        return answers[0] if len(answers) == 1 else np.concatenate(answers)

    def _forward(self, patch: Patch) -> Patch:
        device = self._plan.device
        module = self._placed(device)
        tensor = torch.from_numpy(np.ascontiguousarray(patch, np.float32)).to(device.torch_name)
        dtype = AUTOCAST.get(self._plan.precision)
        with (
            torch.inference_mode(),
            torch.autocast(device.kind, dtype or torch.bfloat16, enabled=dtype is not None),
        ):
            logits = module(tensor)
        return np.ascontiguousarray(logits.float().cpu().numpy())

    def _placed(self, device: Device) -> nn.Module:
        if self._module is None:
            raise RuntimeError("this network was closed")
        if self._placed_on != device.torch_name:
            self._module = self._module.to(device.torch_name)
            self._placed_on = device.torch_name
            if device.kind == "cpu":
                compute_on_cores()
        return self._module

    def _step_down(self, patch: Patch, reason: str) -> None:
        """Take the next step, with a note.

        Raises:
            MemoryBudgetError: There is none left.
        """
        plan, where = self._plan, self._plan.device.name
        batch = min(plan.batch or len(patch), len(patch))
        half: Precision = "bf16" if plan.device.kind == "cpu" else "fp16"
        if batch > 1:
            self._plan = replace(plan, batch=batch // 2)
            step = f"patches are run {batch // 2} at a time instead of {batch}; same result"
        elif plan.precision == "fp32":
            self._plan = replace(plan, precision=half)
            step = f"single precision was given up for {half}"
        elif plan.halvings < MOST_HALVINGS and self._can_halve(patch):
            self._plan = replace(plan, halvings=plan.halvings + 1)
            step = f"each patch is run in {2 ** (plan.halvings + 1)} overlapping parts"
        elif plan.device.kind != "cpu":
            self._plan = Plan(1, "fp32", 0, CPU)
            step = "the CPU goes on with it, in single precision"
        else:
            raise MemoryBudgetError(
                f"The memory of this machine does not hold the network on a patch of "
                f"{patch.shape[2:]} voxels ({reason}); close other programs or choose a smaller "
                "--roi."
            )
        self._notes.append(f"Memory ran out on {where}: {step}.")

    def _can_halve(self, patch: Patch) -> bool:
        x, y, z = patch.shape[2:]
        shape = (x, y, z)
        for _ in range(self._plan.halvings):
            shape = half_shape(shape, self._multiple, self._halo)
        return half_shape(shape, self._multiple, self._halo) != shape

    def _give_memory_back(self) -> None:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if self._plan.device.kind == "mps":
            torch.mps.empty_cache()
