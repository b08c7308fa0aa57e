"""What is to be installed: a folder, a file or an archive, resolved to one card and one file."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ..core.errors import WeightsError
from .card import NetworkCard
from .card_reader import MAX_CARD_BYTES, card_from_bytes
from .catalog import Catalog
from .weights import check_sha256, kind_of, sha256_of

CARD: Final = "card.json"
WEIGHTS_KINDS: Final = ("safetensors", "checkpoint", "pickle")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}[A-Za-z0-9]|[A-Za-z0-9]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class NetworkSource:
    """A weights file and the card that belongs to it; nothing of the file was opened yet."""

    card: NetworkCard
    weights: Path


def check_id(network_id: str) -> str:
    """Return ``network_id`` when it can be a folder's name on every system.

    Raises:
        WeightsError: It cannot.
    """
    if not _ID.fullmatch(network_id) or _RESERVED.fullmatch(network_id):
        raise WeightsError(
            f"{network_id[:80]!a} cannot be the ID of a network: letters, digits, '.', '_' and "
            "'-' are allowed, at most 64; choose another ID."
        )
    return network_id


def source_from_folder(folder: Path, catalog: Catalog, sha256: str = "") -> NetworkSource:
    """Return the card and the weights file of a folder.

    The card is the folder's own ``card.json``, else the one of ours for weights of that hash.

    Args:
        folder: Holds one weights file, found by content; links are not followed.
        catalog: Cards of ours.
        sha256: What the weights file must have, empty for whatever the card says.

    Raises:
        WeightsError: No weights file or several, no card for it, or another hash than its card's.
    """
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.is_symlink()]
    weights = [path for path in files if path.name != CARD and kind_of(path) in WEIGHTS_KINDS]
    if len(weights) != 1:
        raise WeightsError(
            f"The folder {folder.name} has {len(weights)} weights files; one is needed, as "
            "safetensors or a checkpoint of torch."
        )
    own = next((path for path in files if path.name == CARD), None)
    return _matched(weights[0], own, catalog, sha256, folder.name)


def source_from_file(path: Path, catalog: Catalog, sha256: str = "") -> NetworkSource:
    """Return the card of ours for one weights file.

    Raises:
        WeightsError: As for a folder.
    """
    return _matched(path, None, catalog, sha256, path.name)


def _matched(
    weights: Path, own_card: Path | None, catalog: Catalog, sha256: str, source: str
) -> NetworkSource:
    if sha256:
        check_sha256(weights, sha256)
    if own_card is not None:
        if own_card.stat().st_size > MAX_CARD_BYTES:
            raise WeightsError(f"The {CARD} of {source} has more than {MAX_CARD_BYTES} bytes.")
        card = card_from_bytes(own_card.read_bytes(), f"{CARD} of {source}")
        check_sha256(weights, card.sha256)
        # Where weights came from is for our catalogue to say, never for a file.
        return NetworkSource(replace(card, address="", file=""), weights)
    known = catalog.by_sha256(sha256_of(weights))
    if known is None:
        raise WeightsError(
            f"{source} has no {CARD}, and its weights are not in the catalogue: what they need and "
            "what their channels mean is unknown. Put a card beside them."
        )
    return NetworkSource(known, weights)
