"""Strategies by name, each with what it needs of a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal, get_args

import numpy as np
import torch
from torch import nn

from ...core.errors import SegmentationAIError
from ...core.window_logits import Network
from ...networks.build import load_network
from ...networks.card import NetworkCard
from ...networks.dropout_samples import switch_dropout_on
from ...networks.expected_shapes import built_network
from ...networks.trainable import InferenceForm, TrainableNetwork
from ...networks.weights import Weights
from .adversarial import Adversarial
from .core_set import CoreSet
from .deep_features import DeepFeatures
from .doubt import Doubt
from .latent_options import LatentOptions
from .looking import flips_of, look_through
from .pool import Floats, Strategy
from .random_choice import RandomChoice
from .study_pool import Sees

StrategyName = Literal["m-vaal", "vaal", "entropy", "mc-dropout", "tta", "core-set", "random"]
STRATEGIES: Final = get_args(StrategyName)
# Answers of one network with dropout that are compared.
SAMPLES: Final = 8


def what_is_seen(name: StrategyName) -> Sees:
    """Return what a strategy looks at of each case."""
    return "auxiliary" if name == "m-vaal" else "names" if name == "random" else "voxels"


def strategy_named(
    name: StrategyName,
    card: NetworkCard,
    weights: Callable[[], Weights],
    *,
    device: str = "auto",
    seed: int = 0,
    options: LatentOptions | None = None,
) -> Strategy:
    """Return a strategy.

    Args:
        name: Of the strategy.
        card: Of the network that looks at the cases, with a patch size.
        weights: Reads its tensors; asked only by the strategies that look through it.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        seed: Of everything random.
        options: Of the samplers of VAAL and M-VAAL.

    Raises:
        SegmentationAIError: The network has no dropout, which mc-dropout varies.
        WeightsError: The weights are not those of the card.
    """
    if name == "random":
        return RandomChoice(seed)
    if name in ("m-vaal", "vaal"):
        return Adversarial(name == "m-vaal", replace(options or LatentOptions(), seed=seed))
    assert card.patch_size is not None
    if name == "core-set":
        return CoreSet(DeepFeatures(_module(card, weights()), card.patch_size, card.overlap))
    if name == "mc-dropout":
        networks = _dropout_samples(card, weights(), seed)
    else:
        network = load_network(card, weights(), device, "fp32")
        axes = [axis for axis in range(3) if card.patch_size[axis] > 1]
        networks = flips_of(network, axes) if name == "tta" else [network]
    looks = (look_through(one, card.patch_size, card.overlap) for one in networks)
    return Doubt(name, tuple(looks))


def _module(card: NetworkCard, weights: Weights) -> nn.Module:
    module = built_network(card, weights)
    return InferenceForm(module).eval() if isinstance(module, TrainableNetwork) else module


def _dropout_samples(card: NetworkCard, weights: Weights, seed: int) -> list[Network]:
    """Return a network several times, each with random numbers of its own."""
    module = _module(card, weights)
    try:
        switch_dropout_on(module, card.id)
    except SegmentationAIError as error:
        raise SegmentationAIError(
            f"{card.id} has no dropout layers, so its answers do not vary; choose tta or entropy."
        ) from error
    return [_DropoutSample(module, seed * SAMPLES + number) for number in range(SAMPLES)]


class _DropoutSample:
    """One network with parts switched off at random, the same ones for the same patch."""

    def __init__(self, module: nn.Module, seed: int) -> None:
        self._module, self._seed = module, seed

    @torch.inference_mode()
    def __call__(self, patch: Floats, /) -> Floats:
        """Return logits ``(B, K, X, Y, Z)`` for a patch ``(B, C, X, Y, Z)``."""
        with torch.random.fork_rng():
            torch.manual_seed(self._seed)
            found = self._module(torch.from_numpy(np.ascontiguousarray(patch)))
        return np.asarray(found.float().numpy())
