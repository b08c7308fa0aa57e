"""Architectures that can be trained, with the parameters that suit data and machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from ..core.errors import SegmentationAIError
from ..networks.card import Architecture, Parameter
from ..networks.registry import build
from ..networks.trainable import TrainableNetwork
from .planned_network import Pyramid, dynunet_parameters, pyramid

Settings = dict[str, Parameter]
# nnU-Net's widest maps.
MOST_FILTERS: Final = 320
MOST_FILTERS_OF_PLANES: Final = 512


@dataclass(frozen=True)
class Situation:
    """What parameters depend on.

    Attributes:
        levels: For the sides that a patch will have about.
        is_gpu: Whether there is one; networks are half as wide or narrower without.
    """

    levels: Pyramid
    is_gpu: bool

    @property
    def dimensions(self) -> int:
        """2 or 3."""
        return len(self.levels.divisors)

    def widths(self, first: int, number: int) -> tuple[int, ...]:
        """Return channels per level, doubled from one to the next."""
        return tuple(min(first << n, MOST_FILTERS) for n in range(number))


def _dynunet(now: Situation) -> Settings:
    most = MOST_FILTERS if now.dimensions == 3 else MOST_FILTERS_OF_PLANES
    return dynunet_parameters(now.levels, 32 if now.is_gpu else 16, most)


def _unet(now: Situation) -> Settings:
    strides = now.levels.strides[1:]
    widths = now.widths(32 if now.is_gpu else 16, len(strides) + 1)
    return {"spatial_dims": now.dimensions, "channels": widths, "strides": strides}


def _liver_unet(now: Situation) -> Settings:
    # The paper's widths are not known; 64 is usual, and a processor would take a day for it.
    return {"widths": now.widths(32 if now.is_gpu else 16, 5)}


def _unetpp(now: Situation) -> Settings:
    widths = now.widths(32 if now.is_gpu else 16, 5)
    return {"spatial_dims": now.dimensions, "features": (*widths, widths[0])}


# By name: parameters, learning rate, and whether it sees volumes, planes or either.
_TRAINABLE: Final[dict[str, tuple[Callable[[Situation], Settings], float, str]]] = {
    "attention-unet": (_unet, 1e-3, "either"),
    "dints": (lambda now: {"channel_mul": 1.0 if now.is_gpu else 0.25}, 1e-3, "volumes"),
    "dynunet": (_dynunet, 3e-3, "either"),
    "segformer-b0": (lambda _: {}, 3e-4, "planes"),
    "segformer-b1": (lambda _: {}, 3e-4, "planes"),
    "segformer-b2": (lambda _: {}, 2e-4, "planes"),
    "segformer-b3": (lambda _: {}, 2e-4, "planes"),
    "segformer-b4": (lambda _: {}, 2e-4, "planes"),
    "segresnet": (lambda now: {"init_filters": 32 if now.is_gpu else 8}, 1e-3, "volumes"),
    "super-image": (_liver_unet, 1e-3, "super-images"),
    "swin-unetr": (lambda now: {"feature_size": 48 if now.is_gpu else 12}, 4e-4, "volumes"),
    "unet": (_unet, 1e-3, "either"),
    "unet2d-liver": (_liver_unet, 1e-3, "planes"),
    "unetpp": (_unetpp, 1e-3, "volumes"),
    "vnet": (lambda _: {}, 1e-3, "volumes"),
}
TRAINABLE_NAMES: Final = tuple(_TRAINABLE)


def check_trainable(name: str) -> None:
    """Raise unless an architecture of that name can be trained.

    Raises:
        SegmentationAIError: It cannot; the message lists those that can.
    """
    if name not in _TRAINABLE:
        raise SegmentationAIError(
            f"The architecture {name[:40]!r} cannot be trained; choose one of "
            f"{', '.join(_TRAINABLE)}."
        )


def sees_planes(name: str, otherwise: bool) -> bool:
    """Return whether an architecture sees one plane at a time; ``otherwise`` where it can both."""
    kind = _TRAINABLE[name][2]
    return otherwise if kind == "either" else kind == "planes"


def learning_rate(name: str) -> float:
    """Return the highest rate of AdamW from random weights."""
    return _TRAINABLE[name][1]


def planned_architecture(
    name: str,
    sides: Sequence[int],
    spacing_mm: Sequence[float],
    inputs: int,
    outputs: int,
    *,
    is_gpu: bool,
) -> Architecture:
    """Return an architecture with all its parameters.

    Args:
        name: One of `TRAINABLE_NAMES`.
        sides: Two or three, about those of a patch.
        spacing_mm: Along each of them.
        inputs: Channels of the volume.
        outputs: Channels of the logits.
        is_gpu: Whether there is one.
    """
    settings = _TRAINABLE[name][0](Situation(pyramid(sides, spacing_mm), is_gpu))
    settings |= {"in_channels": inputs, "out_channels": outputs}
    return Architecture(name, tuple(sorted(settings.items())))


def divisors_of(architecture: Architecture) -> tuple[int, ...]:
    """Return for each axis what the sides of a patch have to be multiples of."""
    with torch.device("meta"):  # shapes without numbers: the larger ones take seconds to fill
        network = build(architecture.name, architecture.arguments())
    assert isinstance(network, TrainableNetwork)
    return network.divisors
