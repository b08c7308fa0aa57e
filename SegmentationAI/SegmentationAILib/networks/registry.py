"""The architectures that are built in, by the name that cards and commands give them.

The list is closed on purpose: a card can choose from it and give literals, nothing else. A new
architecture is one file in `architectures` and one line here.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from torch import nn

from ..core.errors import WeightsError

# File of `architectures`, and what makes the network there. It is imported when it is first asked
# for: MONAI alone takes five seconds.
ARCHITECTURES: Final[dict[str, str]] = {
    "attention-unet": "attention_unet:AttentionUNet",
    "click-unet": "click_unet:ClickUNet",
    "dints": "dints:DiNTS",
    "dynunet": "dynunet:DynUNet",
    "meshnet": "meshnet:MeshNet",
    "nnunet": "nnunet:NNUNet",
    "residual-encoder-unet": "residual_encoder_unet:ResidualEncoderUNet",
    "segformer-b0": "segformer:segformer_b0",
    "segformer-b1": "segformer:segformer_b1",
    "segformer-b2": "segformer:segformer_b2",
    "segformer-b3": "segformer:segformer_b3",
    "segformer-b4": "segformer:segformer_b4",
    "segresnet": "segresnet:SegResNet",
    "space-to-depth-unet": "space_to_depth_unet:SpaceToDepthUNet",
    "strided-autoencoder": "strided_autoencoder:StridedAutoencoder",
    "super-image": "super_image:SuperImage",
    "swin-unetr": "swin_unetr:SwinUNETR",
    "two-scale-unet": "two_scale_unet:TwoScaleUNet",
    "unet": "unet:UNet",
    "unet2d-liver": "liver_unet:LiverUNet",
    "unetpp": "unetpp:UNetPlusPlus",
    "vnet": "vnet:VNet",
}


def build(name: str, settings: Mapping[str, Any]) -> nn.Module:
    """Return a network with random weights, in training mode.

    What can be trained here fits `trainable.TrainableNetwork`.

    Args:
        name: Of the architecture, as in `ARCHITECTURES`.
        settings: Its parameters, literals; every architecture has ``in_channels`` and
            ``out_channels``.

    Raises:
        WeightsError: No such architecture, or parameters that it does not take.
    """
    if name not in ARCHITECTURES:
        raise WeightsError(
            f"The architecture {name} is not built in; there are: "
            f"{', '.join(sorted(ARCHITECTURES))}."
        )
    file, maker = ARCHITECTURES[name].split(":")
    module = importlib.import_module(f".architectures.{file}", __package__)
    make = cast(Callable[..., nn.Module], getattr(module, maker))
    try:
        return make(**settings)
    except (TypeError, ValueError, RuntimeError, OverflowError, LookupError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise WeightsError(f"{name} does not take these parameters: {reason}.") from error
