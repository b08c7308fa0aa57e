"""Every architecture that can be trained, so narrow that a test can train it."""

from typing import Any

# Two labels and background, one channel.
SMALL: dict[str, dict[str, Any]] = {
    "attention-unet": {"channels": (8, 16, 32), "strides": (2, 2)},
    "dints": {"num_blocks": 5, "num_depths": 3, "channel_mul": 0.25},
    "dynunet": {"kernel_size": (3, 3, 3), "strides": (1, 2, 2), "filters": (8, 16, 32)},
    "segformer-b0": {"drop_path": 0.0, "dropout": 0.0},
    "segformer-b1": {"drop_path": 0.0, "dropout": 0.0},
    "segformer-b2": {"drop_path": 0.0, "dropout": 0.0},
    "segformer-b3": {"drop_path": 0.0, "dropout": 0.0},
    "segformer-b4": {"drop_path": 0.0, "dropout": 0.0},
    "segresnet": {"init_filters": 8, "blocks_down": (1, 1, 1), "dsdepth": 2},
    "super-image": {"body": "unet2d-liver", "widths": (8, 16, 32), "dropout": 0.0},
    "swin-unetr": {"feature_size": 12, "window_size": 4},
    "unet": {"channels": (8, 16, 32), "strides": (2, 2)},
    "unet2d-liver": {"widths": (8, 16, 32), "dropout": 0.0},
    "unetpp": {"features": (8, 8, 16, 16, 32, 8)},
    "vnet": {},
}
for _size in range(5):
    # The encoder's proportions are kept: one head of eight channels is the narrowest.
    SMALL[f"segformer-b{_size}"] |= {"widths": (16, 32, 40, 64), "decoder_width": 64}

CHANNELS = {"in_channels": 1, "out_channels": 3}
