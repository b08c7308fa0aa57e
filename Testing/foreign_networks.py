"""One small network in each format that is read, in a folder whose parts a test can bend.

Each maker writes the folder and returns its file of weights, in which ``bend`` changes tensors.
"""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import monai_bundles
import network_files
import nnunet_files
import numpy as np
import onnx
import onnx_networks
import torch
from monai.bundle import ConfigParser
from onnx import numpy_helper

NAMES = ["liver", "spleen"]
Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Kind:
    """A format: how a folder of it is made with these label names, and where its weights lie.

    Attributes:
        make: Writes it, with label names.
        weights: Name of the file in the folder.
        table: Entries of the checkpoint under which the tensors lie.
        keeps_keys: Whether its tensors have names of an architecture of ours.
        in_child: Whether its checkpoint is opened by a child process, which takes a second or two.
    """

    make: Callable[[Path, list[str]], None]
    weights: str
    table: str = ""
    keeps_keys: bool = True
    in_child: bool = True


def nnunet(folder, names):
    labels = {"background": 0, **{name: n for n, name in enumerate(names, 1)}}
    tensors = nnunet_files.tensors(classes=len(labels))
    folds = {"fold_0": nnunet_files.checkpoint(tensors)}
    nnunet_files.result_folder(folder, None, nnunet_files.dataset(labels=labels), folds)


def monai(folder, names):
    network = {**monai_bundles.NETWORK, "out_channels": len(names) + 1}
    config = monai_bundles.configuration(network=network)
    described = monai_bundles.metadata(classes=("background", *names))
    monai_bundles.bundle(folder, config, described)


def auto3dseg(folder, names):
    folder.mkdir()
    settings = {
        "network": {
            "_target_": "SegResNetDS", "init_filters": 8, "blocks_down": [1, 1],
            "norm": "INSTANCE", "in_channels": 1, "out_channels": len(names) + 1, "dsdepth": 2,
        },
        "normalize_mode": "meanstd", "roi_size": [16, 20, 12],
    }  # fmt: skip
    network = ConfigParser(settings["network"]).get_parsed_content()
    state = {"config": settings, "state_dict": network.state_dict()}
    torch.save(state, folder / "model.pt")
    table = io.StringIO()
    csv.writer(table).writerows([["LabelValue", "Name"], *enumerate(names, 1)])
    (folder / "labels.csv").write_text(table.getvalue(), encoding="utf-8")


def rows(names):
    return [{"value": n, "name": name, "color": [9, 9, n]} for n, name in enumerate(names, 1)]


def onnx_file(folder, names):
    folder.mkdir()
    settings = {**onnx_networks.SETTINGS, "out_channels": len(names) + 1}
    path = onnx_networks.exported(
        onnx_networks.build("unet", {**settings, "spatial_dims": 3}).eval(), folder / "net.onnx"
    )
    onnx_networks.with_card(path, labels=rows(names))


def ours(folder, names):
    changes = {"labels": rows(names)}
    if len(names) != len(NAMES):
        weights = network_files.tiny_weights()
        for part in ("weight", "bias"):
            weights[f"model.2.{part}"] = np.resize(
                weights[f"model.2.{part}"], (len(names) + 1, *weights[f"model.2.{part}"].shape[1:])
            )
        changes["sha256"] = hashlib.sha256(network_files.whole_safetensors(weights)).hexdigest()
        architecture = json.loads(json.dumps(network_files.tiny_card()["architecture"]))
        architecture["parameters"]["out_channels"] = len(names) + 1
        changes["architecture"] = architecture
        network_files.network_folder(folder, **changes)
        (folder / "model.pth").write_bytes(network_files.whole_safetensors(weights))
    else:
        network_files.network_folder(folder, **changes)


KINDS = {
    "nnU-Net": Kind(nnunet, "fold_0/checkpoint_final.pth", "network_weights"),
    "MONAI bundle": Kind(monai, "models/model.pt"),
    "Auto3DSeg": Kind(auto3dseg, "model.pt", "state_dict"),
    "ONNX": Kind(onnx_file, "net.onnx", keeps_keys=False, in_child=False),
    "safetensors with a card": Kind(ours, "model.pth", in_child=False),
}


def bend(kind: Kind, folder: Path, change: Callable[[Tensors], None]) -> None:
    """Let ``change`` alter the tensors by name, all others as they are; a card learns the hash."""
    path = folder / kind.weights
    if kind.weights.endswith(".onnx"):
        found = onnx.load(path)
        tensors = {one.name: numpy_helper.to_array(one).copy() for one in found.graph.initializer}
        change(tensors)
        del found.graph.initializer[:]
        found.graph.initializer.extend(
            numpy_helper.from_array(array, name) for name, array in tensors.items()
        )
        onnx.save(found, path)
    elif kind.in_child:
        whole = torch.load(path, weights_only=False)  # written by this file
        table = whole[kind.table] if kind.table else whole
        tensors = {name: tensor.numpy().copy() for name, tensor in table.items()}
        change(tensors)
        table.clear()
        table.update({name: torch.from_numpy(array) for name, array in tensors.items()})
        torch.save(whole, path)
    else:
        tensors = network_files.tiny_weights()
        change(tensors)
        path.write_bytes(network_files.whole_safetensors(tensors))
    know_the_hash(folder, path)


def know_the_hash(folder: Path, path: Path) -> None:
    """Write the hash of the weights into the card beside them, where there is one."""
    place = folder / "card.json"
    if place.is_file():
        card = json.loads(place.read_text(encoding="utf-8"))
        card["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        place.write_text(json.dumps(card), encoding="utf-8")
