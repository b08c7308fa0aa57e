"""Transforms and inferers of a MONAI bundle, read one by one into our rules or refused by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ...core.errors import WeightsError
from ...core.monai_rules import Blending, MonaiRules, Restored
from ..card import Intensity, Output
from .monai_arguments import (
    are_numbers,
    bad_argument,
    bad_step,
    check_known,
    is_number,
    literals,
    transforms_of,
)
from .monai_config import Config
from .monai_preprocessing import Preprocessing

GAUSSIAN_WIDTH: Final = 0.125


@dataclass(frozen=True)
class Steps:
    """What the steps of a bundle say, in our terms.

    Attributes:
        orientation: Axis code, None for the volume's own.
        spacing_mm: None for the volume's own.
        intensity: Of every channel.
        patch_size: None for the whole grid.
        overlap: Of windows.
        output: What becomes of the logits.
        monai: The rest.
    """

    orientation: str | None
    spacing_mm: tuple[float, float, float] | None
    intensity: Intensity
    patch_size: tuple[int, int, int] | None
    overlap: float
    output: Output
    monai: MonaiRules


def steps_of(config: Config, channels: int) -> Steps:
    """Return the rules of a bundle's preprocessing, inferer and postprocessing.

    Args:
        config: As read.
        channels: Of the volume.

    Raises:
        WeightsError: A step, an argument or an order that is not reproduced exactly.
    """
    before = Preprocessing(config, channels)
    patch_size, overlap, blending = _inferer(config)
    output, restored, is_inverted = _postprocessing(config)
    moved = before.orientation or before.spacing_mm or before.crop_margin is not None
    if moved and not is_inverted:
        raise WeightsError(
            f"{config.name} turns, resamples or crops the volume and has no Invertd: its labels "
            "would lie on another grid."
        )
    if before.crop_margin is not None and output == "sigmoid":
        raise WeightsError(f"{config.name} has CropForegroundd with overlapping labels.")
    monai = MonaiRules(crop_margin=before.crop_margin, blending=blending, restored=restored)
    return Steps(
        before.orientation, before.spacing_mm, before.intensity, patch_size, overlap, output, monai
    )


def _inferer(config: Config) -> tuple[tuple[int, int, int] | None, float, Blending]:
    name, arguments = config.step(config.root.get("inferer"))
    name = "SlidingWindowInferer" if name == "SlidingWindowInfererAdapt" else name
    if name == "SimpleInferer":
        check_known(config, name, literals(config, name, arguments), {})
        return None, 0.0, "constant"
    if name != "SlidingWindowInferer":
        raise bad_step(config, "inferer", name, ["SimpleInferer", "SlidingWindowInferer"])
    found = literals(config, name, arguments)
    usual = {"padding_mode": "constant", "cval": 0.0, "sigma_scale": GAUSSIAN_WIDTH}
    check_known(config, name, found, {"roi_size": None, "overlap": None, "mode": None, **usual})
    size, overlap, mode = found.get("roi_size"), found.get("overlap", 0.25), found.get("mode")
    if type(size) is int:
        size = [size] * 3
    if not are_numbers(size, 3) or any(type(n) is not int or not 0 < n <= 1024 for n in size):
        raise bad_argument(config, name, "roi_size", size)
    if not is_number(overlap) or not 0 <= overlap < 1:
        raise bad_argument(config, name, "overlap", overlap)
    if mode not in (None, "constant", "gaussian"):
        raise bad_argument(config, name, "mode", mode)
    blending: Blending = "gaussian" if mode == "gaussian" else "constant"
    return (size[0], size[1], size[2]), float(overlap), blending


def _postprocessing(config: Config) -> tuple[Output, Restored, bool]:
    """Return what becomes of the logits, what is interpolated, and whether it is inverted."""
    known = ("Activationsd", "Invertd", "AsDiscreted", "SaveImaged")
    seen: dict[str, Mapping[str, Any]] = {}
    for name, found in transforms_of(config, "postprocessing"):
        if name == "EnsureTyped":
            check_known(config, name, found, {})
            continue
        if name not in known:
            raise bad_step(config, "postprocessing", name, known)
        if name in seen or "SaveImaged" in seen:
            raise WeightsError(f"{config.name} has {name} twice or after SaveImaged.")
        seen[name] = found
    order = [name for name in seen if name != "SaveImaged"]
    output = _output(config, seen)
    is_nearest = seen.get("Invertd", {}).get("nearest_interp", True)
    if type(is_nearest) is not bool:
        raise bad_argument(config, "Invertd", "nearest_interp", is_nearest)
    check_known(config, "Invertd", seen.get("Invertd", {}),
          {"transform": None, "orig_keys": None, "nearest_interp": None})  # fmt: skip
    check_known(config, "SaveImaged", seen.get("SaveImaged", {}), {"dtype": None})
    if (
        "Invertd" in order
        and order.index("Invertd") > order.index("AsDiscreted")
        and not is_nearest
    ):
        raise WeightsError(f"{config.name} interpolates labels (Invertd after AsDiscreted).")
    if "Activationsd" in order and order.index("Activationsd") != 0:
        raise WeightsError(f"{config.name} has Activationsd after {order[0]}.")
    if is_nearest and "Invertd" in order:
        return output, "labels", True
    return output, "probabilities" if "Activationsd" in order else "logits", "Invertd" in order


def _output(config: Config, seen: Mapping[str, Mapping[str, Any]]) -> Output:
    if "AsDiscreted" not in seen:
        raise WeightsError(f"{config.name} has no AsDiscreted: its output is no labels.")
    discrete, activation = seen["AsDiscreted"], seen.get("Activationsd", {})
    check_known(config, "AsDiscreted", discrete, {"argmax": None, "threshold": None})
    check_known(config, "Activationsd", activation, {"softmax": None, "sigmoid": None})
    argmax, threshold = discrete.get("argmax", False), discrete.get("threshold")
    is_sigmoid, is_softmax = activation.get("sigmoid", False), activation.get("softmax", False)
    if argmax is True and threshold is None and is_sigmoid is False:
        return "softmax"
    if argmax is False and threshold == 0.5 and is_sigmoid is True and is_softmax is False:
        return "sigmoid"
    raise WeightsError(
        f"{config.name} has AsDiscreted with argmax {str(argmax)[:20]}, threshold "
        f"{str(threshold)[:20]} after sigmoid {str(is_sigmoid)[:20]}; argmax, or a threshold of "
        "0.5 after a sigmoid, is run here."
    )
