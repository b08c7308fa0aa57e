"""The network that nnU-Net's plans describe, as one of ours with literal parameters.

Plans name classes to be imported (``torch.nn.modules.conv.Conv3d``); here these are words that are
compared, never imported.
"""

from collections.abc import Mapping
from typing import Any, Final

from ...core.errors import WeightsError
from ..card import Architecture

UNETS: Final = {"PlainConvUNet": "nnunet", "ResidualEncoderUNet": "residual-encoder-unet"}
PACKAGE: Final = "dynamic_network_architectures.architectures."
# What the blocks of ours have; anything else would be another network with the same tensors.
EXPECTED: Final[dict[str, tuple[Any, ...]]] = {
    "conv_op": ("torch.nn.modules.conv.Conv3d",),
    "norm_op": ("torch.nn.modules.instancenorm.InstanceNorm3d",),
    "norm_op_kwargs": ({"eps": 1e-05, "affine": True},),
    "dropout_op": (None,),
    "nonlin": ("torch.nn.LeakyReLU", "torch.nn.modules.activation.LeakyReLU"),
    "nonlin_kwargs": ({"inplace": True}, {}, None),
    "nonlin_first": (False,),
    "stem_channels": (None,),
    "bottleneck_channels": (None,),
}
DEFAULTS: Final = {"nonlin_first": False, "stem_channels": None, "bottleneck_channels": None}
TAKEN: Final = {
    "n_stages", "features_per_stage", "kernel_sizes", "strides", "n_conv_per_stage",
    "n_blocks_per_stage", "n_conv_per_stage_decoder", "conv_bias", "dropout_op_kwargs",
}  # fmt: skip
MOST_LEVELS: Final = 16


def architecture_of(configuration: Mapping[str, Any]) -> Architecture:
    """Return our architecture with the parameters of a configuration, without its channels.

    Raises:
        WeightsError: Another class or block than ours; the message names it.
        KeyError, TypeError, ValueError: Not what nnU-Net writes.
    """
    if "architecture" in configuration:
        name = str(configuration["architecture"]["network_class_name"])
        arguments = dict(configuration["architecture"]["arch_kwargs"])
    else:
        name, arguments = _before_2_5(configuration)
    unet = name.rsplit(".", 1)[-1]
    if unet not in UNETS or not name.startswith(PACKAGE):
        raise WeightsError(
            f"The plans name the network {name[:120]!a}; known are {' and '.join(UNETS)}."
        )
    _check_blocks(arguments)
    on_the_way_down = "n_conv_per_stage" if unet == "PlainConvUNet" else "n_blocks_per_stage"
    levels = int(arguments["n_stages"])
    if not 2 <= levels <= MOST_LEVELS:
        raise ValueError(f"{levels} levels")
    parameters: dict[str, Any] = {
        "features": _counts(arguments["features_per_stage"], levels),
        "kernel_sizes": _triples(arguments["kernel_sizes"], levels),
        "strides": _triples(arguments["strides"], levels),
        "encoder_convs" if unet == "PlainConvUNet" else "encoder_blocks": _counts(
            arguments[on_the_way_down], levels
        ),
        "decoder_convs": _counts(arguments["n_conv_per_stage_decoder"], levels - 1),
        "bias": bool(arguments.get("conv_bias", False)),
    }
    return Architecture(UNETS[unet], tuple(sorted(parameters.items())))


def _before_2_5(found: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return class and arguments from plans that were written before they named both."""
    unet = str(found["UNet_class_name"])
    levels = len(found["n_conv_per_stage_encoder"])
    first, most = int(found["UNet_base_num_features"]), int(found["unet_max_num_features"])
    per_stage = "n_conv_per_stage" if unet == "PlainConvUNet" else "n_blocks_per_stage"
    return f"{PACKAGE}unet.{unet}", {
        "n_stages": levels,
        "features_per_stage": [min(first * 2**level, most) for level in range(levels)],
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": found["conv_kernel_sizes"],
        "strides": found["pool_op_kernel_sizes"],
        per_stage: found["n_conv_per_stage_encoder"],
        "n_conv_per_stage_decoder": found["n_conv_per_stage_decoder"],
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }


def _check_blocks(arguments: Mapping[str, Any]) -> None:
    unknown = sorted(set(arguments) - set(EXPECTED) - TAKEN)
    if unknown:
        raise WeightsError(
            f"The plans give their network {unknown[0][:80]!a}, which is not known here."
        )
    for name, known in EXPECTED.items():
        value = arguments[name] if name in arguments else DEFAULTS.get(name)
        if value not in known:
            raise WeightsError(
                f"The plans build their network with {name} {str(value)[:80]!a}; known is "
                f"{' or '.join(str(one) for one in known)}."
            )


def _counts(found: Any, count: int) -> tuple[int, ...]:
    numbers = [found] * count if isinstance(found, int) else list(found)
    if len(numbers) != count or any(type(n) is not int or n < 1 for n in numbers):
        raise ValueError(f"{str(found)[:80]} is not a count for each of {count} levels")
    return tuple(numbers)


def _triples(found: Any, count: int) -> tuple[tuple[int, ...], ...]:
    listed = [found] * count if isinstance(found, int) else list(found)
    return tuple(_counts(one, 3) for one in listed)
