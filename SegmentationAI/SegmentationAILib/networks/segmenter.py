"""An opened network that segments volumes: the card's rules, the weights and a device together."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np

from ..core.channels import stack_channels
from ..core.intensity import IntensityRule, Rule
from ..core.labelmap import Labelmap, Provenance
from ..core.pipeline import NO_OPTIONS, Options, Recipe, Segmentation, segment
from ..core.preprocess import InputRules
from ..core.progress import IGNORE, Progress
from ..core.volume import Volume
from .build import RunningNetwork, load_network
from .card import NetworkCard
from .process_memory import peak_memory_bytes
from .store import NetworkStore


@dataclass(frozen=True, eq=False)
class Segmenter:
    """A network on a device, ready for volumes.

    Attributes:
        card: What it needs and answers.
        network: The function from patch to logits.
        weights_sha256: Of the weights that were opened.
    """

    card: NetworkCard
    network: RunningNetwork
    weights_sha256: str

    def segment(
        self,
        volume: Volume,
        others: Mapping[str, Volume] | None = None,
        options: Options = NO_OPTIONS,
        progress: Progress = IGNORE,
    ) -> Segmentation:
        """Return the labels of ``volume`` on its own grid, with their provenance.

        Args:
            volume: The first channel; its grid is the result's.
            others: Role to volume for further channels, on any grid.
            options: What the person asked for.
            progress: Told at least once per patch.

        Raises:
            GeometryError: The channels do not fit the network.
            Cancelled: Raised by ``progress``.
        """
        stacked = stack_channels(volume, others or {}, [c.role for c in self.card.channels])
        result = segment(stacked, self.network, recipe_of(self.card), options, progress)
        notes = (*result.notes, *self.network.notes)
        return replace(result, labelmap=self._signed(result.labelmap), notes=notes)

    def report(self, result: Segmentation, seconds: Mapping[str, float]) -> dict[str, Any]:
        """Return the facts of a run as the public contract names them, ready for JSON."""
        counts = _voxels_per_label(result.labelmap)
        milliliters = result.labelmap.grid.voxel_volume_ml
        found = {label.value: n for label, n in zip(result.labelmap.labels, counts, strict=True)}
        return {
            "network": self.card.id,
            "weights_sha256": self.weights_sha256,
            "device": self.network.device_name,
            "precision": self.network.precision,
            "seconds": {name: round(value, 4) for name, value in seconds.items()},
            "peak_memory_bytes": peak_memory_bytes(),
            "labels": [
                {
                    "value": label.value,
                    "name": label.name,
                    "volume_ml": round(found.get(label.value, 0) * milliliters, 4),
                    "voxels": found.get(label.value, 0),
                }
                for label in self.card.labels
            ],
            "notes": list(result.notes),
        }

    def _signed(self, labelmap: Labelmap) -> Labelmap:
        signature = Provenance(
            origin="predicted",
            network=self.card.id,
            weights_sha256=self.weights_sha256,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        return labelmap.with_names(
            [replace(label, provenance=signature) for label in labelmap.labels]
        )


def open_segmenter(
    network_id: str,
    device: str = "auto",
    precision: str = "auto",
    store: NetworkStore | None = None,
) -> Segmenter:
    """Open a shipped or installed network.

    Raises:
        WeightsError: There is no such network, it is not installed, or its weights are damaged.
        SegmentationAIError: The device or precision is not to be had here.
    """
    stored = (store or NetworkStore()).find(network_id)
    weights = stored.read_weights()
    network = load_network(stored.card, weights, device, precision)
    return Segmenter(stored.card, network, stored.card.sha256)


def recipe_of(card: NetworkCard) -> Recipe:
    """Return what the pipeline needs to know of a card."""
    rules = InputRules(
        orientation=card.orientation,
        spacing_mm=card.spacing_mm,
        intensity=IntensityRule(cast(Rule, card.intensity.rule), **dict(card.intensity.numbers)),
        channels=tuple(channel.role for channel in card.channels),
        multiple_of=card.divisible_by,
        size=card.size,
        modality=card.modality,
    )
    return Recipe(
        rules, card.labels, card.patch_size, card.overlap, card.output, one_body=card.one_body
    )


def _voxels_per_label(labelmap: Labelmap) -> list[int]:
    counts = [np.bincount(layer.ravel()) for layer in labelmap.layers]
    return [
        int(counts[label.layer][label.value]) if label.value < len(counts[label.layer]) else 0
        for label in labelmap.labels
    ]
