"""How large a crop and how many steps a network can be adapted in, by its work alone.

Counted in operations and not by the clock: what is computed must not depend on how busy a computer
is, as the same prompts have to give the same answer.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..core.pipeline import Recipe

# About 20 s on two cores that train at 50 GFLOP/s.
MOST_OPERATIONS: Final = 1e12
# Forward, and twice as much backward.
OF_A_STEP: Final = 3
LEAST_STEPS: Final = 3
LEAST_VOXELS, MOST_VOXELS = 32**3, 96**3
_PROBE: Final = 32


def operations_per_voxel(module: nn.Module, recipe: Recipe) -> float:
    """Return how many operations a network takes for each voxel of a patch."""
    shape = recipe.patch_shape
    if shape is None:
        side = math.lcm(_PROBE, recipe.rules.multiple_of)
        shape = (side, side, side)
    patch = torch.zeros((1, len(recipe.rules.channels), *shape))
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module(patch)
    return float(counter.get_total_flops()) / math.prod(shape)


def voxels_that_fit(per_voxel: float) -> int:
    """Return the largest crop in which `LEAST_STEPS` can be taken."""
    fitting = MOST_OPERATIONS / (OF_A_STEP * LEAST_STEPS * max(per_voxel, 1.0))
    return int(min(max(fitting, LEAST_VOXELS), MOST_VOXELS))


def steps_that_fit(per_voxel: float, voxels: int, most: int) -> int:
    """Return how many steps of so many voxels can be taken, `LEAST_STEPS` to ``most``."""
    fitting = MOST_OPERATIONS / (OF_A_STEP * max(per_voxel, 1.0) * voxels)
    return int(min(max(fitting, LEAST_STEPS), most))
