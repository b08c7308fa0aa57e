"""What a prompt changed, for those who show it."""

from dataclasses import dataclass

from ..core.volume import Box


@dataclass(frozen=True)
class Change:
    """The box in which voxels changed; outside of it nothing did.

    Attributes:
        start_ijk: First voxel of the smallest half-open box around all changed voxels.
        stop_ijk: One beyond its last; equal to ``start_ijk`` when nothing changed.
        added: Voxels that became part of the segment.
        removed: Voxels that left it.
        notes: Sentences for the person, such as that the border of the scan was reached.
    """

    start_ijk: tuple[int, int, int]
    stop_ijk: tuple[int, int, int]
    added: int = 0
    removed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def box(self) -> Box:
        """The same box as a `Box`."""
        return Box(self.start_ijk, self.stop_ijk)

    @property
    def is_empty(self) -> bool:
        """Whether no voxel changed."""
        return self.box.is_empty


def change_in(box: Box, added: int, removed: int, notes: tuple[str, ...] = ()) -> Change:
    """Return the change in a box."""
    return Change(box.start_ijk, box.stop_ijk, added, removed, notes)


NO_CHANGE = Change((0, 0, 0), (0, 0, 0))
