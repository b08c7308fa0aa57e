"""The adapt engine: an installed network is fine-tuned to this one scan, by what a person said.

Wang et al., Interactive Medical Image Segmentation Using Deep Learning With Image-Specific Fine
Tuning (BIFSeg), IEEE TMI 2018, doi:10.1109/TMI.2018.2791721: what the network is sure of and what
a person said are the labels on which it is trained for a few steps, in a crop around the segment
and the prompts. Where we depart from it: labels are not renewed by a graph cut in between (with
renewed labels networks that were mostly right drifted away, as measured); prompts reach to what is
near and alike; all layers are trained and not the last ones, as another contrast changes the first
ones most. How much each voxel counts is in `adapt_lesson`.

Every answer begins at the network's own weights, so that the same prompts give the same answer,
whatever was asked before. Without any prompt the network is taught by what it is sure of alone,
which is self-training: it helps where the network is mostly right, and makes firm errors firmer.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.channel_margin import ChannelMargin
from ..core.errors import PromptError, SegmentationAIError, WeightsError
from ..core.labelmap import Label
from ..core.mask_history import box_of, union
from ..core.patches import LogitsSlab, logits_slabs
from ..core.pipeline import Options, Segmentation
from ..core.preprocess import Prepared
from ..core.progress import IGNORE, Progress
from ..core.volume import Box, Volume
from ..networks.device import Device, choose_device
from ..networks.segmenter import Segmenter, open_segmenter, recipe_of
from ..networks.store import NetworkStore, StoredNetwork
from ..networks.torch_module import TorchModule, torch_module
from .adapt_cost import operations_per_voxel, steps_that_fit, voxels_that_fit
from .adapt_crop import AdaptCrop, crop_around, prepared_scan
from .adapt_lesson import (
    PERSON,
    Said,
    channels_found,
    lesson_of,
    logits_of_probabilities,
    probabilities_of_logits,
    said_in,
)
from .adapt_training import AdaptSettings, Taught, fast, taught_patches, train
from .adapted_network import AdaptedNetwork, keep_adapted
from .auto import label_named, label_under, probabilities_of
from .engine import Answer, Turn

Floats = NDArray[np.float32]

NEAR_PROMPTS: Final = (
    "The segment is larger than what a network is adapted to at once: it was adapted around the "
    "prompts, and beyond it is as it was."
)
# How much a mask that was brought along counts beside what the network finds: where they differ
# the mask is then sure enough to be taught (see `adapt_lesson.UNSURE`).
_SHARE_OF_BASE: Final = 0.85
# Shares of the first answer: the network's run over the whole scan, and the steps.
_RUN, _STEPS = 0.3, 0.85
DEFAULTS: Final = AdaptSettings()


class AdaptEngine:
    """Corrects a segment by adapting the network that finds it.

    Args:
        volume: With the channels that the network wants.
        network: Installed.
        segmenter: The same network as it runs on whole scans.
        device: Where it is adapted.
        structure: Name of one of its structures; empty takes its only one, or the one under the
            first positive prompt.
        settings: Numbers of the adaptation.

    Raises:
        SegmentationAIError: The network does not know the structure, or cannot be trained.
    """

    # A session lets it answer without any prompt.
    needs_prompts = False

    def __init__(
        self,
        volume: Volume,
        network: StoredNetwork,
        segmenter: Segmenter,
        device: Device,
        structure: str = "",
        settings: AdaptSettings = DEFAULTS,
    ) -> None:
        self._volume, self._segmenter, self._device = volume, segmenter, device
        self._card, self._recipe = network.card, recipe_of(network.card)
        self._weights, self._settings = network.read_weights(), settings
        labels = self._card.labels
        self._named = label_named(labels, structure) if structure else None
        if self._named is None and len(labels) == 1:
            self._named = labels[0]
        self._per_voxel = operations_per_voxel(
            torch_module(self._card, self._weights), self._recipe
        )
        self._first: tuple[Segmentation, Prepared] | None = None
        self._adapted: AdaptedNetwork | None = None

    def answer(self, turn: Turn, progress: Progress = IGNORE) -> Answer:
        """Return what the adapted network finds (see `engine.Engine`)."""
        result, prepared = self._run(progress.part(0.0, _RUN))
        label = self._label(turn, result)
        start = self._start(label, result, turn)
        crop = self._crop(turn, start, prepared)
        said = said_in(crop, turn)
        module, margin = self._adapt(crop, label, said, start, result, progress.part(_RUN, 1.0))
        self._adapted = replace(module, prompts=len(turn.prompts))
        found = start.copy()
        inside = crop.source_box
        found[inside.slices] = probabilities_of_logits(margin[inside.slices])
        box = inside
        if not turn.base.voxels.any():
            # What lies beyond the crop is as the network found it.
            box = union(box, box_of(start > 0.5))
        notes = (*result.notes, *(() if crop.is_whole else (NEAR_PROMPTS,)))
        part = found[box.slices]
        return Answer(box, part > 0.5, part, notes)

    def prepare(self, progress: Progress = IGNORE) -> None:
        """Run the network over the whole scan, which the first answer does otherwise."""
        self._run(progress)

    def keep(self, network_id: str, store: NetworkStore | None = None) -> StoredNetwork:
        """Install the network as it was last adapted under an ID of its own and return it.

        Raises:
            PromptError: It has not been adapted yet.
            WeightsError: The ID is taken or cannot be one.
        """
        if self._adapted is None:
            raise PromptError("The network has not been adapted yet; give a prompt first.")
        return keep_adapted(self._adapted, self._volume, network_id, store)

    def close(self) -> None:
        """Give back the network's memory; what was not kept is gone."""
        self._segmenter.network.close()
        self._first = self._adapted = None

    def _run(self, progress: Progress) -> tuple[Segmentation, Prepared]:
        """The network's own answer on the whole scan, once."""
        if self._first is None:
            found = self._segmenter.segment(
                self._volume, options=Options(uncertainty=True), progress=progress.part(0.0, 0.9)
            )
            prepared = prepared_scan(self._volume, self._recipe, progress.part(0.9, 1.0))
            self._first = found, prepared
        return self._first

    def _label(self, turn: Turn, result: Segmentation) -> Label:
        """The structure that is meant, as the card has it."""
        if self._named is not None:
            return self._named
        row = label_under(turn, result)
        if row is None:
            raise PromptError(
                "The network found nothing under the first positive prompt, so it is not known "
                "which of its structures is meant; name the structure."
            )
        # The result's row has its layer and more, so it is not the card's, which tells the channel.
        return label_named(self._card.labels, row.name)

    def _start(self, label: Label, result: Segmentation, turn: Turn) -> Floats:
        """Probabilities of the segment ``(I, J, K)`` before anything was adapted."""
        row = next(one for one in result.labelmap.labels if one.name == label.name)
        channels = self._recipe.channels if self._recipe.output == "softmax" else 2
        assert result.uncertainty is not None
        mask, entropy = result.labelmap.mask(row), result.uncertainty.voxels[0]
        start = probabilities_of(mask, entropy, channels).astype(np.float32)
        if turn.base.voxels.any():
            base = turn.base.within(turn.volume.grid.box)
            start *= np.float32(1 - _SHARE_OF_BASE)
            start += np.float32(_SHARE_OF_BASE) * base
        return start

    def _crop(self, turn: Turn, start: Floats, prepared: Prepared) -> AdaptCrop:
        wanted = segment = box_of(start > 0.5)
        center = Box((0, 0, 0), (0, 0, 0))
        for placed in turn.placed:
            center = union(center, placed.box)
        wanted = union(wanted, center)
        if wanted.is_empty:
            wanted = turn.volume.grid.box
        if center.is_empty:
            center = wanted if segment.is_empty else segment
        return crop_around(prepared, self._recipe, wanted, center, voxels_that_fit(self._per_voxel))

    def _adapt(
        self, crop: AdaptCrop, label: Label, said: Said, start: Floats, result: Segmentation,
        progress: Progress,
    ) -> tuple[AdaptedNetwork, Floats]:  # fmt: skip
        """The adapted network, and the margin ``(I, J, K)`` of the segment by it."""
        is_softmax = self._recipe.output == "softmax"
        what = Taught(self._card.labels.index(label) + is_softmax, self._recipe.output)
        logits = logits_of_probabilities(crop.from_source(start))
        channels = channels_found(result.labelmap, self._card.labels, crop) if is_softmax else None
        lesson = lesson_of(crop, logits, said, channels)
        patches = taught_patches(crop, lesson, self._device.torch_name)
        x, y, z = crop.windows.patch_shape
        steps = steps_that_fit(self._per_voxel, x * y * z, self._settings.steps)
        module = torch_module(self._card, self._weights).to(self._device.torch_name)
        began = time.monotonic()
        settings = replace(self._settings, steps=steps)
        train(module, patches, what, settings, progress.part(0.0, _STEPS))
        seconds = time.monotonic() - began
        margin = self._margin(module, crop, what, said, progress.part(_STEPS, 1.0))
        rate = settings.learning_rate
        adapted = AdaptedNetwork(self._card, module.weights(), label.name, 0, steps, rate, seconds)
        return adapted, margin

    def _margin(
        self, module: TorchModule, crop: AdaptCrop, what: Taught, said: Said, progress: Progress
    ) -> Floats:
        """By how much the segment wins, ``(I, J, K)``; near prompts it is what was said."""
        device = self._device

        def network(patch: NDArray[np.float32], /) -> NDArray[np.float32]:
            tensor = torch.from_numpy(np.ascontiguousarray(patch)).to(device.torch_name)
            with torch.no_grad(), fast(device.kind):
                logits = module(tensor).float().cpu().numpy()
            answer: NDArray[np.float32] = logits
            return answer

        found = ChannelMargin(crop, what.channel, what.output)
        slabs = logits_slabs(
            crop.array, network, crop.windows, padding=crop.padding, progress=progress
        )
        for slab in slabs:
            found.add(slab)
        held = ChannelMargin(crop, 0, "sigmoid")
        insisted = np.float32(PERSON) * (said.positive - said.negative)
        held.add(LogitsSlab(0, 0, crop.network_shape[0], insisted[None]))
        return np.asarray(found.margin() + held.margin(), np.float32)


def open_adapt(volume: Volume, network: str, structure: str, device: str) -> AdaptEngine:
    """Return the engine by the name ``adapt``.

    Raises:
        SegmentationAIError: No network is named, it cannot be trained, or the device is not there.
    """
    if not network:
        raise SegmentationAIError(
            "The engine adapt fine-tunes a network; name an installed one with --network (see "
            "'networks list')."
        )
    if "," in network:
        raise WeightsError("The engine adapt fine-tunes one network; name one and not several.")
    stored = NetworkStore().find(network)
    # Before anything is opened: one that cannot be trained is refused at once.
    torch_module(stored.card, stored.read_weights())
    segmenter = open_segmenter(network, device)
    return AdaptEngine(volume, stored, segmenter, choose_device(device), structure)
