"""List, show, install, remove and export networks.

Examples:
  segmentationai networks list
  segmentationai networks show subcortical
  segmentationai networks install subcortical                    from the catalogue's address
  segmentationai networks install weights/subcortical            from a folder with its files
  segmentationai networks install https://example.org/net.zip --sha256 HEX
  segmentationai networks export subcortical subcortical.zip
  segmentationai networks remove subcortical

Weights are checked by SHA-256 before they are opened, and opened as data only. Everything lies in
the folder SEGMENTATIONAI_HOME when that is set, else in the user's data folder.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from ..networks.card import NetworkCard
from ..networks.card_reader import card_to_json
from ..networks.install import InstallRequest, install
from ..networks.store import NetworkStore, StoredNetwork
from .progress_line import progress_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _action(actions, "list", "networks that ship, are installed, or are available")
    show = _action(actions, "show", "everything that a network's card says")
    show.add_argument("id", metavar="ID", help="ID of a network, see list")
    add = _action(actions, "install", "install a network; an existing ID is refused")
    add.add_argument(
        "source",
        metavar="PATH_OR_URL",
        help="folder, weights file, exported zip, https address, or ID of an available network",
    )
    add.add_argument("--id", default="", help="ID to install under (default: the stem)")
    add.add_argument(
        "--sha256",
        default="",
        metavar="HEX",
        help="SHA-256 of the file, needed for an address that is not in the catalogue",
    )
    remove = _action(actions, "remove", "remove an installed network")
    remove.add_argument("id", metavar="ID", help="ID of an installed network")
    export = _action(actions, "export", "write a network as one file that install takes")
    export.add_argument("id", metavar="ID", help="ID of a network at hand")
    export.add_argument("target", metavar="FILE.zip", type=Path, help="file to write")


def _action(actions: Any, name: str, summary: str) -> argparse.ArgumentParser:
    """Add an action, whose own help shows the command's examples of it."""
    examples = [line for line in (__doc__ or "").splitlines() if f"networks {name}" in line]
    action: argparse.ArgumentParser = actions.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog="\n".join(["examples:", *examples]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    action.add_argument("--json", action="store_true", help="print JSON on standard output")
    action.set_defaults(perform=_ACTIONS[name])
    return action


def run(arguments: argparse.Namespace) -> int:
    """Perform the chosen action and return the exit status."""
    arguments.perform(NetworkStore(), arguments)
    return 0


def _list(store: NetworkStore, arguments: argparse.Namespace) -> None:
    listing = store.listing()
    for note in listing.notes:
        sys.stderr.write(f"note: {note}\n")
    if arguments.json:
        print(json.dumps([_summary(network) for network in listing.networks], indent=1))
        return
    print(f"{'ID':24} {'state':10} {'labels':>6}  {'license':12} title")
    for network in listing.networks:
        card = network.card
        line = f"{card.id:24} {network.state:10} {len(card.labels):6}  {card.license.id:12} "
        print((line + card.title)[: shutil.get_terminal_size((120, 24)).columns])


def _summary(network: StoredNetwork) -> dict[str, Any]:
    card = network.card
    return {
        "id": card.id,
        "title": card.title,
        "modality": card.modality,
        "task": card.task,
        "labels": [{"value": label.value, "name": label.name} for label in card.labels],
        "license": card.license.id,
        "installed": network.weights is not None,
        "state": network.state,
        "weights_sha256": card.sha256,
        "spacing_mm": card.spacing_mm,
        "patch_size": card.patch_size,
    }


def _show(store: NetworkStore, arguments: argparse.Namespace) -> None:
    network = store.find(arguments.id)
    if arguments.json:
        print(json.dumps({**_summary(network), "card": card_to_json(network.card)}, indent=1))
        return
    for name, value in _facts(network.card):
        print(f"{name:12} {value}")
    print(f"{'state':12} {network.state}")
    print("labels")
    for label in network.card.labels:
        code = label.terminology.type if label.terminology else None
        coded = f"{code.scheme} {code.value} {code.meaning}" if code else "no code"
        print(f"  {label.value:5} {label.name:32} {coded}")
    for sentence in (*network.card.limits, *network.card.notes):
        print(f"- {sentence}")


def _facts(card: NetworkCard) -> list[tuple[str, object]]:
    return [
        ("ID", card.id),
        ("title", card.title),
        ("task", card.task),
        ("modality", card.modality),
        ("inputs", ", ".join(f"{channel.role} ({channel.title})" for channel in card.channels)),
        ("spacing", f"{_times(card.spacing_mm)} mm" if card.spacing_mm else "any"),
        ("orientation", card.orientation or "any"),
        ("patch", f"{_times(card.patch_size)} voxels" if card.patch_size else "the whole grid"),
        ("license", f"{card.license.id}: {card.license.text}"),
        ("source", card.source),
        ("paper", f"https://doi.org/{card.paper}" if card.paper else "none"),
        ("SHA-256", card.sha256),
        ("address", card.address or "none"),
    ]


def _times(numbers: tuple[float, ...]) -> str:
    return " x ".join(f"{number:g}" for number in numbers)


def _install(store: NetworkStore, arguments: argparse.Namespace) -> None:
    # Needs torch, which takes seconds to import: the other actions do without.
    from ..networks.expected_shapes import check_architecture

    request = InstallRequest(arguments.source, arguments.id, arguments.sha256)
    with progress_line(sys.stderr) as progress:
        network = install(store, request, check_architecture, progress)
    if network.card.license.use != "free":
        sys.stderr.write(f"note: {network.card.license.text}\n")
    _tell(arguments, _summary(network), f"installed {network.card.id}: {network.card.title}")


def _remove(store: NetworkStore, arguments: argparse.Namespace) -> None:
    store.remove(arguments.id)
    _tell(arguments, {"id": arguments.id, "removed": True}, f"removed {arguments.id}")


def _export(store: NetworkStore, arguments: argparse.Namespace) -> None:
    store.export(arguments.id, arguments.target)
    fact = {"id": arguments.id, "file": str(arguments.target)}
    _tell(arguments, fact, f"wrote {arguments.target}")


def _tell(arguments: argparse.Namespace, facts: dict[str, Any], sentence: str) -> None:
    print(json.dumps(facts, indent=1) if arguments.json else sentence)


_ACTIONS = {"list": _list, "show": _show, "install": _install, "remove": _remove, "export": _export}
