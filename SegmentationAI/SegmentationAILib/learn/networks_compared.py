"""A trained network beside the one it started from, on the cases that were held out.

Both segment the scans as they will for a person, and are scored on the scans' own grids; the
scores that chose the epoch are on the grid of the plan and stand in the training's record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..core.errors import SegmentationAIError
from ..core.progress import IGNORE, Progress
from ..networks.build import load_network
from ..networks.card import NetworkCard
from ..networks.card_reader import card_from_bytes
from ..networks.network_source import CARD
from ..networks.segmenter import Segmenter, open_segmenter
from ..networks.store import WEIGHTS, NetworkStore
from ..networks.weights import read_weights
from .case_reader import RawCase, read_case
from .dataset import CaseFiles, Dataset

# Mean Dice of two networks on one case that differ by less are shown as the same three digits.
ALIKE: Final = 0.0005


@dataclass(frozen=True)
class NetworksCompared:
    """Mean Dice on each held-out case; None where there is nothing to score.

    Attributes:
        base: ID of the network that was started from, empty for none.
        base_sha256: Of its weights.
        structures: Names that both know; all of the trained network's without a base.
        cases: Case ID to the score of the base and that of the trained network.
        can_replace: Whether the trained network knows all that the base knows, so that it can take
            its place.
        note: Why there is no score of the base, empty where there is one.
    """

    base: str
    base_sha256: str
    structures: tuple[str, ...]
    cases: dict[str, tuple[float | None, float | None]]
    can_replace: bool
    note: str = ""

    @property
    def base_mean(self) -> float | None:
        """Of the cases."""
        return _mean(base for base, _ in self.cases.values())

    @property
    def trained_mean(self) -> float | None:
        """Of the cases."""
        return _mean(trained for _, trained in self.cases.values())

    def words(self) -> str:
        """Return the verdict, such as "Better on 7 of 8, worse on case_12"."""
        if self.trained_mean is None:
            return "No case was held out, so how well it does is not known."
        pairs = {n: (b, t) for n, (b, t) in self.cases.items() if b is not None and t is not None}
        if not pairs:
            held_out = f"{len(self.cases)} held-out case{'s'[: len(self.cases) != 1]}"
            return f"Mean Dice {self.trained_mean:.3f} on {held_out}. {self.note}".rstrip()
        worse = [name for name, (base, trained) in pairs.items() if trained < base - ALIKE]
        better = sum(trained > base + ALIKE for base, trained in pairs.values())
        words = f"Better on {better} of {len(pairs)}"
        alike = len(pairs) - better - len(worse)
        if alike:
            words += f", as good on {alike}"
        if worse:
            more = f" and {len(worse) - 3} more" if len(worse) > 3 else ""
            words += f", worse on {', '.join(worse[:3])}{more}"
        return f"{words}."

    def to_json(self) -> dict[str, Any]:
        """Return it, ready for JSON."""
        return {**vars(self), "structures": list(self.structures),
                "cases": {name: list(pair) for name, pair in self.cases.items()}}  # fmt: skip


def compared_from_json(found: Any) -> NetworksCompared:
    """Return what `NetworksCompared.to_json` gave.

    Raises:
        SegmentationAIError: It is something else.
    """
    try:
        cases = {str(name): (_score(b), _score(t)) for name, (b, t) in found["cases"].items()}
        texts = [found[name] for name in ("base", "base_sha256", "note")]
        structures, can_replace = tuple(found["structures"]), found["can_replace"]
        is_valid = all(isinstance(text, str) for text in (*texts, *structures))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SegmentationAIError(
            "The comparison of a training is damaged; train again."
        ) from error
    if not is_valid or type(can_replace) is not bool:
        raise SegmentationAIError("The comparison of a training is damaged; train again.")
    return NetworksCompared(texts[0], texts[1], structures, cases, can_replace, texts[2])


def compare_networks(
    folder: Path,
    base: str,
    dataset: Dataset,
    cases: Sequence[CaseFiles],
    device: str = "auto",
    store: NetworkStore | None = None,
    progress: Progress = IGNORE,
) -> NetworksCompared:
    """Return how a trained network and its base do on held-out cases.

    Args:
        folder: Of the trained one, as `network_folder.write_network` leaves it.
        base: ID of the network that was started from, empty for none.
        dataset: Names the structures.
        cases: That were held out; may be none.
        device: Where they run.
        store: That has the base.
        progress: Told at least once per patch.

    Raises:
        SegmentationAIError: A case or a network cannot be read any more.
        Cancelled: Raised by ``progress``.
    """
    trained = _opened(folder, device)
    older, note = None, "There is no earlier network to hold it against."
    if base and cases:
        older = open_segmenter(base, device, "fp32", store or NetworkStore())
        note = _why_not(older.card, dataset)
    try:
        scored = older if not note else None
        names = _names(dataset, [trained.card, *([scored.card] if scored else [])])
        pairs: dict[str, tuple[float | None, float | None]] = {}
        for number, files in enumerate(cases):
            told = progress.part(number / len(cases), (number + 1) / len(cases))
            case = read_case(dataset, files)
            before = _dice(scored, case, dataset, names, told.part(0.0, 0.5)) if scored else None
            pairs[files.id] = before, _dice(trained, case, dataset, names, told.part(0.5, 1.0))
    finally:
        for one in (trained, older):
            if one is not None:
                one.network.close()
    known = {label.name.casefold() for label in trained.card.labels}
    can_replace = scored is not None and {x.name.casefold() for x in scored.card.labels} <= known
    sha256 = older.card.sha256 if older else ""
    return NetworksCompared(base, sha256, names, pairs, can_replace, note)


def _opened(folder: Path, device: str) -> Segmenter:
    card = card_from_bytes((folder / CARD).read_bytes(), f"{CARD} of {folder.name}")
    weights = read_weights(folder / WEIGHTS, card.sha256)
    return Segmenter(card, load_network(card, weights, device, "fp32"), card.sha256)


def _why_not(base: NetworkCard, dataset: Dataset) -> str:
    """Return why a base cannot be scored, empty when it can."""
    if len(base.channels) != len(dataset.channels):
        return (
            f"{base.id} reads {len(base.channels)} channel(s) and these scans have "
            f"{len(dataset.channels)}, so it cannot be held against it."
        )
    if not _names(dataset, [base]):
        return f"{base.id} knows none of these structures, so it cannot be held against it."
    return ""


def _names(dataset: Dataset, cards: Sequence[NetworkCard]) -> tuple[str, ...]:
    """Return the data set's structures that all cards know by name."""
    known = [{label.name.casefold() for label in card.labels} for card in cards]
    return tuple(
        label.name for label in dataset.labels if all(label.name.casefold() in k for k in known)
    )


def _dice(
    segmenter: Segmenter,
    case: RawCase,
    dataset: Dataset,
    names: Sequence[str],
    progress: Progress,
) -> float | None:
    """Return the mean Dice of the named structures on the case's own grid."""
    found = segmenter.segment(case.volume, progress=progress).labelmap
    truth = case.labelmap.layers[0]
    scores = []
    for name in names:
        value = next(label.value for label in dataset.labels if label.name == name)
        label = next(one for one in found.labels if one.name.casefold() == name.casefold())
        right, mask = truth == value, found.mask(label)
        size = np.count_nonzero(right) + np.count_nonzero(mask)
        if size:
            scores.append(2 * np.count_nonzero(right & mask) / size)
    return float(np.mean(scores)) if scores else None


def _mean(scores: Iterable[float | None]) -> float | None:
    numbers = [score for score in scores if score is not None]
    return sum(numbers) / len(numbers) if numbers else None


def _score(found: Any) -> float | None:
    if found is None:
        return None
    if type(found) not in (int, float) or not 0 <= found <= 1:
        raise ValueError(found)
    return float(found)
