"""The steps in which a network is adapted: plain gradient descent on one crop, nothing random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ..core.entropy import Output
from ..core.progress import Progress
from .adapt_crop import AdaptCrop
from .adapt_lesson import NOT_TAUGHT, Lesson

# More than this many channels make a network of several structures.
_TWO: Final = 2


@dataclass(frozen=True)
class AdaptSettings:
    """Numbers of the adaptation; tuned on three patients whose scores are not reported.

    Attributes:
        steps: Gradient steps, at most.
        learning_rate: Of Adam (Kingma and Ba, ICLR 2015, arXiv:1412.6980).
        emphasis: Weight of what a person said beside what the network is sure of.
    """

    steps: int = 8
    learning_rate: float = 1e-4
    emphasis: float = 1.0


@dataclass(frozen=True, eq=False)
class TaughtPatch:
    """One patch ``(1, C, x, y, z)`` with its lesson ``(x, y, z)``, on the network's device."""

    patch: Tensor
    segment: Tensor
    trust: Tensor
    said: Tensor
    others: Tensor


@dataclass(frozen=True)
class Taught:
    """What the loss is put on.

    Attributes:
        channel: Of the segment among the logits.
        output: Whether one label wins (softmax) or each stands alone (sigmoid).
    """

    channel: int
    output: Output


def train(
    module: nn.Module,
    patches: Sequence[TaughtPatch],
    what: Taught,
    settings: AdaptSettings,
    progress: Progress,
) -> list[float]:
    """Adapt a network in place and return the loss of each step.

    Args:
        module: In evaluation mode, so that its statistics stay as they were and nothing is random;
            all its weights are trained.
        patches: Taken in turn.
        what: Is taught.
        settings: Steps and their size.
        progress: Told before each step; to cancel, that call raises.
    """
    module.requires_grad_(True)
    optimizer = torch.optim.Adam(module.parameters(), lr=settings.learning_rate)
    losses = []
    # Convolutions of a GPU choose among sums of different order unless they are told not to.
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        for step in range(settings.steps):
            progress(step / settings.steps, f"Adapting, step {step + 1} of {settings.steps}")
            taught = patches[step % len(patches)]
            optimizer.zero_grad(set_to_none=True)
            with fast(taught.patch.device.type):
                logits = module(taught.patch)
            loss = loss_of(logits[0].float(), taught, what, settings.emphasis)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(float(loss.detach()))
    module.requires_grad_(False)
    return losses


def fast(kind: str) -> torch.autocast:
    """Return the context in which a network is run: bf16 where matrix units compute in it.

    Measured with a DynUNet on two busy cores with AMX: a step takes an eighth of the time.
    """
    if kind == "cuda":
        is_fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        is_fast = kind == "cpu" and torch.cpu._is_amx_tile_supported()
    return torch.autocast(kind, torch.bfloat16, enabled=is_fast)


def loss_of(logits: Tensor, taught: TaughtPatch, what: Taught, emphasis: float) -> Tensor:
    """Return the loss: of the segment against all else, and of the other structures.

    Args:
        logits: ``(K, x, y, z)``.
        taught: The lesson of the patch.
        what: Is taught.
        emphasis: See `AdaptSettings`.
    """
    own = logits[what.channel]
    is_softmax = what.output == "softmax"
    if is_softmax:
        rest = torch.cat([logits[: what.channel], logits[what.channel + 1 :]])
        own = own - torch.logsumexp(rest, dim=0)
    # Cross-entropy of the segment's probability, in a form that never overflows.
    wrong = functional.softplus(torch.where(taught.segment, -own, own))
    loss = _balanced(wrong, taught.trust, taught.segment)
    loss = loss + emphasis * _balanced(wrong, taught.said, taught.segment)
    count = (taught.others != NOT_TAUGHT).sum()
    if is_softmax and len(logits) > _TWO and bool(count):
        entropy = functional.cross_entropy(
            logits[None], taught.others[None], ignore_index=NOT_TAUGHT, reduction="sum"
        )
        loss = loss + entropy / count
    return loss


def taught_patches(crop: AdaptCrop, lesson: Lesson, device: str) -> list[TaughtPatch]:
    """Return the windows of a crop: those near most prompts first, then with most of the segment.

    Args:
        crop: Where.
        lesson: What is taught there.
        device: Of the tensors, as torch calls it.
    """
    windows = crop.windows
    found: list[tuple[float, int, int, TaughtPatch]] = []
    for i, j, k in np.ndindex(*(len(starts) for starts in windows.starts)):
        start = windows.start((i, j, k))
        inside, within = windows.inside(start).slices, windows.within(start)
        patch = np.empty((len(crop.array), *windows.patch_shape), np.float32)
        patch[:] = np.asarray(crop.padding, np.float32).reshape(-1, 1, 1, 1)
        patch[(slice(None), *within)] = crop.array[(slice(None), *inside)]
        tensors = []
        for values, empty in (
            (lesson.segment, False), (lesson.trust, 0), (lesson.said, 0),
            (lesson.others, NOT_TAUGHT),
        ):  # fmt: skip
            whole: NDArray[Any] = np.full(windows.patch_shape, empty, values.dtype)
            whole[within] = values[inside]
            tensors.append(torch.from_numpy(whole).to(device))
        segment, trust, said, others = tensors
        taught = TaughtPatch(torch.from_numpy(patch[None]).to(device), segment, trust, said, others)
        found.append((-float(said.sum()), -int(segment.sum()), len(found), taught))
    return [taught for *_, taught in sorted(found, key=lambda row: row[:3])]


def _balanced(wrong: Tensor, weight: Tensor, segment: Tensor) -> Tensor:
    """The mean of the weighted means inside and outside of the segment, of those there are."""
    means = []
    for side in (segment, ~segment):
        weights = weight * side
        total = weights.sum()
        if bool(total > 0):
            means.append((weights * wrong).sum() / total)
    return torch.stack(means).mean() if means else wrong.sum() * 0
