"""Installing a network: from a folder, a weights file, an archive, an address or the catalogue.

The order is fixed: hash, then content, then the architecture's shapes, then one rename.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import safetensors.numpy

from ..core.archive import extract
from ..core.errors import WeightsError
from ..core.folder_lock import locked
from ..core.progress import IGNORE, Progress
from ..core.staging import clear_leftovers, exchange, publish, staged
from ..resources import OWNER_ONLY
from .card import NetworkCard
from .card_reader import write_card
from .download import check_address, download
from .formats.known import foreign_source
from .network_source import CARD, NetworkSource, check_id, source_from_file, source_from_folder
from .store import WEIGHTS, NetworkStore, StoredNetwork
from .weights import Weights, check_sha256, kind_of, read_weights, sha256_of

WeightsCheck = Callable[[NetworkCard, Weights], None]
DOWNLOAD_SECONDS: Final = 3600.0


@dataclass(frozen=True)
class InstallRequest:
    """What a person asked to install.

    Attributes:
        source: Path of a folder or file, an https address, or the ID of an available network.
        network_id: ID to install under, empty for the folder's or file's stem.
        sha256: Of the file (of the weights file, for a folder), empty where it is known.
        replaces: Whether it takes the place of an installed network of its ID, once it is whole.
    """

    source: str
    network_id: str = ""
    sha256: str = ""
    replaces: bool = False


def install(
    store: NetworkStore,
    request: InstallRequest,
    check: WeightsCheck,
    progress: Progress = IGNORE,
) -> StoredNetwork:
    """Install a network and return it; until the last step nothing of it can be seen.

    Args:
        store: Where to.
        request: What.
        check: Raises `WeightsError` when weights do not fit their card's architecture.
        progress: Told while downloading and unpacking.

    Raises:
        WeightsError: The ID is taken, or the source was refused; the message says why.
    """
    request = replace(request, sha256=request.sha256.strip().lower())
    try:
        if "://" in request.source:
            return _install_address(store, request, check, progress)
        path = Path(request.source)
        known = store.catalog.by_id(request.source)
        if not path.exists() and known is not None and known.address:
            by_address = replace(request, source=known.address)
            return _install_address(store, by_address, check, progress)
        if not path.exists():
            raise WeightsError(
                f"{request.source} is neither a file or folder nor the ID of a network that can "
                "be downloaded; see: segmentationai networks list"
            )
        if not path.is_dir() and not path.is_file():
            raise WeightsError(f"{path.name} is a device or a pipe; name a file or folder.")
        stem = path.resolve().name if path.is_dir() else path.stem
        return _install_path(store, path, replace(request, network_id=request.network_id or stem),
                             check, progress)  # fmt: skip
    except OSError as error:
        raise WeightsError(
            f"{Path(request.source).name} was not installed: {error.strerror or error}. "
            "The networks that were there are as they were."
        ) from error


def _install_address(
    store: NetworkStore, request: InstallRequest, check: WeightsCheck, progress: Progress
) -> StoredNetwork:
    check_address(request.source)
    known = store.catalog.by_address(request.source)
    sha256 = request.sha256 or (known.sha256 if known else "")
    if not sha256:
        raise WeightsError(
            "This address is not in the catalogue; give the SHA-256 of the file with --sha256, "
            "from a place that you trust."
        )
    stem = Path(unquote(urlsplit(request.source).path)).stem
    request = replace(
        request, network_id=request.network_id or (known.id if known else stem), sha256=sha256
    )
    _check_free(store, request)
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise WeightsError(f"{sha256[:80]!a} is not a SHA-256: 64 hexadecimal digits are needed.")
    folder = store.home / "downloads" / sha256
    folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
    with locked(folder, DOWNLOAD_SECONDS, progress):
        _check_free(store, request)
        path = folder / "file"
        if not path.exists():
            size = known.size_bytes if known else 0
            download(request.source, path, sha256, size, progress.part(0.0, 0.9))
        network = _install_path(store, path, request, check, progress.part(0.9, 1.0))
    shutil.rmtree(folder, ignore_errors=True)
    return network


def _install_path(
    store: NetworkStore,
    path: Path,
    request: InstallRequest,
    check: WeightsCheck,
    progress: Progress,
) -> StoredNetwork:
    folder = store.made_folder()
    with locked(folder, progress=progress):
        clear_leftovers(folder)
        _check_free(store, request)
        with staged(folder) as staging:
            source = _resolved(store, path, request.sha256, staging, progress)
            card = source.card.renamed(request.network_id)
            _check_not_another(store, card)
            ready = staging / "ready"
            ready.mkdir(mode=OWNER_ONLY)
            _fill(ready, replace(source, card=card), check)
            final = folder / card.id
            if request.replaces and final.exists():
                exchange(ready, final)
            else:
                publish(ready, final)
    return store.find(request.network_id)


def _resolved(
    store: NetworkStore, path: Path, sha256: str, staging: Path, progress: Progress
) -> NetworkSource:
    if path.is_dir():
        return _from_folder(store, path, sha256, staging)
    if sha256:
        check_sha256(path, sha256)
    if kind_of(path) != "archive":
        return foreign_source(path, staging) or source_from_file(path, store.catalog)
    unpacked = staging / "unpacked"
    unpacked.mkdir()
    extract(path, unpacked, progress)
    inside = list(unpacked.iterdir())
    only_folder = len(inside) == 1 and inside[0].is_dir()
    return _from_folder(store, inside[0] if only_folder else unpacked, "", staging)


def _from_folder(store: NetworkStore, folder: Path, sha256: str, staging: Path) -> NetworkSource:
    """Return a network of another tool, of ours (it has a card), or known by its hash."""
    foreign = foreign_source(folder, staging)
    if foreign is None:
        return source_from_folder(folder, store.catalog, sha256)
    if sha256 not in ("", foreign.card.converted_from):
        raise WeightsError(
            f"The weights of {folder.name} have SHA-256 {foreign.card.converted_from} but "
            f"{sha256[:80]} was expected."
        )
    return foreign


def _fill(ready: Path, source: NetworkSource, check: WeightsCheck) -> None:
    """Write card and weights of a network into ``ready``."""
    # A copy in our own folder is checked and kept: no one can exchange it in between. It has the
    # name that the person knows, for messages.
    copy = ready.with_name("copied") / source.weights.name
    copy.parent.mkdir(mode=OWNER_ONLY)
    shutil.copyfile(source.weights, copy)
    weights = read_weights(copy, source.card.sha256)
    check(source.card, weights)
    target = ready / WEIGHTS
    card = source.card
    if kind_of(copy) == "safetensors":
        # Byte for byte, so that the hash stays the one that its origin publishes.
        copy.rename(target)
    else:
        safetensors.numpy.save_file(weights, str(target))
        card = replace(card, sha256=sha256_of(target), converted_from=card.sha256)
    write_card(replace(card, size_bytes=target.stat().st_size, file=""), ready / CARD)


def _check_free(store: NetworkStore, request: InstallRequest) -> None:
    network_id = request.network_id
    check_id(network_id)
    taken = [path.name for path in store.folder.iterdir()] if store.folder.is_dir() else []
    listed = store.catalog.by_id(network_id)
    shipped = listed is not None and listed.file
    is_taken = network_id.casefold() in {name.casefold() for name in taken}
    if shipped or (is_taken and not request.replaces):
        raise WeightsError(
            f"There is a network {network_id} already; remove it first, or choose another ID with "
            "--id."
        )


def _check_not_another(store: NetworkStore, card: NetworkCard) -> None:
    """Refuse other weights under the name of one of the catalogue's networks."""
    listed = store.catalog.by_id(card.id)
    if listed is not None and listed.sha256 not in (card.sha256, card.converted_from):
        raise WeightsError(
            f"{card.id} is the ID of a network of the catalogue whose weights are others (SHA-256 "
            f"{listed.sha256}); choose another ID with --id."
        )
