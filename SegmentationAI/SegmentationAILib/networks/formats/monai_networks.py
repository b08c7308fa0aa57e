"""Network classes of MONAI, by the name that a configuration gives them, and ours for each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ...core.errors import WeightsError
from ..card import Architecture, Parameter


@dataclass(frozen=True)
class _Class:
    """One class of MONAI.

    Attributes:
        architecture: Ours, whose tensors have the same names.
        taken: Arguments that are handed on under the same name, with MONAI's defaults; the number
            of channels always is.
        fixed: Arguments that may be there with these values alone.
        ignored: Arguments that only training knows.
    """

    architecture: str
    taken: Mapping[str, Any]
    fixed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()


_AFFINE: Final = {"affine": True}
CLASSES: Final = {
    "UNet": _Class(
        "unet",
        {
            "spatial_dims": None, "channels": None, "strides": None, "kernel_size": 3,
            "up_kernel_size": 3, "num_res_units": 0, "act": "prelu", "norm": "instance",
            "dropout": 0.0,
        },
        {"bias": (True,), "adn_ordering": ("NDA",)},
    ),
    "AttentionUnet": _Class(
        "attention-unet",
        {"spatial_dims": None, "channels": None, "strides": None, "dropout": 0.0},
        {"kernel_size": (3,), "up_kernel_size": (3,)},
    ),
    "DynUNet": _Class(
        "dynunet",
        {
            "spatial_dims": None, "kernel_size": None, "strides": None, "filters": None,
            "deep_supervision": False, "res_block": False, "norm_name": "instance",
            "dropout": None,
        },
        {
            "trans_bias": (False,),
            "act_name": (["leakyrelu", {"inplace": True, "negative_slope": 0.01}],),
        },
        frozenset({"deep_supr_num", "upsample_kernel_size"}),
    ),
    "SegResNetDS": _Class(
        "segresnet",
        {
            "spatial_dims": 3, "init_filters": 32, "blocks_down": [1, 2, 2, 4], "norm": "batch",
            "dsdepth": 1, "resolution": None,
        },
        {
            "act": ("relu",), "upsample_mode": ("deconv",), "blocks_up": (None,),
            "preprocess": (None,),
        },
    ),
    "SwinUNETR": _Class(
        "swin-unetr",
        {
            "spatial_dims": 3, "feature_size": 24, "depths": [2, 2, 2, 2],
            "num_heads": [3, 6, 12, 24], "window_size": 7, "use_v2": False,
        },
        {
            "patch_size": (2,), "qkv_bias": (True,), "mlp_ratio": (4.0,),
            "norm_name": ("instance",), "normalize": (True,), "patch_norm": (False,),
            "downsample": ("merging",),
        },
        frozenset(
            {"img_size", "use_checkpoint", "drop_rate", "attn_drop_rate", "dropout_path_rate"}
        ),
    ),
    "VNet": _Class(
        "vnet",
        {"spatial_dims": 3, "act": "elu"},
        {"bias": (False,)},
        frozenset({"dropout_prob", "dropout_prob_down", "dropout_prob_up", "dropout_dim"}),
    ),
}  # fmt: skip


def architecture_of(name: str, arguments: Mapping[str, Any], source: str) -> Architecture:
    """Return our architecture for a class of MONAI and its literal arguments.

    Args:
        name: Of the class, without its module.
        arguments: Literals.
        source: Name of the file, for messages.

    Raises:
        WeightsError: A class or an argument that is not known here; the message names it.
    """
    known = CLASSES.get(name)
    if known is None:
        raise WeightsError(
            f"{source} names the network {name[:80]!a}; known are {', '.join(sorted(CLASSES))}."
        )
    channels = ("in_channels", "out_channels")
    given = {key: _simplified(name, key, value) for key, value in arguments.items()}
    for key, value in given.items():
        if key in known.fixed and value not in known.fixed[key]:
            raise WeightsError(
                f"{source}: {name} has {key} {str(value)[:80]}; only "
                f"{' or '.join(map(str, known.fixed[key]))} is run here."
            )
        if key not in {*channels, *known.taken, *known.fixed, *known.ignored}:
            raise WeightsError(f"{source}: {name} has the argument {key[:80]!a}, not known here.")
    _check_dynunet(name, arguments, source)
    values = {**known.taken, **{k: v for k, v in given.items() if k in {*channels, *known.taken}}}
    missing = [key for key in (*channels, "spatial_dims") if type(values.get(key)) is not int]
    if missing:
        raise WeightsError(f"{source}: {name} has no whole number for {', '.join(missing)}.")
    if values["spatial_dims"] != 3:
        raise WeightsError(
            f"{source}: {name} is a network of {values['spatial_dims']} dimensions; bundles are "
            "run in 3."
        )
    parameters = {k: _parameter(v, f"{source}: {k}") for k, v in values.items() if v is not None}
    return Architecture(known.architecture, tuple(sorted(parameters.items())))


def _simplified(name: str, key: str, value: Any) -> Any:
    """Return layers without the settings that say what is the case anyway, names in lower case."""
    if key in ("act", "norm", "norm_name") and not isinstance(value, str):
        kind, settings = value if isinstance(value, list) and len(value) == 2 else (value, None)
        # Our DynUNet's layers always have weights of their own; elsewhere MONAI's default is meant.
        usual: list[dict[str, Any]] = [{}, {"inplace": True}] if key == "act" else [{}]
        if name == "DynUNet" or str(kind).lower() == "batch":
            usual = [_AFFINE]
        if isinstance(value, list) and len(value) == 1:
            kind, settings = value[0], {}
        if isinstance(kind, str) and settings in usual:
            return _layer(kind)
        return value
    return _layer(value) if key in ("act", "norm", "norm_name") else value


def _layer(name: str) -> str:
    # NVFuser's instance normalization is the same layer, computed by one kernel on a GPU.
    return name.lower().removesuffix("_nvfuser")


def _check_dynunet(name: str, given: Mapping[str, Any], source: str) -> None:
    if name != "DynUNet":
        return
    if given.get("upsample_kernel_size") != list(given.get("strides") or ())[1:]:
        raise WeightsError(
            f"{source}: DynUNet has upsample_kernel_size "
            f"{str(given.get('upsample_kernel_size'))[:80]}; only the strides after the first are "
            "run here."
        )
    if isinstance(given.get("norm_name"), str) and _layer(given["norm_name"]) == "instance":
        raise WeightsError(
            f"{source}: DynUNet has norm_name instance without weights of its own; instance with "
            "affine is run here."
        )


def _parameter(value: Any, source: str) -> Parameter:
    if isinstance(value, list):
        return tuple(_parameter(one, source) for one in value)
    if isinstance(value, bool | int | float | str):
        return value
    raise WeightsError(f"{source} is {str(value)[:80]}; numbers, texts and lists are read.")
