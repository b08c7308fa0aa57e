"""Several volumes of one patient as the channels that a network wants, in physical space.

The first channel is the reference: its grid is the result's grid. The others are resampled onto it
by position, never by index, which is where other tools go wrong when scans differ in size.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from .errors import GeometryError
from .resample import resample_to_grid
from .volume import Grid, Volume

# Below this share of the reference covered by another channel, the scans are hardly of one patient.
LEAST_OVERLAP = 0.5


def stack_channels(reference: Volume, others: Mapping[str, Volume], roles: Sequence[str]) -> Volume:
    """Return one volume with a channel per role, on the grid of the reference.

    Args:
        reference: The first role's volume; when it already has as many channels as there are
            roles, it is taken as it is.
        others: Role to volume for the roles after the first; any grid.
        roles: Roles in the network's order, such as ``("T1", "FLAIR")``.

    Raises:
        GeometryError: A role is missing, unknown, has more than one channel, or lies mostly beside
            the reference.
    """
    if not others and reference.channels == len(roles):
        return reference
    wanted = list(roles[1:])
    unknown, missing = sorted(set(others) - set(wanted)), [r for r in wanted if r not in others]
    if unknown or missing or reference.channels != 1:
        raise GeometryError(
            f"This network takes {len(roles)} channel(s), {', '.join(roles)}; found "
            f"{reference.channels} in the volume and {', '.join(sorted(others)) or 'none'} "
            f"besides; {_advice(unknown, missing, roles)}"
        )
    notes, stacked = list(reference.notes), [reference.voxels]
    for role in wanted:
        moving = others[role]
        if moving.channels != 1:
            raise GeometryError(
                f"The volume for {role} has {moving.channels} channels; one is expected."
            )
        notes += moving.notes
        if moving.grid.matches(reference.grid):
            stacked.append(moving.voxels)
            continue
        share = covered_share(reference.grid, moving.grid)
        if share < LEAST_OVERLAP:
            raise GeometryError(
                f"The volume for {role} covers {share:.0%} of the reference; at least "
                f"{LEAST_OVERLAP:.0%} is expected: check that both are of one patient."
            )
        stacked.append(resample_to_grid(moving, reference.grid).voxels)
        notes.append(
            f"{role} was resampled onto the grid of {roles[0]} (covers {share:.0%} of it)."
        )
    # Channels of one dtype: float32 holds every intensity that scanners store.
    voxels = np.concatenate([channel.astype(np.float32, copy=False) for channel in stacked])
    return Volume(voxels, reference.affine, tuple(notes))


def covered_share(reference: Grid, other: Grid, samples_per_axis: int = 24) -> float:
    """Return which share (0 to 1) of ``reference`` lies inside ``other``, by sampling."""
    axes = [np.linspace(0, n - 1, min(n, samples_per_axis)) for n in reference.shape]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    ijk = other.ijk_from_ras(reference.ras_from_ijk(points))
    inside = (ijk >= -0.5) & (ijk <= np.array(other.shape) - 0.5)
    return float(inside.all(axis=1).mean())


def _advice(unknown: list[str], missing: list[str], roles: Sequence[str]) -> str:
    if roles[0] in unknown:
        return f"{roles[0]} is the volume itself: leave it out of the further channels."
    if unknown:
        return f"{', '.join(unknown)} is not one of its roles."
    if missing:
        return f"name the volume for {', '.join(missing)} (--channel ROLE=PATH)."
    return f"give a volume of one channel for {roles[0]}, or choose another network."
