"""Transforms before the network of a MONAI bundle, read one by one into our rules, or refused."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from ...core.errors import WeightsError
from ..card import Intensity
from .monai_arguments import (
    are_numbers,
    bad_argument,
    bad_step,
    check_known,
    is_number,
    transforms_of,
)
from .monai_config import Config

# "Everything" for intensities that are not cut.
NO_CUT: Final = 1e30
_READERS: Final = ("ITKReader", "NibabelReader", "itkreader", "nibabelreader")


class Preprocessing:
    """Reads the transforms before the network in their order."""

    ORDER: Final = (
        "LoadImaged", "EnsureChannelFirstd", "Orientationd", "Spacingd", "intensity",
        "CropForegroundd",
    )  # fmt: skip
    INTENSITIES: Final = ("ScaleIntensityRanged", "ScaleIntensityd", "NormalizeIntensityd")

    def __init__(self, config: Config, channels: int) -> None:
        self.orientation: str | None = None
        self.spacing_mm: tuple[float, float, float] | None = None
        self.intensity = Intensity("none")
        self.crop_margin: int | None = None
        self._channels = channels
        self._config = config
        read: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "LoadImaged": self._load,
            "EnsureTyped": lambda found: check_known(
                config, "EnsureTyped", found, {"dtype": "float32"}
            ),
            "EnsureChannelFirstd": lambda found: check_known(
                config, "EnsureChannelFirstd", found, {}
            ),
            "Orientationd": self._orientation,
            "Spacingd": self._spacing,
            "ScaleIntensityRanged": self._range,
            "ScaleIntensityd": self._minmax,
            "NormalizeIntensityd": self._zscore,
            "CropForegroundd": self._crop,
        }
        reached = -1
        for name, found in transforms_of(config, "preprocessing"):
            if name not in read:
                raise bad_step(config, "preprocessing", name, sorted(read))
            read[name](found)
            if name == "EnsureTyped":
                continue
            place = self.ORDER.index("intensity" if name in self.INTENSITIES else name)
            if place <= reached:
                raise WeightsError(
                    f"{config.name} has {name} after {self.ORDER[reached]}; each step once and in "
                    f"the order {', '.join(self.ORDER)} is run here."
                )
            reached = place

    def _load(self, found: Mapping[str, Any]) -> None:
        usual = {"dtype": "float32", "ensure_channel_first": None, "affine_lps_to_ras": True}
        check_known(self._config, "LoadImaged", found, usual)
        if found.get("reader") not in (None, *_READERS):
            raise bad_argument(self._config, "LoadImaged", "reader", found["reader"])

    def _orientation(self, found: Mapping[str, Any]) -> None:
        check_known(self._config, "Orientationd", found, {"axcodes": None})
        code = found.get("axcodes")
        pairs = ["LR", "PA", "IS"]
        if not isinstance(code, str) or sorted(
            index for letter in code for index, pair in enumerate(pairs) if letter in pair
        ) != [0, 1, 2] or len(code) != 3:  # fmt: skip
            raise bad_argument(self._config, "Orientationd", "axcodes", code)
        self.orientation = code

    def _spacing(self, found: Mapping[str, Any]) -> None:
        usual: dict[str, Any] = {
            "diagonal": False,
            "padding_mode": "border",
            "scale_extent": False,
        }
        check_known(self._config, "Spacingd", found, {"pixdim": None, "mode": "bilinear", **usual})
        pixdim = found.get("pixdim")
        if is_number(pixdim):
            pixdim = [pixdim] * 3
        if not are_numbers(pixdim, 3) or min(pixdim) <= 0:
            raise bad_argument(self._config, "Spacingd", "pixdim", pixdim)
        self.spacing_mm = (float(pixdim[0]), float(pixdim[1]), float(pixdim[2]))

    def _range(self, found: Mapping[str, Any]) -> None:
        names = ("a_min", "a_max", "b_min", "b_max")
        check_known(self._config, "ScaleIntensityRanged", found, dict.fromkeys((*names, "clip")))
        numbers = [found.get(name) for name in names]
        if not are_numbers(numbers, 4) or type(found.get("clip", False)) is not bool:
            raise bad_argument(self._config, "ScaleIntensityRanged", "range", numbers)
        low, high, b_min, b_max = (float(n) for n in numbers)
        if not low < high or not b_min < b_max:
            raise bad_argument(self._config, "ScaleIntensityRanged", "range", numbers)
        self.intensity = range_rule(low, high, b_min, b_max, is_cut=found.get("clip", False))

    def _minmax(self, found: Mapping[str, Any]) -> None:
        usual: dict[str, Any] = {"minv": 0.0, "maxv": 1.0, "factor": None}
        check_known(self._config, "ScaleIntensityd", found, {**usual, "channel_wise": None})
        if found.get("factor", None) is not None:
            raise bad_argument(self._config, "ScaleIntensityd", "factor", found["factor"])
        self._check_wise("ScaleIntensityd", found)
        self.intensity = Intensity("minmax")

    def _zscore(self, found: Mapping[str, Any]) -> None:
        known = dict.fromkeys(("subtrahend", "divisor", "nonzero", "channel_wise"))
        check_known(self._config, "NormalizeIntensityd", found, known)
        for name in ("subtrahend", "divisor"):
            if found.get(name) is not None:
                raise bad_argument(self._config, "NormalizeIntensityd", name, found[name])
        if type(found.get("nonzero", False)) is not bool:
            raise bad_argument(self._config, "NormalizeIntensityd", "nonzero", found["nonzero"])
        self._check_wise("NormalizeIntensityd", found)
        self.intensity = Intensity("zscore-nonzero" if found.get("nonzero") else "zscore")

    def _check_wise(self, name: str, found: Mapping[str, Any]) -> None:
        value = found.get("channel_wise", False)
        if type(value) is not bool or (self._channels > 1 and not value):
            raise WeightsError(
                f"{self._config.name} has {name} over {self._channels} channels together "
                f"(channel_wise {str(value)[:40]}); only channel by channel is run here."
            )

    def _crop(self, found: Mapping[str, Any]) -> None:
        expected = {"source_key": None, "margin": 0, "k_divisible": 1, "allow_smaller": None}
        check_known(self._config, "CropForegroundd", found, expected)
        keys = found["keys"] if isinstance(found.get("keys"), list) else [found.get("keys")]
        if [found.get("source_key")] != keys:
            raise bad_argument(
                self._config, "CropForegroundd", "source_key", found.get("source_key")
            )
        self.crop_margin = 0


def range_rule(low: float, high: float, b_min: float, b_max: float, *, is_cut: bool) -> Intensity:
    """Return the rule that maps ``low`` to ``b_min`` and ``high`` to ``b_max``."""
    cut = (("high", high), ("low", low)) if is_cut else (("high", NO_CUT), ("low", -NO_CUT))
    if is_cut and (b_min, b_max) == (0.0, 1.0):
        return Intensity("clip", cut)
    std = (high - low) / (b_max - b_min)
    return Intensity("clip", tuple(sorted((*cut, ("mean", low - b_min * std), ("std", std)))))
