"""The engines by the names that commands and the panel give them."""

import importlib
from typing import Final, cast

from ..core.errors import SegmentationAIError
from ..core.volume import Volume
from .engine import Engine

# File of this package, and what makes the engine there; imported when first asked for, as most
# load torch.
ENGINES: Final[dict[str, str]] = {
    "geodesic": "geodesic:open_geodesic",
    "click": "click_network:open_click",
    "auto": "auto:open_auto",
    "adapt": "adapt:open_adapt",
}


def open_engine(
    name: str, volume: Volume, network: str = "", structure: str = "", device: str = "auto"
) -> Engine:
    """Return an engine for a volume.

    Args:
        name: One of `ENGINES`.
        volume: What it will be asked about.
        network: ID of an installed network, for the engines that have one.
        structure: Name of the network's structure; empty lets the engine choose as it says.
        device: For the network.

    Raises:
        SegmentationAIError: There is no such engine, or it cannot be opened with these.
    """
    check_engine(name)
    file, maker = ENGINES[name].split(":")
    make = getattr(importlib.import_module(f".{file}", __package__), maker)
    return cast(Engine, make(volume, network, structure, device))


def check_engine(name: str) -> None:
    """Raise unless there is an engine of this name.

    Raises:
        SegmentationAIError: There is none; the sentence lists those there are.
    """
    if name not in ENGINES:
        raise SegmentationAIError(
            f"There is no engine {ascii(name)[:60]}; known are {', '.join(ENGINES)}, "
            "and on the command line growcut."
        )


def refuse_network(engine: str, network: str) -> None:
    """Raise when a network is named for an engine that has none.

    Raises:
        SegmentationAIError: It is.
    """
    if network:
        raise SegmentationAIError(
            f"The engine {engine} works without a network; leave {ascii(network)[:60]} out, or "
            "choose the engine auto or adapt."
        )


def structure_known(network: str, name: str) -> str:
    """Return ``name`` as a network spells it, empty when it has no such structure.

    Raises:
        WeightsError: There is no such network.
    """
    from ..networks.store import NetworkStore

    labels = NetworkStore().find(network).card.labels
    return next((one.name for one in labels if one.name.casefold() == name.casefold()), "")
