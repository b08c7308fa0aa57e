"""From a card to a network: the tensors that its architecture has, and the network with them."""

from typing import Final

import torch
from torch import nn

from ..core.errors import GeometryError, WeightsError
from .card import Architecture, NetworkCard
from .folds import with_folds
from .onnx_check import ONNX, check_onnx
from .registry import build
from .trainable import TrainableNetwork, check_sides
from .weights import Weights, check_against

# A counter of training steps; published files leave it out or not.
COUNTER: Final = "num_batches_tracked"


def built_network(card: NetworkCard, weights: Weights) -> nn.Module:
    """Return the network of a card with its weights, as float32 on the CPU, for inference.

    Args:
        card: Names the architecture.
        weights: As `store.StoredNetwork.read_weights` returns them; they are copied.

    Raises:
        WeightsError: No such architecture, or weights of another one.
    """
    check_architecture(card, weights)
    network = _empty(card.architecture, card.id)
    # Never initialized with random numbers: every tensor comes from the file.
    network = network.to_empty(device="cpu")
    state = {name: torch.from_numpy(array).float() for name, array in _kept(weights).items()}
    network.load_state_dict(state, strict=False)
    return network.requires_grad_(False).eval()


def check_architecture(card: NetworkCard, weights: Weights) -> None:
    """Check that weights belong to the architecture of their card, without building it.

    Raises:
        WeightsError: No such architecture or parameter, patches that it does not take, or other
            tensors; the message names the first three.
    """
    if card.architecture.name == ONNX:
        check_onnx(card, weights)
        return
    network = _empty(card.architecture, card.id)
    if isinstance(network, TrainableNetwork):
        _check_patches(card, network)
    check_against(with_folds(card, _shapes(network)), _kept(weights), f"The weights of {card.id}")


def expected_shapes(card: NetworkCard) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of a card's architecture by name.

    Raises:
        WeightsError: No such architecture or parameter.
    """
    return with_folds(card, _shapes(_empty(card.architecture, card.id)))


def _shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    state = network.state_dict()
    return {n: tuple(t.shape) for n, t in state.items() if not n.endswith(COUNTER)}


def _check_patches(card: NetworkCard, network: TrainableNetwork) -> None:
    """Check that the card cuts patches that the network takes."""
    dimensions = len(network.divisors)
    if card.patch_size is not None:
        try:
            check_sides(network, card.patch_size[:dimensions])
        except GeometryError as error:
            raise WeightsError(f"The patches of {card.id} do not fit it: {error}") from error
    elif dimensions == 2:
        raise WeightsError(
            f"{card.id} is a network of planes; its card has to give a patch_size, such as "
            "(256, 256, 1)."
        )
    elif any(card.divisible_by % divisor for divisor in network.divisors):
        raise WeightsError(
            f"{card.id} takes whole volumes whose sides are multiples of {network.divisors}, but "
            f"its card says divisible_by {card.divisible_by}."
        )


def _empty(architecture: Architecture, network_id: str) -> nn.Module:
    """Return the network on torch's meta device: shapes without memory, whatever a card asks."""
    try:
        with torch.device("meta"):
            return build(architecture.name, architecture.arguments())
    except WeightsError as error:
        raise WeightsError(f"The network {network_id} cannot be built: {error}") from error


def _kept(weights: Weights) -> Weights:
    return {name: array for name, array in weights.items() if not name.endswith(COUNTER)}
