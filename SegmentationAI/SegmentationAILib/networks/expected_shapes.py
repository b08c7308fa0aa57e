"""From a card to a network: the list of architectures there are, and their parameters.

The list is closed on purpose: a card can choose from it and give literals, nothing else.
"""

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import nn

from ..core.errors import WeightsError
from .architectures.meshnet import MeshNet
from .architectures.space_to_depth_unet import SpaceToDepthUNet
from .architectures.strided_autoencoder import StridedAutoencoder
from .card import Architecture, NetworkCard
from .weights import Weights, check_against

ARCHITECTURES: Final[dict[str, Callable[..., nn.Module]]] = {
    "meshnet": MeshNet,
    "space-to-depth-unet": SpaceToDepthUNet,
    "strided-autoencoder": StridedAutoencoder,
}
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
        WeightsError: No such architecture or parameter, or other tensors; the message names the
            first three.
    """
    check_against(expected_shapes(card), _kept(weights), f"The weights of {card.id}")


def expected_shapes(card: NetworkCard) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of a card's architecture by name.

    Raises:
        WeightsError: No such architecture or parameter.
    """
    state = _empty(card.architecture, card.id).state_dict()
    return {n: tuple(t.shape) for n, t in state.items() if not n.endswith(COUNTER)}


def _empty(architecture: Architecture, network_id: str) -> nn.Module:
    """Return the network on torch's meta device: shapes without memory, whatever a card asks."""
    make = ARCHITECTURES.get(architecture.name)
    if make is None:
        raise WeightsError(
            f"The network {network_id} has the architecture {architecture.name}, which is not "
            f"built in; there are: {', '.join(sorted(ARCHITECTURES))}."
        )
    arguments: dict[str, Any] = architecture.arguments()
    try:
        with torch.device("meta"):
            return make(**arguments)
    except (TypeError, ValueError, RuntimeError, OverflowError, IndexError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise WeightsError(
            f"The card of {network_id} has parameters that {architecture.name} does not take: "
            f"{reason}."
        ) from error


def _kept(weights: Weights) -> Weights:
    return {name: array for name, array in weights.items() if not name.endswith(COUNTER)}
