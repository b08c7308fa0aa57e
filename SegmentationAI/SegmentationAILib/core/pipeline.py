"""From a volume to labels on its own grid: prepare, run the network, restore.

The same few lines serve every network; what differs is its `Recipe`. Everything here is a plain
function of its arguments: opening networks and choosing devices is done in `networks`.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .axis_map import AxisMap
from .empty_windows import EmptyWindows
from .entropy import EntropyRestorer
from .errors import GeometryError, SegmentationAIError
from .expected_dice import ExpectedDice
from .flips import FlipAverage
from .labelmap import Label, LabelArray, Labelmap
from .layers import LayerRestorer
from .memory_budget import free_memory_bytes
from .monai_input import prepare_as_monai, shape_as_monai
from .monai_windows import WeightedNetwork, as_restored, unweighted
from .painted_regions import PaintedRestorer
from .patches import logits_slabs
from .postprocess import keep_largest_components
from .preprocess import InputRules, Prepared, planned_shape, prepare
from .progress import IGNORE, Progress
from .restore import LabelRestorer
from .slab_memory import check_run_fits, sums_that_fit
from .volume import Box, Grid, Volume
from .window_logits import Network
from .windows import Importance, plan_windows

Restorer = LabelRestorer | LayerRestorer | PaintedRestorer

# Fractions of the whole at which the parts end, as measured for a head at 1 mm on two cores.
PREPARED, INFERRED = 0.08, 0.97


@dataclass(frozen=True)
class Recipe:
    """What a network takes, and what its channels mean.

    Attributes:
        rules: How a volume becomes its input.
        labels: The table; with ``softmax``, ``labels[n]`` is channel ``n + 1`` and channel 0 is
            background; with ``sigmoid`` it is channel ``n``.
        patch_shape: Voxels of one patch, None for the whole grid at once.
        overlap: Fraction that neighboring patches share.
        output: ``softmax`` when one label wins, ``sigmoid`` when each stands alone.
        mirror_axes: Network axes along which test-time augmentation may mirror.
        mirrors: Whether it does so unless told otherwise.
        mean_of: What mirrored answers are averaged in.
        one_body: Whether all labels together make one body, such as a brain: what does not touch
            its largest part becomes background.
        one_layer: With ``sigmoid``: each label is painted over those before it (see
            `painted_regions`).
        importance: How windows are placed and weighted, see `windows.axis_importance`.
    """

    rules: InputRules
    labels: tuple[Label, ...]
    patch_shape: tuple[int, int, int] | None
    overlap: float = 0.5
    output: Literal["softmax", "sigmoid"] = "softmax"
    mirror_axes: tuple[int, ...] = (0, 1, 2)
    mirrors: bool = False
    mean_of: Literal["logits", "probabilities"] = "probabilities"
    one_body: bool = False
    one_layer: bool = False
    importance: Importance = "centered"

    @property
    def channels(self) -> int:
        """Channels of the logits."""
        return len(self.labels) + (self.output == "softmax")


@dataclass(frozen=True)
class Options:
    """What the person asked for.

    Attributes:
        roi_ras: Box ``(r0, r1, a0, a1, s0, s1)`` in RAS mm outside of which nothing is segmented.
        structures: Names of the labels wanted, None for all.
        overlap: Replaces the recipe's, None keeps it.
        mirror: Average over mirrored copies; None does what the recipe does by itself.
        uncertainty: Also return the entropy of the probabilities and each segment's score.
    """

    roi_ras: tuple[float, ...] | None = None
    structures: tuple[str, ...] | None = None
    overlap: float | None = None
    mirror: bool | None = None
    uncertainty: bool = False


NO_OPTIONS = Options()


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Labels of a volume, and how they came to be.

    Attributes:
        labelmap: On the volume's grid.
        uncertainty: Normalized entropy 0 to 1 on the same grid, None unless asked for.
        expected_dice: What the probabilities promise of each label of the recipe, in order; None
            for a label that was not found, and as a whole unless uncertainty was asked for.
        seconds: Of the steps ``prepare``, ``network`` and ``labels``.
        notes: What was mended, skipped or done otherwise.
    """

    labelmap: Labelmap
    uncertainty: Volume | None
    expected_dice: tuple[float | None, ...] | None
    seconds: dict[str, float]
    notes: tuple[str, ...]


@dataclass
class _Timed:
    """A network that knows how long it has run."""

    network: Network
    seconds: float = field(default=0.0)

    def __call__(self, patch: NDArray[np.float32], /) -> NDArray[np.float32]:
        started = time.perf_counter()
        logits = self.network(patch)
        self.seconds += time.perf_counter() - started
        return logits


def segment(
    volume: Volume,
    network: Network,
    recipe: Recipe,
    options: Options = NO_OPTIONS,
    progress: Progress = IGNORE,
) -> Segmentation:
    """Return the labels of ``volume`` on its own grid, voxel for voxel.

    Args:
        volume: With as many channels as the recipe has; not changed.
        network: Called with one patch at a time.
        recipe: What the network takes and what its channels mean.
        options: What the person asked for.
        progress: Told at least once per patch; to cancel, that call raises.

    Raises:
        GeometryError: The channels do not fit, or the ROI lies beside the volume.
        SegmentationAIError: A structure that the network does not know, or an overlap out of range.
        Cancelled: Raised by ``progress``.
    """
    started = time.perf_counter()
    wanted = chosen_labels(recipe.labels, options.structures)
    overlap = _checked_overlap(recipe.overlap if options.overlap is None else options.overlap)
    box = None if options.roi_ras is None else box_of_roi(volume.grid, options.roi_ras)
    _check_memory(volume, recipe, overlap, box)
    prepared = _prepared(volume, recipe.rules, box, progress.part(0.0, PREPARED))
    ready = time.perf_counter()
    timed = _Timed(network)
    is_mirrored = recipe.mirrors if options.mirror is None else options.mirror
    windows = plan_windows(
        prepared.axis_map.network_shape, recipe.patch_shape, overlap, recipe.importance
    )
    labels = _label_restorer(prepared.axis_map, recipe)
    entropy = EntropyRestorer(prepared.axis_map, recipe.output) if options.uncertainty else None
    agreement = ExpectedDice(recipe.channels, recipe.output) if options.uncertainty else None
    monai = recipe.rules.monai
    is_weighted = monai is not None and monai.blending == "gaussian"
    called: Network = _mirrored(timed, recipe) if is_mirrored else timed
    slabs = logits_slabs(
        prepared.array,
        WeightedNetwork(called) if is_weighted else called,
        windows,
        empty=EmptyWindows(prepared.background),
        padding=prepared.padding,
        sum_in=sums_that_fit(windows, recipe.channels + is_weighted, free_memory_bytes()),
        progress=progress.part(PREPARED, INFERRED),
    )
    for slab in unweighted(slabs) if is_weighted else slabs:
        labels.add(slab if monai is None else as_restored(slab, monai.restored, recipe.output))
        if entropy is not None and agreement is not None:
            entropy.add(slab)
            agreement.add(slab)
    labelmap = _labelmap(labels, recipe, wanted, volume)
    finished = time.perf_counter()
    return Segmentation(
        labelmap=labelmap,
        uncertainty=None if entropy is None else Volume(entropy.entropy()[None], volume.affine),
        expected_dice=None if agreement is None else agreement.scores(),
        seconds={
            "prepare": ready - started,
            "network": timed.seconds,
            "labels": finished - ready - timed.seconds,
        },
        notes=(*volume.notes, *prepared.notes, *_empty_note(labelmap)),
    )


def chosen_labels(labels: Sequence[Label], names: Sequence[str] | None) -> tuple[Label, ...]:
    """Return the labels with these names (case does not matter), or all for None.

    Raises:
        SegmentationAIError: A name is not among them; the message lists those that are.
    """
    if names is None:
        return tuple(labels)
    wanted = {name.casefold() for name in names}
    unknown = wanted - {label.name.casefold() for label in labels}
    if unknown or not wanted:
        known = ", ".join(label.name for label in labels)
        found = ", ".join(sorted(unknown)) or "no name"
        raise SegmentationAIError(f"Found {found} among the structures; this network has: {known}.")
    return tuple(label for label in labels if label.name.casefold() in wanted)


def box_of_roi(grid: Grid, roi_ras: Sequence[float]) -> Box:
    """Return the smallest box of voxels that holds a box ``(r0, r1, a0, a1, s0, s1)`` in RAS mm.

    On an oblique grid it is larger than the ROI, never smaller.

    Raises:
        GeometryError: The ROI is not finite or lies beside the volume.
    """
    bounds = np.asarray(roi_ras, np.float64).reshape(3, 2)
    if not np.isfinite(bounds).all():
        raise GeometryError("The region of interest has to be six finite numbers, RAS mm.")
    bounds = np.sort(bounds, axis=1)
    corners = np.stack(np.meshgrid(*bounds, indexing="ij"), axis=-1).reshape(-1, 3)
    ijk = grid.ijk_from_ras(corners)
    # A voxel reaches half its width around its center.
    low = np.clip(np.floor(ijk.min(axis=0) + 0.5), 0, grid.shape).astype(int)
    high = np.clip(np.ceil(ijk.max(axis=0) + 0.5), 0, grid.shape).astype(int)
    box = Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    if box.is_empty:
        center = grid.ras_from_ijk((np.array([grid.shape]) - 1) / 2)[0]
        raise GeometryError(
            f"The region of interest {bounds.tolist()} lies beside the volume, whose center is at "
            f"{np.round(center, 1).tolist()} (RAS mm); move it onto the scan."
        )
    return box


def _empty_note(labelmap: Labelmap) -> tuple[str, ...]:
    if any(layer.any() for layer in labelmap.layers):
        return ()
    return ("Nothing was found: the result is empty.",)


def _prepared(volume: Volume, rules: InputRules, box: Box | None, progress: Progress) -> Prepared:
    if rules.monai is not None:
        return prepare_as_monai(volume, rules, rules.monai, box, progress)
    return prepare(volume, rules, box, progress)


def _check_memory(volume: Volume, recipe: Recipe, overlap: float, box: Box | None) -> None:
    monai = recipe.rules.monai
    if monai is None:
        shape = planned_shape(volume, recipe.rules, box)
    else:
        shape = shape_as_monai(volume, recipe.rules, monai)
    if shape is not None:
        windows = plan_windows(shape, recipe.patch_shape, overlap, recipe.importance)
        voxels = volume.voxels[0].size
        check_run_fits(voxels, windows, len(recipe.rules.channels), recipe.channels)


def _checked_overlap(overlap: float) -> float:
    if not 0.0 <= overlap < 1.0:
        raise SegmentationAIError(
            f"An overlap of {overlap:g} was asked for; 0 to under 1 is possible."
        )
    return overlap


def _mirrored(network: Network, recipe: Recipe) -> FlipAverage:
    average = "logits" if recipe.mean_of == "logits" else recipe.output
    return FlipAverage(network, recipe.mirror_axes, average)


def _label_restorer(axis_map: AxisMap, recipe: Recipe) -> Restorer:
    values = tuple(label.value for label in recipe.labels)
    if recipe.one_layer:
        return PaintedRestorer(axis_map, values)
    if recipe.output == "sigmoid":
        return LayerRestorer(axis_map, recipe.labels)
    return LabelRestorer(axis_map, (0, *values))


def _labelmap(
    restorer: Restorer,
    recipe: Recipe,
    wanted: tuple[Label, ...],
    volume: Volume,
) -> Labelmap:
    """Return the wanted labels; the others compete, and count for what hangs together."""
    table = recipe.labels
    layers: tuple[LabelArray, ...]
    if isinstance(restorer, LayerRestorer):
        layers, table = restorer.layers()
    else:
        layers = (restorer.labels(),)
    if recipe.one_body:
        body = np.logical_or.reduce([layer != 0 for layer in layers]).astype(np.uint8)
        beside = keep_largest_components(body).labels == 0
        for layer in layers:
            layer[beside] = 0
    names = {label.name for label in wanted}
    for label in table:
        if label.name not in names:
            layer = layers[label.layer]
            layer[layer == label.value] = 0
    return Labelmap(layers, tuple(lab for lab in table if lab.name in names), volume.affine)
