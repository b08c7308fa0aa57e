"""What a result makes of the segments that are there, by numpy alone: any thread may do it.

The rules are those of Slicer's Segment Editor: editable area, overwrite mode, and a layer of its
own for what would overlap. Slicer's own code does it in the scene, segment by segment, and takes
0.3 s for each on a scan of 50 million voxels.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from ..core.labelmap import smallest_label_dtype
from ..core.mask_history import Mask, union
from ..core.volume import Array, Box
from .commit_plan import Placing, Plan, Rule
from .image_copies import ImageCopy, shifted
from .prepared_result import PreparedResult

Area = Literal["everywhere", "inside", "outside"]
_HIGHEST_VALUE: Final = 2**31 - 1


@dataclass(frozen=True)
class EditorRules:
    """The settings of a Segment Editor that say what may be changed; new segments are shown.

    Attributes:
        area: Where voxels may be changed: everywhere, or inside or outside of segments.
        area_segment: The only segment that counts for it, None for all but those left out.
        area_leaves_out: Segments that do not count for it.
        overwrites: Whether segments lose voxels to others.
        overwriting_leaves_out: Segments that lose none.
    """

    area: Area = "everywhere"
    area_segment: str | None = None
    area_leaves_out: frozenset[str] = frozenset()
    overwrites: bool = True
    overwriting_leaves_out: frozenset[str] = frozenset()


@dataclass(eq=False)
class Layer:
    """Voxels that several segments share.

    Attributes:
        voxels: ``(I, J, K)`` in Fortran order; changed.
        box: Where they lie on the grid of the result; may reach beyond it.
    """

    voxels: Array
    box: Box

    def part(self, box: Box) -> Array:
        """Return the voxels in a box, a view where the layer covers all of it."""
        if _covers(self.box, box):
            return self.voxels[_slices(box, self.box)]
        return ImageCopy((), self.voxels, self.box, ()).within(box)

    def writable_part(self, box: Box, highest: int) -> Array:
        """Return a view of the voxels in a box that can be changed, and hold values up to one."""
        both = union(self.box, box)
        dtype = self.voxels.dtype
        if highest > np.iinfo(dtype.str).max:
            dtype = smallest_label_dtype(highest)
        if both != self.box or dtype != self.voxels.dtype:
            grown = np.zeros(both.shape, dtype, order="F")
            if not self.box.is_empty:
                grown[_slices(self.box, both)] = self.voxels
            self.voxels, self.box = grown, both
        return self.voxels[_slices(box, self.box)]


@dataclass(frozen=True)
class Place:
    """Where a segment's voxels are: a layer's index and a value in it."""

    layer: int
    value: int


@dataclass(eq=False)
class PaintedLayers:
    """Segments while a result is painted over them.

    Attributes:
        layers: All layers.
        places: Of each segment, in order.
        rules: What the person's editor allows.
        protected: Segments that nothing may be taken from.
    """

    layers: list[Layer]
    places: dict[str, Place]
    rules: EditorRules
    protected: frozenset[str] = field(default=frozenset())

    def paint(self, result: PreparedResult, plan: Plan, rule: Rule) -> None:
        """Write all labels of a result, later ones over earlier ones."""
        for placing in plan.placings:
            identifier = placing.label.segment_id
            if placing.is_new:
                self._add_empty(identifier, placing.label.value)
            elif rule == "replace":
                self._remove_what_is_gone(result, placing)
            self._add(result, placing, _mask(result, placing), not placing.is_alternative)
        if len(result.labelmap.layers) > 1:
            for placing in plan.placings:
                # Layers overlap on purpose; overwriting has kept the last label only.
                mask = _mask(result, placing)
                box = result.boxes[placing.index]
                mask &= np.logical_or.reduce(
                    [
                        layer[box.slices] != 0
                        for number, layer in enumerate(result.labelmap.layers)
                        if number != result.labelmap.labels[placing.index].layer
                    ]
                )
                self._add(result, placing, mask, False)

    def _add_empty(self, identifier: str, wanted_value: int) -> None:
        if not self.layers:
            self.layers.append(_empty_layer())
        self.places[identifier] = self._free_place(0, wanted_value)

    def _remove_what_is_gone(self, result: PreparedResult, placing: Placing) -> None:
        """Take from a segment the voxels that the new result does not give it."""
        place = self.places[placing.label.segment_id]
        layer = self.layers[place.layer]
        if layer.box.is_empty:
            return
        gone: Mask = layer.voxels == place.value
        box = result.boxes[placing.index]
        if not box.is_empty and (inside := _common(box, layer.box)) is not None:
            mask = _mask(result, placing)[_slices(inside, box)]
            gone[_slices(inside, layer.box)] &= ~mask
        area = self._area(placing.label.segment_id, layer.box)
        if area is not None:
            gone &= area
        if gone.any():
            layer.writable_part(layer.box, place.value)[gone] = 0

    def _add(
        self, result: PreparedResult, placing: Placing, mask: Mask, takes_from_others: bool
    ) -> None:
        """Give a segment the voxels of a mask, but those of protected segments."""
        box, identifier = result.boxes[placing.index], placing.label.segment_id
        if box.is_empty:
            return
        if not placing.is_alternative:
            for kept in self._inside(self.protected & self._overwritten(), box):
                mask &= ~kept
        area = self._area(identifier, box)
        if area is not None:
            mask &= area
        if not mask.any():
            return
        if takes_from_others:
            self._take(mask, box, self._overwritten() - {identifier})
        place = self.places[identifier]
        there = self.layers[place.layer].part(box)
        if (mask & (there != 0) & (there != place.value)).any():
            place = self._moved_away(identifier, mask, box)
        self.layers[place.layer].writable_part(box, place.value)[mask] = place.value

    def _take(self, mask: Mask, box: Box, identifiers: Collection[str]) -> None:
        """Take the voxels of a mask from segments."""
        for index, layer in enumerate(self.layers):
            values = [
                self.places[i].value for i in identifiers if self.places[i].layer == index
            ]  # fmt: skip
            taken = mask & _is_one_of(layer.part(box), values)
            if taken.any():
                layer.writable_part(box, 0)[taken] = 0

    def _moved_away(self, identifier: str, mask: Mask, box: Box) -> Place:
        """Move a segment to a layer where nothing is in the way of what it has and will get."""
        old = self.places[identifier]
        layer = self.layers[old.layer]
        whole = union(layer.box, box)
        own: Mask = layer.part(whole) == old.value
        wanted = own.copy(order="F")
        wanted[_slices(box, whole)] |= mask
        if own.any():
            layer.writable_part(layer.box, 0)[layer.voxels == old.value] = 0
        others = [n for n in range(len(self.layers)) if n != old.layer]
        index = next((n for n in others if not (self.layers[n].part(whole)[wanted]).any()), None)
        if index is None:
            index = len(self.layers)
            self.layers.append(_empty_layer())
        del self.places[identifier]
        place = self._free_place(index, old.value)
        self.places[identifier] = place
        if own.any():
            self.layers[index].writable_part(whole, place.value)[own] = place.value
        return place

    def _free_place(self, layer: int, wanted_value: int) -> Place:
        taken = {place.value for place in self.places.values() if place.layer == layer}
        value = wanted_value
        if value in taken or not 0 < value <= _HIGHEST_VALUE:
            value = next(n for n in range(1, len(taken) + 2) if n not in taken)
        return Place(layer, value)

    def _overwritten(self) -> frozenset[str]:
        if not self.rules.overwrites:
            return frozenset()
        return frozenset(self.places) - self.rules.overwriting_leaves_out

    def _area(self, identifier: str, box: Box) -> Mask | None:
        """Return where a segment may be changed within a box, None for everywhere."""
        rules = self.rules
        if rules.area == "everywhere":
            return None
        segments = set(self.places) - rules.area_leaves_out
        if rules.area_segment is not None:
            segments &= {rules.area_segment}
        if rules.area == "outside":
            segments -= {identifier}
        inside = np.zeros(box.shape, bool, order="F")
        for one in self._inside(segments, box):
            inside |= one
        return ~inside if rules.area == "outside" else inside

    def _inside(self, identifiers: Collection[str], box: Box) -> Iterator[Mask]:
        """Yield for each layer where any of some segments is within a box."""
        for index, layer in enumerate(self.layers):
            values = [
                self.places[i].value for i in identifiers if self.places[i].layer == index
            ]  # fmt: skip
            if values:
                yield _is_one_of(layer.part(box), values)


def layer_on_grid(copy: ImageCopy, offset: tuple[int, int, int]) -> Layer:
    """Return a copied image, which is given up, as a layer.

    Args:
        copy: Its voxels are changed from now on.
        offset: Where its lattice begins on the grid of the result.
    """
    box = Box(shifted(copy.box.start_ijk, offset), shifted(copy.box.stop_ijk, offset))
    return Layer(copy.voxels, box)


def _mask(result: PreparedResult, placing: Placing) -> Mask:
    return result.mask(result.labelmap.labels[placing.index], result.boxes[placing.index])


def _empty_layer() -> Layer:
    return Layer(np.zeros((0, 0, 0), np.uint8, order="F"), Box((0, 0, 0), (0, 0, 0)))


def _is_one_of(voxels: Array, values: Collection[int]) -> Mask:
    """Return where voxels have one of some values."""
    if not values:
        return np.zeros(voxels.shape, bool, order="F")
    if len(values) == 1:
        found: Mask = voxels == next(iter(values))
        return found
    if voxels.dtype.itemsize <= 2 and voxels.dtype.kind == "u":
        # A look-up is one pass, whatever the number of values; slice by slice, for its indices take
        # eight bytes a voxel.
        table = np.zeros(np.iinfo(voxels.dtype.str).max + 1, bool)
        table[list(values)] = True
        looked_up = np.empty(voxels.shape, bool, order="F")
        for k in range(voxels.shape[2]):
            looked_up[:, :, k] = table[voxels[:, :, k]]
        return looked_up
    return np.isin(voxels, list(values))


def _common(first: Box, second: Box) -> Box | None:
    start = [int(n) for n in np.maximum(first.start_ijk, second.start_ijk)]
    stop = [int(n) for n in np.minimum(first.stop_ijk, second.stop_ijk)]
    if any(a >= b for a, b in zip(start, stop, strict=True)):
        return None
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _covers(outer: Box, inner: Box) -> bool:
    return all(a <= b for a, b in zip(outer.start_ijk, inner.start_ijk, strict=True)) and all(
        a >= b for a, b in zip(outer.stop_ijk, inner.stop_ijk, strict=True)
    )


def _slices(box: Box, of: Box) -> tuple[slice, slice, slice]:
    """Return the slices of a box within an array that lies at another box."""
    i, j, k = (
        slice(a - start, b - start)
        for a, b, start in zip(box.start_ijk, box.stop_ijk, of.start_ijk, strict=True)
    )
    return i, j, k
