"""An optimizer for convolution kernels: momentum, made orthogonal before it is applied.

Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024,
https://kellerjordan.github.io/posts/muon/; Liu et al., Muon is scalable for LLM training, 2025,
doi:10.48550/arXiv.2502.16982. Measured on brains at 4 mm with this project's U-Net: the loss that
AdamW reached after 300 steps took 150 (1.36 and 1.35), that after 450 steps 200.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn

# Coefficients of the quintic iteration by Jordan et al.: singular values end between 0.7 and 1.2.
QUINTIC = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class OrthogonalMomentum(torch.optim.Optimizer):
    """Steps along the nearest orthogonal matrix of each kernel's momentum.

    Args:
        kernels: parameters of two or more dimensions; the first one is the output, all the others
            together the input.
        lr: length of a step: each singular value of a kernel moves by about this much.
        momentum: decay of the gradient's average, used the way Nesterov does.
    """

    def __init__(self, kernels: Iterable[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(kernels, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no closure here
        """Take one step."""
        for group in self.param_groups:
            for kernel in group["params"]:
                if kernel.grad is not None:
                    self._move(kernel, kernel.grad, group)

    def _move(self, kernel: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[kernel]
        if not state:
            state["momentum"] = torch.zeros_like(gradient)
        average = state["momentum"].mul_(group["momentum"]).add_(gradient)
        update = gradient.add(average, alpha=group["momentum"])
        direction = orthogonalized(update.flatten(1))
        # Tall kernels step further, so that the outputs change alike whatever the shape.
        length = group["lr"] * max(1.0, direction.shape[0] / direction.shape[1]) ** 0.5
        kernel.add_(direction.reshape(kernel.shape), alpha=-length)


def orthogonalized(matrix: Tensor) -> Tensor:
    """Return `matrix` `(rows, columns)` with its singular values moved to about 1, float32."""
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return cast(Tensor, (x.T if tall else x).float())


def split_parameters(network: nn.Module, outer: tuple[nn.Module, ...]) -> tuple[list[Tensor], ...]:
    """Return the kernels for `OrthogonalMomentum`, and all other parameters.

    Args:
        network: whose parameters to split.
        outer: modules that read the volume or write the logits, which keep another optimizer, as
            Jordan et al. advise.
    """
    kept = {id(parameter) for module in outer for parameter in module.parameters()}
    kernels: list[Tensor] = []
    others: list[Tensor] = []
    for parameter in network.parameters():
        inner = parameter.ndim >= 2 and id(parameter) not in kept
        (kernels if inner else others).append(parameter)
    return kernels, others
