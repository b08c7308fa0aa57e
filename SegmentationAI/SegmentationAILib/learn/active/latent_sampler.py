"""Training of the samplers of VAAL and M-VAAL, and the score of a slice."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ...core.progress import IGNORE, Progress
from .latent_losses import deceiving, discerning, divergence, gradient_penalty
from .latent_networks import Decoder, Discriminator, Encoder
from .latent_options import LatentOptions
from .latent_slices import Slices

# Two updates of the autoencoder for each of the discriminator.
UPDATES = 2


@dataclass(frozen=True, eq=False)
class LatentSampler:
    """A trained encoder and discriminator; they see the main modality alone."""

    encoder: Encoder
    discriminator: Discriminator

    @torch.inference_mode()
    def scores(self, main: Tensor) -> Tensor:
        """Return the score ``(N,)`` of slices ``(N, C, size, size)``: low is unlike the labeled."""
        self.encoder.eval()
        self.discriminator.eval()
        parts = [self.discriminator(self.encoder(part)[0]) for part in torch.split(main, 256)]
        return torch.cat(parts)


def trained_sampler(
    labeled: Slices, unlabeled: Slices, options: LatentOptions, progress: Progress = IGNORE
) -> LatentSampler:
    """Return a sampler that tells slices of the two pools apart.

    The same arguments give the same sampler on one machine; the caller's random numbers are left
    alone.

    Args:
        labeled: Of cases with labels, which themselves are not seen.
        unlabeled: Of the others; with an auxiliary modality when the labeled have one.
        options: Sizes and losses.
        progress: Told per step.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        training = _Training(labeled, unlabeled, options)
        for step in range(options.steps):
            progress(step / options.steps, "Training the sampler")
            for _ in range(UPDATES):
                training.update_autoencoder()
            training.update_discriminator()
        for _ in range(options.settling):
            training.update_discriminator()
    return LatentSampler(training.encoder, training.discriminator)


class _Training:
    """The networks in training, their optimizers and the two pools."""

    def __init__(self, labeled: Slices, unlabeled: Slices, options: LatentOptions) -> None:
        self._labeled, self._unlabeled, self._options = labeled, unlabeled, options
        self.encoder = Encoder(labeled.main.shape[1], options)
        self.discriminator = Discriminator(options)
        self._main = Decoder(labeled.main.shape[1], options)
        self._auxiliary = None if labeled.auxiliary is None else Decoder(1, options)
        parts = nn.ModuleList([self.encoder, self._main])
        if self._auxiliary is not None:
            parts.append(self._auxiliary)
        self._of_autoencoder = torch.optim.Adam(parts.parameters(), lr=options.rate)
        self._of_discriminator = torch.optim.Adam(self.discriminator.parameters(), lr=options.rate)

    def update_autoencoder(self) -> None:
        """Take one step of encoder and decoders."""
        options = self._options
        main, auxiliary, count = self._drawn()
        mean, log_variance = self.encoder(main)
        codes = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        scores = self.discriminator(mean)
        loss = options.adversarial * deceiving(scores[:count], scores[count:])
        loss = loss + options.main * self._of_both(self._main(codes), main, count)
        if self._auxiliary is not None and auxiliary is not None:
            second = self._of_both(self._auxiliary(codes), auxiliary, count)
            loss = loss + options.auxiliary * second
        # The reconstruction is a mean over pixels, and so is the divergence, over as many.
        pixels = main[0].numel()
        loss = loss + options.beta * divergence(mean, log_variance) / pixels
        self._of_autoencoder.zero_grad()
        torch.autograd.backward(loss)
        self._of_autoencoder.step()

    def update_discriminator(self) -> None:
        """Take one step of the discriminator, which sees the means and not the samples."""
        main, _, count = self._drawn()
        with torch.no_grad():
            mean, _ = self.encoder(main)
        scores = self.discriminator(mean)
        shares = torch.rand(count)
        loss = discerning(scores[:count], scores[count:])
        loss = loss + self._options.penalty * gradient_penalty(
            self.discriminator, mean[:count], mean[count:], shares
        )
        self._of_discriminator.zero_grad()
        torch.autograd.backward(loss)
        self._of_discriminator.step()

    def _drawn(self) -> tuple[Tensor, Tensor | None, int]:
        """Return slices of both pools in one batch, the labeled first, and how many those are.

        One batch, because batch norms that saw the pools apart would make them alike.
        """
        count = self._options.batch
        first = torch.randint(len(self._labeled.main), (count,))
        second = torch.randint(len(self._unlabeled.main), (count,))
        main = torch.cat([self._labeled.main[first], self._unlabeled.main[second]])
        if self._labeled.auxiliary is None or self._unlabeled.auxiliary is None:
            return main, None, count
        both = [self._labeled.auxiliary[first], self._unlabeled.auxiliary[second]]
        return main, torch.cat(both), count

    @staticmethod
    def _of_both(found: Tensor, wanted: Tensor, count: int) -> Tensor:
        """Return the mean squared error of the labeled plus that of the unlabeled."""
        return mse_loss(found[:count], wanted[:count]) + mse_loss(found[count:], wanted[count:])
