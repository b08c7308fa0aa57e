"""What a training steps with: AdamW alone, or `OrthogonalMomentum` within the network.

Measured with a U-Net on brains at 2 mm (synthesized, 16 volumes, five parts, batches of 2): the
held-out Dice after 200 steps was 0.69 and with AdamW at its best rate 0.40. A step took 0.21 s
where one of AdamW took 0.14. On 60 hippocampi after 300 steps: 0.84 and 0.83, in 35 and 31 s.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor, nn

from .orthogonal_momentum import OrthogonalMomentum
from .plan import OptimizerName

# Of a kernel's step per learning rate of AdamW.
KERNEL_RATE: Final = 10.0
_WEIGHT_DECAY: Final = 0.01


class Optimizer:
    """Takes the steps of one training.

    ``adamw``: Loshchilov and Hutter, ICLR 2019, arXiv:1711.05101, for everything. ``orthogonal``:
    for the kernels between the layers that read the volume and those that write logits, see
    `orthogonal_momentum`; AdamW for the rest.

    Args:
        name: Which of the two.
        network: Only parameters that want a gradient are stepped.
        in_channels: Of the volume.
        out_channels: Of the logits.
    """

    def __init__(
        self, name: OptimizerName, network: nn.Module, in_channels: int, out_channels: int
    ) -> None:
        free = [p for p in network.parameters() if p.requires_grad]
        kernels: list[Tensor] = []
        if name == "orthogonal":
            kernels = list(_inner_kernels(network, in_channels, out_channels))
        inner = {id(kernel) for kernel in kernels}
        others = [p for p in free if id(p) not in inner]
        # Each with its rate per learning rate. Rates are given anew at each step.
        self._parts: list[tuple[torch.optim.Optimizer, float]] = []
        if others:
            adamw = torch.optim.AdamW(others, lr=1e-3, weight_decay=_WEIGHT_DECAY)
            self._parts.append((adamw, 1.0))
        if kernels:
            self._parts.append((OrthogonalMomentum(kernels, lr=1e-2), KERNEL_RATE))

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for part, _ in self._parts:
            part.zero_grad(set_to_none=True)

    def step(self, learning_rate: float) -> None:
        """Take one step."""
        for part, factor in self._parts:
            part.param_groups[0]["lr"] = factor * learning_rate
            part.step()

    def state_dict(self) -> list[dict[str, Any]]:
        """Return all that `load_state_dict` needs."""
        return [part.state_dict() for part, _ in self._parts]

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """Go back to a state of the same network's optimizer."""
        for (part, _), one in zip(self._parts, state, strict=True):
            part.load_state_dict(one)


def _inner_kernels(network: nn.Module, in_channels: int, out_channels: int) -> Iterator[Tensor]:
    """Yield the free kernels of layers that neither read the volume nor write logits.

    Layers are told by their channels: one within that happens to have as many keeps AdamW as well.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear):
            sides = (module.in_features, module.out_features)
        elif isinstance(module, nn.modules.conv._ConvNd):
            sides = (module.in_channels, module.out_channels)
        else:
            continue
        is_outer = sides[0] == in_channels or sides[1] == out_channels
        if module.weight.requires_grad and not is_outer:
            yield module.weight
