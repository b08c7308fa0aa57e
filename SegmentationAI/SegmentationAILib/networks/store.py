"""The networks at hand: ``networks/<id>/`` in the data folder, and those that ship.

Each holds ``card.json`` and ``weights.safetensors``. `install` puts them there.
"""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ..core.atomic import whole_file
from ..core.errors import WeightsError
from ..core.folder_lock import locked
from ..core.staging import clear_leftovers, discard
from ..resources import OWNER_ONLY, data_folder, resource
from .card import NetworkCard
from .card_reader import MAX_CARD_BYTES, card_from_bytes, card_to_json
from .catalog import Catalog, catalog
from .network_source import CARD, check_id
from .weights import Weights, check_sha256, read_weights

WEIGHTS: Final = "weights.safetensors"
State = Literal["shipped", "installed", "available"]
# A fixed time, so that exporting twice gives the same bytes.
_ARCHIVE_TIME: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class StoredNetwork:
    """A network and where it stands.

    Attributes:
        card: What is known about it.
        state: Whether it ships, was installed, or could be.
        weights: Its file, None when it is only available.
    """

    card: NetworkCard
    state: State
    weights: Path | None

    def read_weights(self) -> Weights:
        """Return the tensors by name, after the file's hash was held against the card.

        Raises:
            WeightsError: Not installed, changed since, or damaged.
        """
        if self.weights is None:
            raise WeightsError(f"The network {self.card.id} is not installed. {self._how()}")
        return read_weights(self.weights, self.card.sha256)

    def _how(self) -> str:
        if self.card.file:
            return "Its file is missing from this installation; install the program again."
        if self.card.address:
            return f"Run: segmentationai networks install {self.card.id}"
        return "Its address is not known; install it from a folder with its files."


@dataclass(frozen=True)
class Listing:
    """All networks, and one sentence for each installed one that could not be read."""

    networks: tuple[StoredNetwork, ...]
    notes: tuple[str, ...]


class NetworkStore:
    """Networks that ship, are installed, or are available.

    Args:
        home: Data folder, None for the person's own (see `resources.data_folder`).
        cards: Catalogue, None for the one that ships.
    """

    def __init__(self, home: Path | None = None, cards: Catalog | None = None) -> None:
        self.home = data_folder() if home is None else home
        self.folder = self.home / "networks"
        self.catalog = catalog() if cards is None else cards

    def listing(self) -> Listing:
        """Return shipped, then installed, then available networks, each by ID."""
        notes: list[str] = []
        found = {network.card.id.casefold(): network for network in self._installed(notes)}
        for card in self.catalog.cards:
            found.setdefault(card.id.casefold(), _from_catalog(card))
        order = ("shipped", "installed", "available")
        networks = sorted(found.values(), key=lambda n: (order.index(n.state), n.card.id))
        return Listing(tuple(networks), tuple(notes))

    def find(self, network_id: str) -> StoredNetwork:
        """Return the network of that ID.

        Raises:
            WeightsError: There is none, or its card is damaged; the message names those there are.
        """
        if (self.folder / check_id(network_id) / CARD).is_file():
            return _read_installed(self.folder / network_id)
        card = self.catalog.by_id(network_id)
        if card is not None:
            return _from_catalog(card)
        known = ", ".join(network.card.id for network in self.listing().networks)
        raise WeightsError(f"There is no network {network_id}; there are: {known or 'none'}.")

    def check_new_id(self, network_id: str) -> None:
        """Raise unless a network of one's own can have an ID.

        Raises:
            WeightsError: It is that of a network that is here or could be, or cannot be one.
        """
        wanted = check_id(network_id).casefold()
        # One that cannot be read is not listed, and its folder is there all the same.
        folders = {one.name.casefold() for one in self.folder.glob("*")}
        if wanted in folders | {one.card.id.casefold() for one in self.listing().networks}:
            raise WeightsError(f"There is a network {network_id} already; choose another ID.")

    def remove(self, network_id: str) -> None:
        """Remove an installed network.

        Raises:
            WeightsError: It is not installed, or ships with the program.
        """
        if not (self.folder / check_id(network_id)).is_dir():
            state = self.find(network_id).state
            reason = "ships with the program" if state == "shipped" else "is not installed"
            raise WeightsError(f"The network {network_id} {reason}; there is nothing to remove.")
        with locked(self.folder):
            clear_leftovers(self.folder)
            discard(self.folder / network_id)

    def export(self, network_id: str, target: Path) -> None:
        """Write a network as one zip file that `install` takes; ``target`` is replaced whole.

        Raises:
            WeightsError: Not installed, or changed since it was.
            SegmentationAIError: ``target`` cannot be written.
        """
        network = self.find(network_id)
        if target.suffix.lower() != ".zip":
            raise WeightsError(f"{target.name} does not end in .zip; a network is exported as zip.")
        if network.weights is None:
            network.read_weights()
            raise AssertionError("unreachable: reading an absent network raises")
        check_sha256(network.weights, network.card.sha256)
        card = json.dumps(card_to_json(network.card), indent=1, ensure_ascii=False)
        with whole_file(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            archive.writestr(zipfile.ZipInfo(CARD, _ARCHIVE_TIME), card + "\n")
            with (
                network.weights.open("rb") as plain,
                archive.open(
                    zipfile.ZipInfo(WEIGHTS, _ARCHIVE_TIME), "w", force_zip64=True
                ) as packed,
            ):
                while chunk := plain.read(1 << 20):
                    packed.write(chunk)

    def made_folder(self) -> Path:
        """Return the folder of installed networks, made for its owner alone when absent."""
        self.folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        return self.folder

    def _installed(self, notes: list[str]) -> list[StoredNetwork]:
        networks = []
        folders = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        for folder in folders:
            if folder.name.startswith(".") or not folder.is_dir():
                continue
            try:
                networks.append(_read_installed(folder))
            except (WeightsError, OSError) as error:
                notes.append(f"The installed network {folder.name!a} cannot be read: {error}")
        return networks


def _from_catalog(card: NetworkCard) -> StoredNetwork:
    if not card.file:
        return StoredNetwork(card, "available", None)
    try:
        return StoredNetwork(card, "shipped", resource(card.file))
    except FileNotFoundError:  # a damaged installation still lists, and says so when it is asked
        return StoredNetwork(card, "available", None)


def _read_installed(folder: Path) -> StoredNetwork:
    path = folder / CARD
    if path.stat().st_size > MAX_CARD_BYTES:
        raise WeightsError(f"{CARD} of {folder.name} has more than {MAX_CARD_BYTES} bytes.")
    card = card_from_bytes(path.read_bytes(), f"{CARD} of {folder.name}")
    # The folder names the network: what a card calls itself decides nothing.
    return StoredNetwork(card.renamed(folder.name), "installed", folder / WEIGHTS)
