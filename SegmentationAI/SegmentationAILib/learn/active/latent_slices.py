"""Slices of cases as the samplers of VAAL and M-VAAL take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...core.errors import SegmentationAIError
from .latent_options import LatentOptions
from .pool import Candidate, Floats

PERCENTILES = (1.0, 99.0)


@dataclass(frozen=True, eq=False)
class Slices:
    """Slices of one pool.

    Attributes:
        main: ``(N, C, size, size)`` float32.
        auxiliary: ``(N, 1, size, size)`` float32; None where it is not used.
        cases: ``(N,)``, which case of the pool each slice is of.
    """

    main: Tensor
    auxiliary: Tensor | None
    cases: Tensor


def slices_of(
    cases: Sequence[Candidate], options: LatentOptions, *, with_auxiliary: bool
) -> Slices:
    """Return evenly spaced slices along the last axis, each channel scaled per case.

    The lowest and highest 1 % of a case's intensities are cut, the rest is brought to 0 to 1, as
    the paper does, except that it divides by the highest alone.

    Raises:
        SegmentationAIError: An auxiliary modality is needed, and a case has none.
    """
    main, auxiliary, numbers = [], [], []
    for number, case in enumerate(cases):
        if with_auxiliary and case.auxiliary is None:
            raise SegmentationAIError(
                f"{case.id} has no auxiliary modality, which m-vaal needs for every case; give "
                "one, such as a second contrast or a weak mask, or choose vaal."
            )
        places = _places(case.array.shape[3], options.slices)
        main.append(_resized(_scaled(case.array)[..., places], options.size))
        if with_auxiliary and case.auxiliary is not None:
            second = _scaled(case.auxiliary[None])[..., places]
            auxiliary.append(_resized(second, options.size))
        numbers += [number] * len(places)
    if len({one.shape[1] for one in main}) != 1:
        raise SegmentationAIError("The cases of the pool differ in their number of channels.")
    return Slices(
        torch.cat(main), torch.cat(auxiliary) if auxiliary else None, torch.tensor(numbers)
    )


def _places(count: int, wanted: int) -> list[int]:
    """Return evenly spaced slice numbers, away from both ends, none twice."""
    middle = (np.arange(wanted) + 0.5) / wanted * count - 0.5
    return sorted({int(n) for n in np.clip(np.round(middle), 0, count - 1)})


def _scaled(array: Floats) -> Floats:
    """Return each channel with its percentiles at 0 and 1; a constant one becomes 0."""
    lows, highs = np.percentile(array, PERCENTILES, axis=(1, 2, 3), keepdims=True)
    width = np.where(highs > lows, highs - lows, 1.0)
    return np.asarray(np.clip((array - lows) / width, 0.0, 1.0), np.float32)


def _resized(planes: Floats, size: int) -> Tensor:
    """Return planes ``(C, I, J, N)`` as ``(N, C, size, size)``."""
    tensor = torch.from_numpy(np.ascontiguousarray(planes.transpose(3, 0, 1, 2)))
    return interpolate(tensor, (size, size), mode="bilinear", antialias=True)
