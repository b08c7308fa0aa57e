"""Bundles of MONAI: a configuration, a description of the channels, and a checkpoint.

Cardoso et al., MONAI, 2022, arXiv:2211.02701. MONAI runs code that a bundle's configuration holds;
here it is read as data (see `monai_config`), and what needs more is refused by name. TorchScript
(``model.ts``), which is a program, and the bundle's scripts are never opened.
"""

import configparser
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

import torch

from ...core.errors import WeightsError
from ...core.labelmap import Label
from ...core.shown_text import shown_names, shown_text
from ..card import Architecture, Channel, License, NetworkCard
from ..checkpoint import safetensors_from_checkpoint
from ..network_source import NetworkSource
from ..registry import build
from ..trainable import TrainableNetwork
from ..weights import read_weights, sha256_of
from .distinct_colors import distinct_color
from .format import FoundFiles, source_of_weights
from .monai_config import CONFIGS, Config, read_config
from .monai_expressions import path_in_bundle
from .monai_networks import architecture_of
from .monai_steps import Steps, steps_of

METADATA, LOGGING = "configs/metadata.json", "configs/logging.conf"
PAPER: Final = "10.48550/arXiv.2211.02701"
MAX_METADATA: Final = 1 << 20
MAX_LOGGING: Final = 16 << 10
MOST_LABELS, MOST_CHANNELS = 1024, 16
USUAL_WEIGHTS: Final = "models/model.pt"
# DynUNet saves each block a second time under the way that it is called.
DYNUNET_COPIES: Final = "skip_layers."
_MODALITIES: Final = {"CT": "CT", "MR": "MR", "MRI": "MR", "PT": "PT", "PET": "PT"}


def recognizes(found: FoundFiles) -> bool:
    """Return whether these are the files of a bundle, or of a folder with one in it."""
    return _root(found) is not None


def read(found: FoundFiles, staging: Path) -> NetworkSource:
    """Return the network of a bundle.

    Raises:
        WeightsError: Something in it would have to be evaluated or called, is not reproduced
            exactly, or is damaged; the message names it.
    """
    found = found.below(_root(found) or PurePosixPath())
    _check_logging(found)
    config = read_config(found)
    card = _card(found, config)
    weights = _weights_file(found, config)
    target = staging / "bundle.safetensors"
    safetensors_from_checkpoint(weights, target)
    tensors = {
        name: array
        for name, array in read_weights(target).items()
        if not (card.architecture.name == "dynunet" and name.startswith(DYNUNET_COPIES))
    }
    return source_of_weights(replace(card, converted_from=sha256_of(weights)), tensors, staging)


def _root(found: FoundFiles) -> PurePosixPath | None:
    roots = [
        name.parent.parent
        for name in found.names
        if str(PurePosixPath(*name.parts[-2:])) in CONFIGS
    ]
    for root in sorted(roots, key=lambda one: len(one.parts)):
        if root / METADATA in found.names:
            return root
    return None


def _check_logging(found: FoundFiles) -> None:
    """Refuse a logging.conf with which Python's logging would evaluate or import something."""
    if PurePosixPath(LOGGING) not in found.names:
        return
    path = found.path(LOGGING)
    parser = configparser.RawConfigParser()
    try:
        if path.stat().st_size > MAX_LOGGING:
            raise ValueError("too long")
        parser.read_string(path.read_bytes().decode("utf-8"))
    except (configparser.Error, ValueError) as error:
        raise WeightsError(f"{LOGGING} of {found.root.name} cannot be read; remove it.") from error
    allowed = {"class": ("StreamHandler",), "args": ("(sys.stdout,)", "(sys.stderr,)")}
    for section in parser.sections():
        for key, value in parser.items(section):
            if key not in ("class", "args", "kwargs", "factory", "()"):
                continue
            if not section.startswith("handler_") or value.strip() not in allowed.get(key, ()):
                raise WeightsError(
                    f"{LOGGING} of {found.root.name} has {key}={value[:60]!a} in "
                    f"[{section[:40]}], which would be run; only MONAI's own is accepted: remove "
                    "the file."
                )


def _card(found: FoundFiles, config: Config) -> NetworkCard:
    metadata = found.json(METADATA, MAX_METADATA)
    name, arguments = config.step(config.root.get("network_def"))
    architecture = architecture_of(name, config.literal(arguments), config.name)
    _check_evaluator(config)
    try:
        inputs, outputs = _formats(metadata)
        channels = _channels(inputs)
        steps = steps_of(config, len(channels))
        labels = _labels(outputs, steps)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{type(error).__name__} {str(error)[:120]}"
        raise WeightsError(
            f"{METADATA} of {found.root.name} does not describe one image and one segmentation "
            f"({reason})."
        ) from error
    counted = {"in_channels": len(channels), "out_channels": len(labels) + (
        steps.output == "softmax")}  # fmt: skip
    for key, number in counted.items():
        if architecture.arguments()[key] != number:
            raise WeightsError(
                f"{METADATA} of {found.root.name} describes {number} channels ({key}), the network "
                f"has {architecture.arguments()[key]}."
            )
    title = shown_text(str(metadata.get("name") or found.root.name))
    task = str(metadata.get("task") or metadata.get("description") or title)
    return NetworkCard(
        id="monai",
        title=f"{title} (MONAI bundle)"[:200],
        task=shown_text(task, 900),
        modality=_MODALITIES.get(str(inputs.get("modality", "")).upper(), "any"),
        labels=labels,
        spacing_mm=steps.spacing_mm,
        orientation=steps.orientation,
        size=None,
        divisible_by=1 if steps.patch_size else _divisor(architecture),
        intensity=steps.intensity,
        channels=channels,
        patch_size=steps.patch_size,
        overlap=steps.overlap,
        one_body=False,
        output=steps.output,
        license=_license(metadata),
        source="",
        paper=PAPER,
        sha256="0" * 64,
        size_bytes=0,
        address="",
        file="",
        converted_from="",
        architecture=architecture,
        gates=(),
        limits=(),
        notes=(f"Bundle version {shown_text(str(metadata.get('version', 'unknown')))}.",),
        monai=steps.monai,
    )


def _divisor(architecture: Architecture) -> int:
    """Return what the sides of a whole volume have to be multiples of."""
    with torch.device("meta"):
        network = build(architecture.name, architecture.arguments())
    return math.lcm(*network.divisors) if isinstance(network, TrainableNetwork) else 1


def _check_evaluator(config: Config) -> None:
    """Refuse a run that is put together from other parts than those that were read."""
    parts = ("inferer", "postprocessing")
    expected = {"network": ("@network", "@network_def"), **{p: (f"@{p}",) for p in parts}}
    if "evaluator" in config.root:
        _, given = config.step(config.root["evaluator"])
        for key, known in expected.items():
            if given.get(key) not in known:
                raise WeightsError(
                    f"{config.name}: the evaluator has {key} {str(given.get(key))[:80]!a}; "
                    f"{' or '.join(known)} is read."
                )
    network = config.root.get("network", "@network_def")
    if network not in ("@network_def", "$@network_def.to(@device)"):
        raise WeightsError(f"{config.name}: the network is {str(network)[:80]!a}, not network_def.")
    if "dataset" in config.root:
        _, given = config.step(config.root["dataset"])
        if given.get("transform") != "@preprocessing":
            raise WeightsError(f"{config.name}: the dataset is not prepared by preprocessing.")


def _formats(metadata: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    both = metadata["network_data_format"]
    inputs, outputs = both["inputs"], both["outputs"]
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(f"{len(inputs)} inputs and {len(outputs)} outputs")
    return next(iter(inputs.values())), next(iter(outputs.values()))


def _channels(inputs: Mapping[str, Any]) -> tuple[Channel, ...]:
    count = inputs["num_channels"]
    names = _numbered(inputs.get("channel_def") or {}, count, MOST_CHANNELS)
    taken: set[str] = set()
    channels = []
    for number, name in enumerate(names):
        role = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:32]
        if not role or role.casefold() in taken:
            role = f"channel-{number}"
        taken.add(role.casefold())
        channels.append(Channel(role, shown_text(name) or role))
    return tuple(channels)


def _labels(outputs: Mapping[str, Any], steps: Steps) -> tuple[Label, ...]:
    names = _numbered(outputs.get("channel_def") or {}, outputs["num_channels"], MOST_LABELS)
    first = 1 if steps.output == "softmax" else 0
    shown = shown_names([name or f"channel {n}" for n, name in enumerate(names)][first:])
    if not shown:
        raise ValueError("no channel beside the background")
    return tuple(
        Label(value=number + 1, name=name, color=distinct_color(number))
        for number, name in enumerate(shown)
    )


def _numbered(names: Mapping[str, Any], count: Any, most: int) -> list[str]:
    if type(count) is not int or not 0 < count <= most:
        raise ValueError(f"{str(count)[:40]} channels")
    given = {int(number): str(name) for number, name in names.items()}
    if given and sorted(given) != list(range(count)):
        raise ValueError(f"{count} channels, of which {sorted(given)[:20]} are named")
    return [given.get(number, "") for number in range(count)]


def _license(metadata: Mapping[str, Any]) -> License:
    stated = shown_text(str(metadata.get("copyright") or "The bundle states no terms."), 300)
    return License("unstated", stated or "The bundle states no terms.", "unstated")


def _weights_file(found: FoundFiles, config: Config) -> Path:
    name = USUAL_WEIGHTS
    for value in _loaders(config.root):
        place = config.resolved(value.get("load_path"))
        name = path_in_bundle(place) or str(place) if isinstance(place, str) else ""
    if PurePosixPath(name) not in found.names:
        scripts = [str(one) for one in found.names if one.suffix == ".ts"]
        beside = f" {scripts[0]} is a program (TorchScript) and is never opened." if scripts else ""
        raise WeightsError(
            f"{found.root.name} has no file {name[:120]!a}, from which its network is loaded."
            f"{beside}"
        )
    return found.path(name)


def _loaders(value: Any) -> list[Mapping[str, Any]]:
    if isinstance(value, dict):
        inside = [one for part in value.values() for one in _loaders(part)]
        is_loader = str(value.get("_target_", "")).endswith("CheckpointLoader")
        return [value, *inside] if is_loader else inside
    if isinstance(value, list):
        return [one for part in value for one in _loaders(part)]
    return []
