"""An opened network that segments volumes: the card's rules, the weights and a device together."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..core.channels import stack_channels
from ..core.doubtful_slices import doubtful_slices
from ..core.errors import WeightsError
from ..core.intensity import IntensityRule, Rule
from ..core.labelmap import LabelArray, Labelmap, Provenance
from ..core.pipeline import NO_OPTIONS, Options, Recipe, Segmentation, segment
from ..core.preprocess import InputRules
from ..core.progress import IGNORE, Progress
from ..core.volume import Volume
from .build import RunningNetwork, load_network
from .card import Intensity, NetworkCard
from .ensemble import Ensemble, check_alike, joint_sha256
from .preparation import Preparation
from .process_memory import peak_memory_bytes
from .store import NetworkStore

COUNTED_AT_ONCE = 1 << 20


@dataclass(frozen=True, eq=False)
class Segmenter:
    """A network on a device, ready for volumes.

    Attributes:
        card: What it needs and answers.
        network: The function from patch to logits.
        weights_sha256: Of the weights that were opened.
        preparation: Tells the progress of a run that a network is prepared in it.
    """

    card: NetworkCard
    network: RunningNetwork
    weights_sha256: str
    preparation: Preparation = field(default_factory=Preparation)

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
        recipe, told = recipe_of(self.card), self.preparation.within(progress)
        result = segment(stacked, self.network, recipe, options, told)
        notes = (*result.notes, *self.network.notes)
        return replace(result, labelmap=self._signed(result.labelmap), notes=notes)

    def report(self, result: Segmentation, seconds: Mapping[str, float]) -> dict[str, Any]:
        """Return the facts of a run as the public contract names them, ready for JSON."""
        counts = _voxels_per_label(result.labelmap)
        milliliters = result.labelmap.grid.voxel_volume_ml
        found = {label.value: n for label, n in zip(result.labelmap.labels, counts, strict=True)}
        facts = {
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
        if result.uncertainty is not None and result.expected_dice is not None:
            facts["uncertainty"] = _doubts(self.card, result, result.uncertainty)
        return facts

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
    network_ids: str,
    device: str = "auto",
    precision: str = "auto",
    store: NetworkStore | None = None,
    dropout_samples: int = 0,
) -> Segmenter:
    """Open a shipped or installed network, or several as an ensemble.

    Args:
        network_ids: One ID, or several with commas between them: the mean of their probabilities.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        precision: ``auto``, ``fp32``, ``fp16``, ``bf16`` or ``int8``.
        store: Where the networks are.
        dropout_samples: Monte-Carlo dropout: answers that are averaged; 0 runs without dropout.

    Raises:
        WeightsError: There is no such network, it is not installed, its weights are damaged, it
            answers prompts only, or members of an ensemble differ in more than their weights.
        SegmentationAIError: The device or precision is not to be had here, or samples are asked of
            a network without dropout.
    """
    store = store or NetworkStore()
    members = [store.find(network_id.strip()) for network_id in network_ids.split(",")]
    cards = [member.card for member in members]
    _refuse_promptable(cards)
    check_alike([card.id for card in cards], [recipe_of(card) for card in cards])
    preparation = Preparation()
    networks = [
        load_network(
            member.card,
            member.read_weights(),
            device,
            precision,
            dropout_samples=dropout_samples,
            preparation=preparation,
        )
        for member in members
    ]
    card = cards[0].renamed(",".join(card.id for card in cards))
    network = networks[0] if len(networks) == 1 else Ensemble(networks, card.output)
    return Segmenter(card, network, joint_sha256([one.sha256 for one in cards]), preparation)


def _refuse_promptable(cards: Sequence[NetworkCard]) -> None:
    for card in cards:
        if card.promptable:
            raise WeightsError(
                f"The network {card.id} answers prompts and segments nothing by itself; point at "
                "something with: segmentationai refine VOLUME --engine click --prompts FILE"
            )


def stored_sha256(network_ids: str, store: NetworkStore) -> str:
    """Return what `Segmenter.weights_sha256` would be now, without opening anything.

    Raises:
        WeightsError: There is no such network.
    """
    return joint_sha256([store.find(one.strip()).card.sha256 for one in network_ids.split(",")])


def recipe_of(card: NetworkCard) -> Recipe:
    """Return what the pipeline needs to know of a card."""
    is_nnunet = card.conventions == "nnunet"
    rules = InputRules(
        orientation=card.orientation,
        spacing_mm=card.spacing_mm,
        intensity=tuple(_rule(channel.intensity or card.intensity) for channel in card.channels),
        channels=tuple(channel.role for channel in card.channels),
        multiple_of=card.divisible_by,
        size=card.size,
        crop_to_nonzero=is_nnunet,
        separate_slices=is_nnunet,
        pads_with_zero=is_nnunet,
        axes=card.axes,
        monai=card.monai,
        modality=card.modality,
    )
    return Recipe(
        rules,
        card.labels,
        card.patch_size,
        card.overlap,
        card.output,
        mirror_axes=_mirror_axes(card),
        mirrors=bool(card.mirror_axes),
        mean_of="probabilities" if card.mirror_axes is None else "logits",
        one_body=card.one_body,
        one_layer=card.one_layer,
        importance="nnunet" if is_nnunet else "monai" if card.monai else "centered",
    )


def _mirror_axes(card: NetworkCard) -> tuple[int, ...]:
    if card.mirror_axes is not None:
        return card.mirror_axes
    # A network of planes has patches one voxel thick: mirroring along that axis changes nothing.
    return tuple(axis for axis in range(3) if (card.patch_size or (0, 0, 0))[axis] != 1)


def _rule(intensity: Intensity) -> IntensityRule:
    return IntensityRule(cast(Rule, intensity.rule), **dict(intensity.numbers))


def _doubts(card: NetworkCard, result: Segmentation, uncertainty: Volume) -> dict[str, Any]:
    """Each segment's score, and where to look first."""
    return {
        "segments": [
            {
                "value": label.value,
                "name": label.name,
                "expected_dice": None if score is None else round(score, 4),
            }
            for label, score in zip(card.labels, result.expected_dice or (), strict=True)
        ],
        "doubtful_slices": [
            {**asdict(one), "doubt": round(one.doubt, 4)}
            for one in doubtful_slices(uncertainty, result.labelmap)
        ],
    }


def _voxels_per_label(labelmap: Labelmap) -> list[int]:
    counts = [_voxels_per_value(layer) for layer in labelmap.layers]
    return [
        int(counts[label.layer][label.value]) if label.value < len(counts[label.layer]) else 0
        for label in labelmap.labels
    ]


def _voxels_per_value(layer: LabelArray) -> NDArray[np.int64]:
    """Return how often each value occurs, ``(highest + 1,)``.

    In parts along the memory: numpy counts in 64 bits, and the whole of a CT in 64 bits takes four
    times the memory of the scan.
    """
    flat = layer.ravel(order="K")
    counts = np.zeros(int(flat.max()) + 1, np.int64)
    for start in range(0, flat.size, COUNTED_AT_ONCE):
        counts += np.bincount(flat[start : start + COUNTED_AT_ONCE], minlength=len(counts))
    return counts
