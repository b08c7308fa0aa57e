"""A network's weights as one torch module that can be trained further, and back to a file."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import WeightsError
from .card import NetworkCard
from .expected_shapes import COUNTER, built_network
from .folds import joined_folds, split_folds
from .onnx_check import ONNX
from .trainable import InferenceForm, TrainableNetwork
from .weights import Weights


class TorchModule(nn.Module):
    """Logits ``(B, K, X, Y, Z)`` of patches ``(B, C, X, Y, Z)``: the mean over a network's folds.

    Args:
        folds: Built networks, at least one; owned from now on.
    """

    def __init__(self, folds: list[nn.Module]) -> None:
        super().__init__()
        self.folds = nn.ModuleList(folds)
        forms = [InferenceForm(one) if isinstance(one, TrainableNetwork) else one for one in folds]
        self._forms = forms

    def forward(self, patch: Tensor) -> Tensor:
        """Return the logits; of several folds their mean, as nnU-Net does."""
        logits: Tensor = self._forms[0](patch)
        for form in self._forms[1:]:
            logits = logits + form(patch)
        return logits / len(self._forms)

    def weights(self) -> Weights:
        """Return the tensors by name, as the network's file has them."""
        return joined_folds([_arrays(one) for one in self.folds])


def torch_module(card: NetworkCard, weights: Weights) -> TorchModule:
    """Return the network of a card in single precision on the CPU, in evaluation mode.

    Args:
        card: Of the network.
        weights: As `store.StoredNetwork.read_weights` returns them; copied.

    Raises:
        WeightsError: The network exists as ONNX alone, or the weights are another network's.
    """
    if card.architecture.name == ONNX:
        raise WeightsError(
            f"The network {card.id} exists only as ONNX, which cannot be trained; choose one with "
            "weights of torch, or the engine auto."
        )
    parts = split_folds(card, weights)
    return TorchModule([built_network(one, part) for one, part in parts]).eval()


def _arrays(module: nn.Module) -> dict[str, np.ndarray]:
    state = module.state_dict()
    return {
        name: tensor.detach().to("cpu", torch.float32, copy=True).contiguous().numpy()
        for name, tensor in state.items()
        if not name.endswith(COUNTER)
    }
