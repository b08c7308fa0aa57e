"""Networks of SlicerMONAIAuto3DSeg: ``model.pt`` with its settings inside, and ``labels.csv``.

MONAI's Auto3DSeg trains SegResNetDS (Myronenko, BrainLes 2018,
doi:10.1007/978-3-030-11726-9_28); the steps around it are those of the extension's own inference.
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from ...core.errors import WeightsError
from ...core.labelmap import Label
from ...core.monai_rules import MonaiRules, Squash
from ...core.shown_text import shown_text
from ..card import Architecture, Channel, Intensity, License, NetworkCard
from ..checkpoint import safetensors_from_checkpoint
from ..network_source import NetworkSource
from ..strict_json import json_from_bytes
from ..weights import read_weights, sha256_of
from .auto3dseg_labels import labels_from_csv
from .format import FoundFiles, source_of_weights
from .monai_arguments import are_numbers
from .monai_config import Config
from .monai_networks import architecture_of
from .monai_preprocessing import range_rule

MODEL, LABELS = "model.pt", "labels.csv"
PAPER: Final = "10.1007/978-3-030-11726-9_28"
MAX_FACTS, MAX_LABELS = 1 << 20, 1 << 20
OVERLAP, MARGIN, TOLERANCE = 0.625, 10, 0.25
CLEANED: Final = "whole-head"


def recognizes(found: FoundFiles) -> bool:
    """Return whether some folder holds both files."""
    return bool(_folders(found))


def read(found: FoundFiles, staging: Path) -> NetworkSource:
    """Return the one network of these files.

    Raises:
        WeightsError: Several, a setting that is not known, or a hostile or damaged file.
    """
    folders = _folders(found)
    if len(folders) != 1:
        raise WeightsError(
            f"{found.root.name} holds {len(folders)} networks of Auto3DSeg; name the folder of one."
        )
    found = found.below(folders[0])
    path = found.path(MODEL)
    target, noted = staging / "auto3dseg.safetensors", staging / "auto3dseg.json"
    safetensors_from_checkpoint(path, target, noted)
    facts = json_from_bytes(noted.read_bytes(), f"what {MODEL} notes", MAX_FACTS)
    settings = facts.get("config")
    if not isinstance(settings, dict) or not isinstance(settings.get("network"), dict):
        raise WeightsError(
            f"{MODEL} of {found.root.name} holds no config of its network; it is none of Auto3DSeg."
        )
    table = found.path(LABELS)
    if table.stat().st_size > MAX_LABELS:
        raise WeightsError(f"{LABELS} of {found.root.name} has more than {MAX_LABELS} bytes.")
    card = card_from_settings(settings, table.read_bytes(), found.root.name, sha256_of(path))
    return source_of_weights(card, read_weights(target), staging)


def card_from_settings(
    settings: Mapping[str, Any], table: bytes, name: str, sha256: str
) -> NetworkCard:
    """Return the card of a network, complete but for the hash of its converted weights.

    Args:
        settings: The ``config`` of its checkpoint.
        table: The bytes of its ``labels.csv``.
        name: Of its folder, for messages and the title.
        sha256: Of its ``model.pt``.

    Raises:
        WeightsError: A network, a setting or labels that cannot be run as the extension does.
    """
    if CLEANED in name.casefold():
        raise WeightsError(
            f"{name} is a network of which the extension keeps the two largest components of what "
            f"is found, as of all whose name has {CLEANED}; that is not done here."
        )
    architecture = _architecture(settings)
    classes = architecture.arguments()["out_channels"]
    assert isinstance(classes, int)
    labels = labels_from_csv(table, classes, f"{LABELS} of {name}")
    return _card(settings, architecture, labels, name, sha256)


def _folders(found: FoundFiles) -> list[PurePosixPath]:
    return [
        name.parent
        for name in found.names
        if name.name == MODEL and name.parent / LABELS in found.names
    ]


def _architecture(settings: Mapping[str, Any]) -> Architecture:
    config = Config({"network": settings["network"]}, f"the config in {MODEL}")
    name, arguments = config.step("@network")
    return architecture_of(name, config.literal(arguments), config.name)


def _card(
    settings: Mapping[str, Any],
    architecture: Architecture,
    labels: tuple[Label, ...],
    name: str,
    sha256: str,
) -> NetworkCard:
    channels = architecture.arguments()["in_channels"]
    rules = _intensities(settings)
    if len(rules) != channels or len({squash for _, squash in rules}) != 1:
        raise WeightsError(
            f"The config in {MODEL} normalizes {len(rules)} channels by "
            f"{str(settings.get('normalize_mode'))[:40]} and "
            f"{str(settings.get('extra_modalities'))[:80]}; one kind of normalization for "
            f"{channels} channels is run here."
        )
    if settings.get("sigmoid", False) is not False:
        raise WeightsError(f"The config in {MODEL} has overlapping labels (sigmoid).")
    shown = ", ".join(label.name for label in labels)
    return NetworkCard(
        id="auto3dseg",
        title=f"{shown_text(name)} (Auto3DSeg)"[:200],
        task=f"{len(labels)} structures: {shown}."[:900],
        modality="CT" if settings.get("normalize_mode") == "ct" and channels == 1 else "any",
        labels=labels,
        spacing_mm=_three(settings, "resample_resolution", float),
        orientation="RAS" if _flag(settings, "orientation_ras", otherwise=False) else None,
        size=None,
        divisible_by=1,
        intensity=rules[0][0],
        channels=tuple(
            Channel(f"image{n}", f"Image {n}", rule) for n, (rule, _) in enumerate(rules, 1)
        ),
        patch_size=_three(settings, "roi_size", int),
        overlap=OVERLAP,
        one_body=False,
        output="softmax",
        license=License("unstated", "The folder states no terms of the weights.", "unstated"),
        source="",
        paper=PAPER,
        sha256="0" * 64,
        size_bytes=0,
        address="",
        file="",
        converted_from=sha256,
        architecture=architecture,
        gates=(),
        limits=(),
        notes=(),
        monai=MonaiRules(
            normalizes_first=True,
            squash=rules[0][1],
            crop_margin=MARGIN if _flag(settings, "crop_foreground", otherwise=True) else None,
            spacing_tolerance=TOLERANCE,
            blending="gaussian",
            restored="labels",
        ),
    )


def _intensities(settings: Mapping[str, Any]) -> list[tuple[Intensity, Squash]]:
    extra = settings.get("extra_modalities") or {}
    modes = [
        settings.get("normalize_mode"),
        *(extra.values() if isinstance(extra, dict) else ["?"]),
    ]
    return [_intensity(mode, settings.get("intensity_bounds")) for mode in modes]


def _intensity(mode: Any, bounds: Any) -> tuple[Intensity, Squash]:
    if mode in ("range", "ct"):
        if not are_numbers(bounds, 2) or not bounds[0] < bounds[1]:
            raise WeightsError(f"The config in {MODEL} has intensity_bounds {str(bounds)[:80]}.")
        low, high = float(bounds[0]), float(bounds[1])
        return range_rule(low, high, -1.0, 1.0, is_cut=False), "sigmoid"
    if mode in ("meanstd", "mri"):
        return Intensity("zscore-nonzero"), "none"
    if mode == "meanstdtanh":
        return Intensity("zscore-nonzero"), "tanh"
    if mode == "pet":
        return Intensity("none"), "pet"
    if mode != "none":
        raise WeightsError(
            f"The config in {MODEL} has normalize_mode {str(mode)[:80]!a}; known are none, range, "
            "ct, meanstd, mri, meanstdtanh and pet."
        )
    return Intensity("none"), "none"


def _flag(settings: Mapping[str, Any], name: str, *, otherwise: bool) -> bool:
    value = settings.get(name, otherwise)
    if type(value) is not bool:
        raise WeightsError(
            f"The config in {MODEL} has {name} {str(value)[:80]}, not true or false."
        )
    return value


def _three(settings: Mapping[str, Any], name: str, kind: type) -> Any:
    value = settings.get(name)
    if value is None and name != "roi_size":
        return None
    if not are_numbers(value, 3) or min(value) <= 0 or [kind(n) for n in value] != list(value):
        raise WeightsError(f"The config in {MODEL} has {name} {str(value)[:80]}.")
    return tuple(kind(n) for n in value)
