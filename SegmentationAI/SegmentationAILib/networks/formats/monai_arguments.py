"""The arguments of a bundle's steps: those that change labels, and those that do not.

Any argument that is neither is refused, for what it does is not reproduced.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeGuard

from ...core.errors import WeightsError
from .monai_config import Config

KEYS: Final = {"keys", "allow_missing_keys"}
# Arguments that change no label: where files go, what they are called, on which device.
BESIDE: Final = {
    "LoadImaged": {"image_only", "reader"},
    "EnsureChannelFirstd": set(),
    "EnsureTyped": {"device", "track_meta", "data_type"},
    "Orientationd": set(),
    "Spacingd": {"align_corners"},
    "ScaleIntensityRanged": set(),
    "ScaleIntensityd": set(),
    "NormalizeIntensityd": set(),
    "CropForegroundd": {"mode"},
    "Activationsd": set(),
    "Invertd": {"meta_keys", "meta_key_postfix", "orig_meta_keys", "to_tensor", "device"},
    "AsDiscreted": set(),
    "SaveImaged": {
        "meta_keys", "meta_key_postfix", "output_dir", "output_postfix", "output_ext", "resample",
        "output_dtype", "squeeze_end_dims", "data_root_dir", "separate_folder", "print_log",
    },
    "SlidingWindowInferer": {"sw_batch_size", "sw_device", "device", "progress",
                             "cache_roi_weight_map", "cpu_thresh"},
    "SimpleInferer": set(),
}  # fmt: skip


def transforms_of(config: Config, part: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the steps of ``preprocessing`` or ``postprocessing`` with their literal arguments.

    Raises:
        WeightsError: No list of steps that are known here, or steps for more than one entry.
    """
    name, arguments = config.step(config.root.get(part))
    listed = config.resolved(arguments.get("transforms"))
    if name != "Compose" or set(arguments) != {"transforms"} or not isinstance(listed, list):
        raise WeightsError(
            f"{config.name} has a {part} that is no Compose of a list of transforms."
        )
    found = []
    for one in listed:
        step, given = config.step(one)
        if step not in BESIDE:
            raise bad_step(config, part, step, sorted(BESIDE))
        if step == "Invertd":
            if config.resolved(given.get("transform")) != config.root.get("preprocessing"):
                raise bad_argument(config, step, "transform", given.get("transform"))
            given = {**given, "transform": "@preprocessing"}
        found.append((step, literals(config, step, given)))
    _check_one_entry(config, part, found)
    return found


def literals(config: Config, name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments with their references resolved, but for those that change no label."""
    beside = BESIDE.get(name, set()) | {"transform"}
    return {
        key: value if key in beside and isinstance(value, str) else config.literal(value)
        for key, value in given.items()
    }


def check_known(
    config: Config, name: str, found: Mapping[str, Any], known: Mapping[str, Any]
) -> None:
    """Refuse arguments that are not known, or that have one value here and another there."""
    for key, value in found.items():
        if key in KEYS or key in BESIDE.get(name, set()):
            continue
        if key not in known or (known[key] is not None and not _same(value, known[key])):
            raise bad_argument(config, name, key, value)


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number, and not true or false."""
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return is_one and math.isfinite(value)


def are_numbers(values: Any, count: int) -> TypeGuard[list[Any]]:
    """Return whether a value is a list of so many numbers."""
    return isinstance(values, list) and len(values) == count and all(map(is_number, values))


def bad_argument(config: Config, name: str, key: str, value: Any) -> WeightsError:
    """Return the refusal of an argument."""
    return WeightsError(
        f"{config.name}: {name} has {key} {str(value)[:80]!a}, which is not reproduced here."
    )


def bad_step(config: Config, part: str, name: str, known: Sequence[str]) -> WeightsError:
    """Return the refusal of a step."""
    return WeightsError(
        f"{config.name}: the {part} has {name[:80]!a}; reproduced are {', '.join(known)}."
    )


def _check_one_entry(
    config: Config, part: str, steps: Sequence[tuple[str, Mapping[str, Any]]]
) -> None:
    """Refuse steps for several entries: what is done to another one changes no label."""
    wanted = None
    for name, found in steps:
        keys = found.get("keys")
        keys = [keys] if isinstance(keys, str) else keys
        if not isinstance(keys, list) or len(keys) != 1 or keys != (wanted or keys):
            raise WeightsError(
                f"{config.name}: {name} in the {part} has keys {str(keys)[:80]!a}; all steps for "
                "the same one are run here."
            )
        wanted = keys


def _same(value: Any, known: Any) -> bool:
    one = value[0] if isinstance(value, list) and len(value) == 1 else value
    is_alike = type(one) is type(known) or (is_number(one) and is_number(known))
    return bool(is_alike and one == known)
