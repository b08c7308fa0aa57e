"""How the samplers of VAAL and M-VAAL are built and trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Norm = Literal["layer", "batch"]


@dataclass(frozen=True)
class LatentOptions:
    """Sizes, weights of the losses and length of the training.

    Attributes:
        size: Slices are brought to ``size`` x ``size`` pixels, a multiple of 2 to the power of the
            number of widths.
        widths: Channels of the encoder's convolutions, each of stride 2.
        hidden: Widths of the discriminator's hidden layers.
        latent: Numbers per slice.
        norm: Of the discriminator. ``batch`` is the paper's, with which the gradient penalty of one
            sample depends on the others; ``layer`` has no such trouble.
        steps: Each is two updates of the autoencoder and one of the discriminator.
        settling: Updates of the discriminator alone at the end, on an encoder that stands still.
            Without them the encoder's last word counts, which is to make the two pools alike: on
            toy pools with 4 novel cases of 16, 1 of 24 picks was novel, and with them 21 of 24.
        batch: Slices of each pool per update.
        rate: Of Adam, for both.
        adversarial: Weight g1 of the adversarial loss, 1 in the paper; on the same toy pools 0.1
            picked 24 of 24 and 1 picked 21.
        main: Weight g2 of the reconstruction of the main modality.
        auxiliary: Weight g3 of that of the auxiliary modality, the paper's M: 0.2 was its best for
            segmentation.
        beta: Weight of the Kullback-Leibler divergence.
        penalty: Weight lambda of the gradient penalty.
        slices: Per case, evenly spaced along its last axis.
        lowest: A case's score is the mean of that many of its lowest slice scores.
        seed: Of everything random.
    """

    size: int = 48
    widths: tuple[int, ...] = (16, 32, 64, 128)
    hidden: tuple[int, ...] = (128, 256, 512, 256, 128)
    latent: int = 32
    norm: Norm = "layer"
    steps: int = 300
    settling: int = 100
    batch: int = 16
    rate: float = 5e-4
    adversarial: float = 0.1
    main: float = 1.0
    auxiliary: float = 0.2
    beta: float = 1.0
    penalty: float = 1.0
    slices: int = 8
    lowest: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.size % 2 ** len(self.widths) or self.size < 2 ** len(self.widths):
            raise ValueError(
                f"{self.size} pixels cannot be halved {len(self.widths)} times without a rest"
            )
        least = min(self.latent, self.steps, self.slices, self.lowest, *self.widths, *self.hidden)
        if least < 1 or self.settling < 0 or self.batch < 2 or not self.rate > 0:
            raise ValueError("sizes, steps and rate have to be positive, the batch at least 2")


# The sizes of the published sampler; the number of steps depends on the pool: 100 epochs.
PAPER: Final = LatentOptions(
    size=128,
    widths=(64, 128, 256, 512, 1024),
    latent=64,
    norm="batch",
    batch=16,
    rate=1e-4,
    adversarial=1.0,
    settling=0,
)
