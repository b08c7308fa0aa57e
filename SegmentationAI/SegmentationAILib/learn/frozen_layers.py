"""Freezing parts of a network for a training: their weights, and their normalization with them.

The liver papers froze layers in Keras, where a frozen batch normalization uses the statistics it
has. In torch a layer goes on collecting them unless it is in evaluation mode: so it is put there.
"""

from __future__ import annotations

from typing import Literal

from torch import nn

from ..core.errors import SegmentationAIError
from ..networks.trainable import TrainableNetwork

Freeze = Literal["none", "encoder", "all-but-last"]
FREEZES: tuple[Freeze, ...] = ("none", "encoder", "all-but-last")


class FrozenLayers:
    """The parts of a network that stay as they are.

    Args:
        network: Its frozen parameters get no gradient from now on.
        freeze: ``none``; ``encoder``: what comes before the decoder; ``all-but-last``: all but the
            last block with its head.

    Raises:
        SegmentationAIError: Nothing would be left to train.
    """

    def __init__(self, network: TrainableNetwork, freeze: Freeze) -> None:
        assert isinstance(network, nn.Module)
        self._freeze = freeze
        self._encoder = tuple(network.encoder_prefixes)
        self._last = tuple(network.last_block_prefixes)
        self._modules = [
            module
            for name, module in network.named_modules()
            if not any(True for _ in module.children()) and self.holds(f"{name}.")
        ]
        free = 0
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(not self.holds(name))
            free += parameter.requires_grad
        if not free:
            raise SegmentationAIError(f"With {freeze} frozen nothing of this network is trained.")

    def holds(self, name: str) -> bool:
        """Return whether a parameter, buffer or module (a dot behind its name) is frozen."""
        if self._freeze == "encoder":
            return name.startswith(self._encoder)
        return self._freeze == "all-but-last" and not name.startswith(self._last)

    def keep_still(self) -> None:
        """Put frozen layers into evaluation mode; to be called after every ``train()``."""
        for module in self._modules:
            module.eval()
