"""What a ``plans.json`` of nnU-Net v2 says about one configuration, checked and in our terms.

Isensee et al., Nature Methods 2021, doi:10.1038/s41592-020-01008-z. What is not known here is
refused by its name: a network that runs on other rules than it was trained on is worse than none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ...core.errors import WeightsError
from ..card import Architecture, Intensity
from .nnunet_architecture import architecture_of

# Rules under which `core` resamples as nnU-Net does; plans with others are refused.
RESAMPLING: Final = {
    "resampling_fn_data": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
    "resampling_fn_probabilities": {
        "is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None,
    },
}  # fmt: skip
RESAMPLER: Final = "resample_data_or_seg_to_shape"
# Readers that hand arrays on as they are stored, slices first; the third turns them to RAS before.
READERS: Final = ("SimpleITKIO", "NibabelIO", "NibabelIOWithReorient")
STORED_AXES: Final = (2, 1, 0)
REORIENTED: Final = "SAR"


@dataclass(frozen=True)
class Configuration:
    """One configuration, with the axes in the order of the network.

    Attributes:
        name: Such as ``3d_fullres``.
        dataset: Such as ``Dataset004_Hippocampus``.
        spacing_mm: Of the network's grid.
        patch_size: Voxels.
        axes: Source axis along each of the network's.
        orientation: Axis code where the volume is turned first, else None.
        intensities: Rule of each channel.
        architecture: Without the number of channels.
    """

    name: str
    dataset: str
    spacing_mm: tuple[float, float, float]
    patch_size: tuple[int, int, int]
    axes: tuple[int, int, int]
    orientation: str | None
    intensities: tuple[Intensity, ...]
    architecture: Architecture


def configuration_of(plans: Mapping[str, Any], name: str, channels: int) -> Configuration:
    """Return a configuration of the plans.

    Args:
        plans: As read from ``plans.json``.
        name: Of the configuration.
        channels: Of the volume, as the dataset says.

    Raises:
        WeightsError: A cascade, two dimensions, or a rule that is not known here; the message
            names it.
        KeyError, TypeError, ValueError: The plans are not what nnU-Net writes.
    """
    found = _resolved(plans, name)
    if found.get("previous_stage"):
        raise WeightsError(
            f"The configuration {name} is the second stage of a cascade (after "
            f"{found['previous_stage']}); cascades are not run: train or choose 3d_fullres."
        )
    if len(found["patch_size"]) != 3 or len(found["spacing"]) != 3:
        raise WeightsError(
            f"The configuration {name} is one of {len(found['patch_size'])} dimensions; only those "
            "of 3 are run: choose 3d_fullres or 3d_lowres."
        )
    _check_rules(plans, found, name)
    axes, orientation = _axes(plans)
    return Configuration(
        name=name,
        dataset=str(plans.get("dataset_name", "")),
        spacing_mm=_three(found["spacing"], float),
        patch_size=_three(found["patch_size"], int),
        axes=axes,
        orientation=orientation,
        intensities=_intensities(plans, found, channels),
        architecture=architecture_of(found),
    )


def _resolved(plans: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a configuration with what it inherits."""
    known = plans["configurations"]
    lineage, current = [], name
    while current:
        if current not in known or current in lineage:
            raise WeightsError(
                f"The plans have no configuration {current[:80]!a} that can be resolved; they have "
                f"{', '.join(sorted(known))[:200]}."
            )
        lineage.append(current)
        current = known[current].get("inherits_from", "")
    merged: dict[str, Any] = {}
    for ancestor in reversed(lineage):
        merged.update(known[ancestor])
    return merged


def _check_rules(plans: Mapping[str, Any], found: Mapping[str, Any], name: str) -> None:
    expected = {
        "preprocessor": (found.get("preprocessor_name"), ("DefaultPreprocessor",)),
        "label manager": (plans.get("label_manager", "LabelManager"), ("LabelManager",)),
        "image reader": (plans.get("image_reader_writer"), READERS),
    }
    for step, rules in RESAMPLING.items():
        expected[step] = (found.get(step), (RESAMPLER,))
        given = {**rules, **found.get(f"{step}_kwargs", {})}
        if given != rules:
            raise WeightsError(
                f"The configuration {name} resamples with {step}_kwargs {given}; only {rules} is "
                "known."
            )
    for what, (value, known) in expected.items():
        if value not in known:
            raise WeightsError(
                f"The configuration {name} names the {what} {str(value)[:80]!a}; known are "
                f"{', '.join(known)}."
            )


def _axes(plans: Mapping[str, Any]) -> tuple[tuple[int, int, int], str | None]:
    order = _three(plans["transpose_forward"], int)
    if sorted(order) != [0, 1, 2]:
        raise ValueError(f"transpose_forward is {order}")
    if plans["image_reader_writer"] == "NibabelIOWithReorient":
        return (0, 1, 2), "".join(REORIENTED[axis] for axis in order)
    a, b, c = (STORED_AXES[axis] for axis in order)
    return (a, b, c), None


def _intensities(
    plans: Mapping[str, Any], found: Mapping[str, Any], channels: int
) -> tuple[Intensity, ...]:
    schemes, masks = found["normalization_schemes"], found["use_mask_for_norm"]
    if len(schemes) != channels or len(masks) != channels:
        raise ValueError(f"{len(schemes)} normalizations for {channels} channels")
    older = plans.get("foreground_intensity_properties_by_modality", {})
    measured = plans.get("foreground_intensity_properties_per_channel", older)
    return tuple(
        _intensity(scheme, mask, measured.get(str(number), {}))
        for number, (scheme, mask) in enumerate(zip(schemes, masks, strict=True))
    )


def _intensity(scheme: str, masked: bool, measured: Mapping[str, float]) -> Intensity:
    if scheme == "ZScoreNormalization":
        return Intensity("zscore-mask" if masked else "zscore")
    if scheme == "CTNormalization":
        numbers = {
            "low": float(measured["percentile_00_5"]),
            "high": float(measured["percentile_99_5"]),
            "mean": float(measured["mean"]),
            "std": max(float(measured["std"]), 1e-8),
        }
        return Intensity("clip", tuple(sorted(numbers.items())))
    plain = {
        "NoNormalization": Intensity("none"),
        "RescaleTo01Normalization": Intensity("minmax"),
        "RGBTo01Normalization": Intensity("clip", (("high", 255.0), ("low", 0.0))),
    }
    if scheme not in plain:
        raise WeightsError(
            f"The plans name the normalization {str(scheme)[:80]!a}, which is not known."
        )
    return plain[scheme]


def _three(numbers: Any, kind: type) -> Any:
    if not isinstance(numbers, list) or len(numbers) != 3:
        raise ValueError(f"{str(numbers)[:80]} is not a list of three numbers")
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in numbers):
        raise TypeError(f"{str(numbers)[:80]} is not a list of three numbers")
    return tuple(kind(one) for one in numbers)
