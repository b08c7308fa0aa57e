"""The folds of one network: several sets of tensors in one file, one set for each.

nnU-Net trains five networks on five splits of its data and averages their logits (Isensee et al.,
Nature Methods 2021, doi:10.1038/s41592-020-01008-z). They are one network here, with one card, one
file and one hash.
"""

from dataclasses import replace

from .card import NetworkCard
from .weights import Weights


def fold_prefix(fold: int) -> str:
    """Return what the names of a fold's tensors begin with."""
    return f"fold_{fold}."


def joined_folds(folds: list[Weights]) -> Weights:
    """Return the tensors of all folds under names of their own; of a single one as they are."""
    if len(folds) == 1:
        return folds[0]
    return {
        fold_prefix(number) + name: array
        for number, weights in enumerate(folds)
        for name, array in weights.items()
    }


def with_folds(card: NetworkCard, shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Return the shapes by name of all folds, from those of one."""
    if card.folds == 1:
        return shapes
    return {
        fold_prefix(number) + name: shape
        for number in range(card.folds)
        for name, shape in shapes.items()
    }


def split_folds(card: NetworkCard, weights: Weights) -> list[tuple[NetworkCard, Weights]]:
    """Return card and tensors of each fold; one that has no folds is its own only fold.

    The card of a fold has the hash of the file with its number behind it, so that what is kept of
    one (such as a converted network) is not taken for another.
    """
    if card.folds == 1:
        return [(card, weights)]
    parts = []
    for number in range(card.folds):
        prefix = fold_prefix(number)
        own = {n.removeprefix(prefix): a for n, a in weights.items() if n.startswith(prefix)}
        parts.append((replace(card, folds=1, sha256=f"{card.sha256}-{number}"), own))
    return parts
