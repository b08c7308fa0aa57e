"""What sets a run of MONAI's transforms and inferers apart from our own."""

from dataclasses import dataclass
from typing import Literal, get_args

Squash = Literal["none", "sigmoid", "tanh", "pet"]
Blending = Literal["constant", "gaussian"]
Restored = Literal["logits", "probabilities", "labels"]


@dataclass(frozen=True)
class MonaiRules:
    """The order of MONAI's steps and their habits, where they change the labels.

    Attributes:
        normalizes_first: Whether intensities are normalized before the volume is turned, cropped
            and resampled in this order (Auto3DSeg); else it is turned, resampled, normalized and
            cropped.
        squash: What follows the normalization: ``sigmoid``, ``tanh`` (``3 tanh(v / 3)``), ``pet``
            (``sigmoid((v - lowest) / deviation)``).
        crop_margin: Voxels around what is above 0 that are kept; None does not crop.
        spacing_tolerance: Fraction of the wanted spacing within which a volume keeps its own.
        blending: What windows count where they overlap; the Gaussian has MONAI's floor of 1e-3.
        restored: What is interpolated on the way back; ``labels`` takes the nearest.

    Raises:
        ValueError: A choice or number that there is not.
    """

    normalizes_first: bool = False
    squash: Squash = "none"
    crop_margin: int | None = None
    spacing_tolerance: float = 0.0
    blending: Blending = "constant"
    restored: Restored = "probabilities"

    def __post_init__(self) -> None:
        chosen = (self.squash, Squash), (self.blending, Blending), (self.restored, Restored)
        for found, known in chosen:
            if found not in get_args(known):
                raise ValueError(f"{found!r} is not one of {', '.join(get_args(known))}")
        if not 0.0 <= self.spacing_tolerance < 1.0 or (self.crop_margin or 0) < 0:
            raise ValueError(f"tolerance {self.spacing_tolerance}, margin {self.crop_margin}")
