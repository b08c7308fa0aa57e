"""Small cases and plans for the trainer: bright boxes on dark ground, learned in seconds."""

from __future__ import annotations

import numpy as np

from SegmentationAILib.core.labelmap import Label
from SegmentationAILib.learn.plan import TrainingPlan
from SegmentationAILib.learn.training_case import PreparedCase
from SegmentationAILib.networks.card import Architecture, Channel, Intensity

LABELS = (Label(1, "Bright", (0.9, 0.5, 0.1)), Label(4, "Brighter", (0.2, 0.6, 0.9)))
# nnU-Net's own network: it needs no MONAI, whose import takes longer than these trainings.
SMALL_NET = Architecture(
    "nnunet",
    (
        ("decoder_convs", (1, 1)),
        ("encoder_convs", (1, 1, 1)),
        ("features", (8, 8, 16)),
        ("in_channels", 1),
        ("kernel_sizes", ((3, 3, 3), (3, 3, 3), (3, 3, 3))),
        ("out_channels", 3),
        ("strides", ((1, 1, 1), (2, 2, 2), (2, 2, 2))),
    ),
)


def a_case(seed: int = 0, shape: tuple[int, int, int] = (18, 14, 12), noise: float = 0.2):
    """A box of 1 and within it a box of 2, at a random place, as intensities with noise."""
    rng = np.random.default_rng(seed)
    channels = np.zeros(shape, np.uint8)
    start = [int(rng.integers(1, side - 8)) for side in shape]
    outer = tuple(slice(first, first + 7) for first in start)
    inner = tuple(slice(first + 2, first + 5) for first in start)
    channels[outer] = 1
    channels[inner] = 2
    array = channels + noise * rng.standard_normal(shape)
    return PreparedCase(
        f"case-{seed}", (array - 0.5).astype(np.float32)[None], channels, padding=(-0.5,)
    )


def a_plan(**changes) -> TrainingPlan:
    """Eight patches a step, four steps an epoch."""
    settings = {
        "architecture": SMALL_NET,
        "labels": LABELS,
        "channels": (Channel("volume", "Volume"),),
        "modality": "MR",
        "orientation": "RAS",
        "spacing_mm": (1.0, 1.2, 1.5),
        "intensity": Intensity("none"),
        "patch_size": (16, 12, 12),
        "batch_size": 2,
        "epochs": 3,
        "steps_per_epoch": 4,
        "learning_rate": 1e-2,
        **changes,
    }
    return TrainingPlan(**settings)
