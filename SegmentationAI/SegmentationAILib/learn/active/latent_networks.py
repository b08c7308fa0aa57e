"""The three parts of the samplers of VAAL and M-VAAL: encoder, decoders, discriminator.

Sizes after the released sampler of M-VAAL (see `m_vaal`), scaled by `LatentOptions`.
"""

from __future__ import annotations

from torch import Tensor, nn

from .latent_options import LatentOptions, Norm


class Encoder(nn.Module):
    """Slices of the main modality ``(B, C, size, size)`` to mean and log variance ``(B, latent)``.

    Args:
        in_channels: Of the main modality.
        options: Sizes.
    """

    def __init__(self, in_channels: int, options: LatentOptions) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((in_channels, *options.widths), options.widths, strict=False):
            layers += [
                nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        deepest = options.widths[-1] * (options.size >> len(options.widths)) ** 2
        self.mean = nn.Linear(deepest, options.latent)
        self.log_variance = nn.Linear(deepest, options.latent)

    def forward(self, slices: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the latent code."""
        deep = self.convolutions(slices)
        # e to the power of 10 is far from any variance of a code, and far from overflow.
        return self.mean(deep), self.log_variance(deep).clamp(-10.0, 10.0)


class Decoder(nn.Module):
    """Latent codes ``(B, latent)`` to slices ``(B, C, size, size)``, no output activation.

    Args:
        out_channels: Of the modality that it reconstructs.
        options: Sizes.
    """

    def __init__(self, out_channels: int, options: LatentOptions) -> None:
        super().__init__()
        side = options.size >> len(options.widths)
        widths = options.widths[::-1]
        self.begin = nn.Sequential(
            nn.Linear(options.latent, widths[0] * side**2), nn.Unflatten(1, (widths[0], side, side))
        )
        layers: list[nn.Module] = []
        for before, after in zip(widths, (*widths[1:], max(widths[-1] // 2, 1)), strict=True):
            layers += [
                nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.convolutions = nn.Sequential(
            *layers, nn.Conv2d(max(widths[-1] // 2, 1), out_channels, 1)
        )

    def forward(self, codes: Tensor) -> Tensor:
        """Return the reconstruction."""
        answer: Tensor = self.convolutions(self.begin(codes))
        return answer


class Discriminator(nn.Module):
    """Latent codes ``(B, latent)`` to one number each: high for labeled, low for unlabeled.

    No sigmoid at the end: the loss is Wasserstein's.

    Args:
        options: Sizes.
    """

    def __init__(self, options: LatentOptions) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((options.latent, *options.hidden), options.hidden, strict=False):
            layers += [nn.Linear(before, after), _norm(options.norm, after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(options.hidden[-1], 1))

    def forward(self, codes: Tensor) -> Tensor:
        """Return scores ``(B,)``."""
        answer: Tensor = self.layers(codes)[:, 0]
        return answer


def _norm(kind: Norm, width: int) -> nn.Module:
    return nn.LayerNorm(width) if kind == "layer" else nn.BatchNorm1d(width)
