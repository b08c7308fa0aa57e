"""The catalogue: networks that ship with the program or can be had, one card each."""

import functools
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import WeightsError
from ..resources import resource
from .card import NetworkCard
from .card_reader import card_from_json, check_schema
from .strict_json import json_from_bytes

__all__ = ["Catalog", "NetworkCard", "catalog", "read_catalog"]

MAX_BYTES = 16 << 20


@dataclass(frozen=True)
class Catalog:
    """Cards of ours.

    Attributes:
        cards: Listed: shipped or to be had.
        recognized: Known by the hash of their weights alone; never listed, no address. They let a
            file that someone already has be installed where its origin states no license.
    """

    cards: tuple[NetworkCard, ...]
    recognized: tuple[NetworkCard, ...] = ()

    def by_id(self, network_id: str) -> NetworkCard | None:
        """Return the listed card of that ID, None when there is none; case is ignored."""
        wanted = network_id.casefold()
        return next((card for card in self.cards if card.id.casefold() == wanted), None)

    def by_address(self, address: str) -> NetworkCard | None:
        """Return the listed card whose weights lie at that address."""
        return next((card for card in self.cards if card.address == address != ""), None)

    def by_sha256(self, sha256: str) -> NetworkCard | None:
        """Return the card of the weights file with that hash, listed or recognized."""
        cards = self.cards + self.recognized
        return next((card for card in cards if card.sha256 == sha256), None)


@functools.cache
def catalog() -> Catalog:
    """Return the catalogue that ships with the program.

    Raises:
        WeightsError: The installation is damaged.
    """
    return Catalog(
        read_catalog(resource("networks.json")), read_catalog(resource("recognized-networks.json"))
    )


def read_catalog(path: Path) -> tuple[NetworkCard, ...]:
    """Return the cards of a catalogue file.

    Raises:
        WeightsError: Not what ``networks.schema.json`` says, or two cards share an ID.
    """
    found = json_from_bytes(path.read_bytes(), path.name, MAX_BYTES)
    check_schema(found, "catalog", path.name)
    cards = tuple(
        card_from_json(card, f"card {card['id']!r} of {path.name}") for card in found["networks"]
    )
    ids = [card.id.casefold() for card in cards]
    if len(set(ids)) != len(ids):
        raise WeightsError(f"{path.name} lists an ID twice: {sorted(ids)}.")
    return cards
