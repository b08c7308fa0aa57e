"""Rules that turn raw intensities into what a network was trained on.

Every rule is one line ``(v - subtract) * multiply``, with a cut to the range it was given, computed
from the histogram of what counts (see `histogram`): the same with and without padding or spikes.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .histogram import LARGEST_NUMBER, Histogram

Rule = Literal[
    "none",
    "minmax",
    "percentile",
    "quantile-nonzero",
    "zscore",
    "zscore-nonzero",
    "zscore-mask",
    "clip",
]
RULES: tuple[Rule, ...] = get_args(Rule)
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class IntensityRule:
    """How intensities are normalized.

    Attributes:
        rule: ``none``: as they are. ``minmax``: lowest to highest becomes 0 to 1. ``percentile``:
            the percentiles ``low`` to ``high`` become 0 to 1, the rest is cut.
            ``quantile-nonzero``: the same, of voxels that are not 0. ``zscore``: mean 0, standard
            deviation 1. ``zscore-nonzero``: the same of voxels that are not 0; zeros stay 0.
            ``zscore-mask``: the same within nnU-Net's mask (see `nonzero`); outside it is 0.
            ``clip``: cut to ``low`` to ``high`` in the scan's unit (HU in CT), then from there to
            0 to 1, or, when ``mean`` and ``std`` are given, ``(v - mean) / std`` (nnU-Net's CT).
        low: Percentile, or intensity for ``clip``.
        high: Percentile, or intensity for ``clip``.
        mean: Intensity that becomes 0; ``clip`` only.
        std: Intensities per 1; ``clip`` only.

    Raises:
        ValueError: The rule is not known, or its numbers are missing or in the wrong order.
    """

    rule: Rule = "none"
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    std: float | None = None

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"intensity rule {self.rule!r} is not one of {', '.join(RULES)}")
        if self.rule in ("percentile", "quantile-nonzero"):
            low, high = self.percentiles
            if not 0 <= low < high <= 100:
                raise ValueError(f"percentiles {low} to {high} are not within 0 to 100")
        if self.rule == "clip":
            if self.low is None or self.high is None or not self.low < self.high:
                raise ValueError(f"clip needs low < high, got {self.low} and {self.high}")
            if (self.mean is None) != (self.std is None) or not (self.std is None or self.std > 0):
                raise ValueError("clip needs mean and a positive std, or neither")

    @property
    def percentiles(self) -> tuple[float, float]:
        """Return the percentiles; 2 and 98 where none are given."""
        low = 2.0 if self.low is None else self.low
        return low, 98.0 if self.high is None else self.high


@dataclass(frozen=True)
class Scaling:
    """``(v - subtract) * multiply`` after ``v`` is cut to ``[low, high]``.

    Attributes:
        keep_zero: Voxels of exactly 0 stay 0.
        low: Lowest intensity before scaling.
        high: Highest intensity before scaling.
        background: Intensity, before scaling, of what is not known.
        padding_above: Intensities from here on are padding and become background.
        note: What differs from the rule, empty when nothing does.
    """

    subtract: float
    multiply: float
    low: float
    high: float
    background: float
    padding_above: float
    keep_zero: bool = False
    note: str = ""

    @property
    def scaled_background(self) -> float:
        """Return what background becomes."""
        if self.keep_zero and self.background == 0:
            return 0.0
        cut = min(max(self.background, self.low), self.high)
        return float(np.float32((cut - self.subtract) * self.multiply))

    def apply(self, source: NDArray[Any], target: Floats) -> None:
        """Write the scaled intensities of ``source``, any real dtype, to ``target``."""
        # Cut before the conversion to float32, which would turn 1e300 into infinity.
        np.clip(source, self.low, self.high, out=target, casting="unsafe")
        unknown: NDArray[np.bool_] | None = None
        if source.dtype.kind == "f":
            unknown = ~(np.abs(source) <= LARGEST_NUMBER)
        if np.isfinite(self.padding_above):
            padding = source >= self.padding_above
            unknown = padding if unknown is None else unknown | padding
        # After the cut, so that padding below a background of 0 is 0 as well.
        zeros = target == 0 if self.keep_zero else None
        target -= np.float32(self.subtract)
        target *= np.float32(self.multiply)
        if zeros is not None:
            target[zeros] = 0
        if unknown is not None and unknown.any():
            target[unknown] = self.scaled_background


def scaling_of(rule: IntensityRule, found: Histogram) -> Scaling:
    """Return the rule in numbers for a channel with this histogram."""
    nonzero = rule.rule.endswith("-nonzero")
    low, high, note = found.low, found.high, ""
    subtract, multiply = 0.0, 1.0
    if rule.rule in ("percentile", "quantile-nonzero"):
        cuts = [found.percentile(p, nonzero=nonzero) for p in rule.percentiles]
        if cuts[0] < cuts[1]:
            low, high = cuts
        else:
            note = (
                f"Percentiles {rule.percentiles[0]:g} and {rule.percentiles[1]:g} are both "
                f"{cuts[0]:g}; the lowest and highest intensity were taken instead."
            )
        subtract, multiply = low, 1 / (high - low)
    elif rule.rule == "minmax":
        subtract, multiply = low, 1 / (high - low)
    elif rule.rule.startswith("zscore"):
        mean, deviation = _moments(found, nonzero=nonzero)
        subtract, multiply = mean, 1 / deviation
    elif rule.rule == "clip" and rule.low is not None and rule.high is not None:
        low, high = rule.low, rule.high
        subtract, multiply = low, 1 / (high - low)
        if rule.mean is not None and rule.std is not None:
            subtract, multiply = rule.mean, 1 / rule.std
    keep_zero = rule.rule == "zscore-nonzero"
    background, above = found.low, found.replaced_above
    return Scaling(subtract, multiply, low, high, background, above, keep_zero, note)


def _moments(found: Histogram, *, nonzero: bool) -> tuple[float, float]:
    """Return mean and standard deviation, of the voxels that are not 0 if asked."""
    mean, variance = found.mean, found.variance
    others = found.voxels - found.zeros
    if nonzero and found.zeros and others:
        share = found.voxels / others
        square = (variance + mean**2) * share
        mean = mean * share
        variance = max(square - mean**2, 0.0)
    # Where all voxels but the zeros are alike, there is no spread to divide by.
    return mean, float(np.sqrt(variance)) or 1.0
