"""Monte-Carlo dropout: one network asked several times with different parts switched off.

Gal and Ghahramani, Dropout as a Bayesian Approximation, ICML 2016, arXiv:1506.02142.
"""

from collections.abc import Iterator

import torch
from torch import nn

from ..core.errors import SegmentationAIError
from ..core.mean_logits import Average, mean_logits
from .running import Patch, RunningNetwork

DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


class DropoutSamples:
    """A `RunningNetwork` that answers with the mean of random samples of itself.

    The same volume gives the same labels again: the random numbers start from the seed with each
    patch.

    Args:
        network: Runs a module that `switch_dropout_on` was called for; owned from now on.
        samples: How many answers are averaged.
        average: ``softmax`` or ``sigmoid``.
        seed: Of the random numbers.
    """

    def __init__(
        self, network: RunningNetwork, samples: int, average: Average, seed: int = 0
    ) -> None:
        if samples < 1:
            raise SegmentationAIError(
                f"{samples} dropout samples were asked for; at least 1 is needed, 10 are usual."
            )
        self._network, self._samples = network, samples
        self._average, self._seed = average, seed

    @property
    def out_channels(self) -> int:
        """Channels of the logits."""
        return self._network.out_channels

    @property
    def device_name(self) -> str:
        """Name of the device that runs it now."""
        return self._network.device_name

    @property
    def precision(self) -> str:
        """Precision in which it runs now."""
        return self._network.precision

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of the network."""
        return self._network.notes

    def __call__(self, patch: Patch, /) -> Patch:
        """Return the logits ``(B, K, X, Y, Z)`` of the mean, of a patch ``(B, C, X, Y, Z)``."""
        with torch.random.fork_rng():
            torch.manual_seed(self._seed)
            return mean_logits(self._answers(patch), self._average)

    def release_memory(self) -> None:
        """Give back working memory."""
        self._network.release_memory()

    def close(self) -> None:
        """Give back all memory."""
        self._network.close()

    def _answers(self, patch: Patch) -> Iterator[Patch]:
        for _ in range(self._samples):
            yield self._network(patch)


def switch_dropout_on(module: nn.Module, name: str) -> None:
    """Let the dropout layers of a module drop, and nothing else of it be in training.

    Raises:
        SegmentationAIError: It has none that drop anything.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, DROPOUT) and layer.p > 0]
    if not layers:
        raise SegmentationAIError(
            f"{name} has no dropout layers, so its answers do not vary; use --tta or an ensemble "
            "(--network A,B) for its uncertainty."
        )
    for layer in layers:
        layer.train()
