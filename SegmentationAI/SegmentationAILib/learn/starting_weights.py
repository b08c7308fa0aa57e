"""Weights of one network as the start of another: other labels, other channels, the same body.

Which tensors belong to the head, and along which axis, is not guessed from names: the architecture
is built once with one channel more, and whatever grows is the head (or the first layer).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.errors import WeightsError
from ..networks.card import Architecture, NetworkCard
from ..networks.expected_shapes import COUNTER
from ..networks.registry import build
from ..networks.weights import Weights
from .plan import TrainingPlan
from .training_session import seeded_network

Array = NDArray[Any]
_CHANNELS = ("in_channels", "out_channels")
# With fewer tensors in common the networks have nothing to do with each other.
LEAST_IN_COMMON = 0.5


@dataclass(frozen=True, eq=False)
class StartingWeights:
    """Weights that fit a plan's network.

    Attributes:
        weights: All of its tensors.
        notes: What was taken over and what was made anew, sentences.
    """

    weights: Weights
    notes: tuple[str, ...]


def starting_weights(card: NetworkCard, weights: Weights, plan: TrainingPlan) -> StartingWeights:
    """Return a network's weights, fitted to the labels and channels of a plan.

    Rows of the head are copied by label name (and background by background); those of new labels
    are random, from the plan's seed. The first layer is copied by the roles of channels; a role
    that the network does not know gets the mean over those it knows, and where the number of
    channels changes, the layer is scaled so that its sums stay of the same size. With one channel
    on both sides the roles do not matter.

    Args:
        card: Of the network to start from.
        weights: Its tensors.
        plan: Its architecture is the card's, but for the channels.

    Raises:
        WeightsError: The plan has another architecture, or the network is an ensemble of folds.
    """
    _check_alike(card, plan)
    fresh = {name: t.numpy() for name, t in seeded_network(plan).state_dict().items()}
    heads = _growing_axes(plan.architecture, "out_channels")
    firsts = _growing_axes(plan.architecture, "in_channels")
    rows, mixing = _rows(card, plan), _mixing(card, plan)
    fitted: Weights = {}
    missing = []
    for name, random in fresh.items():
        if name not in weights:
            fitted[name] = random
            if not name.endswith(COUNTER):
                missing.append(name)
            continue
        array = np.asarray(weights[name], np.float32 if random.dtype.kind == "f" else random.dtype)
        for axis in firsts.get(name, ()):
            array = _mixed(array, mixing, axis)
        if name in heads:
            array = _with_rows(array, random, heads[name], rows, card.out_channels)
        fitted[name] = array if array.shape == random.shape else random
        if array.shape != random.shape:
            missing.append(name)
    if len(missing) > LEAST_IN_COMMON * len(fresh):
        raise WeightsError(
            f"{len(missing)} of the {len(fresh)} tensors of the network to be are not those of "
            f"{card.id}; start from another network, or from none."
        )
    return StartingWeights(fitted, _notes(card, plan, rows, missing))


def _check_alike(card: NetworkCard, plan: TrainingPlan) -> None:
    if card.folds > 1:
        raise WeightsError(
            f"{card.id} is an ensemble of {card.folds} networks; start from one of them alone."
        )
    ours, theirs = (
        (one.name, {k: v for k, v in one.arguments().items() if k not in _CHANNELS})
        for one in (plan.architecture, card.architecture)
    )
    if ours != theirs:
        raise WeightsError(
            f"The plan's network is a {ours[0]} and {card.id} a {theirs[0]}, or their sizes "
            "differ; plan the training from that network."
        )


def _growing_axes(architecture: Architecture, setting: str) -> dict[str, tuple[int, ...]]:
    """Return, by tensor, the axes that grow with a setting."""
    arguments: dict[str, Any] = architecture.arguments()
    small = _shapes(architecture.name, arguments)
    large = _with_more(architecture.name, arguments, setting)
    growing = {}
    for name, shape in small.items():
        pairs = zip(shape, large[name], strict=True)
        axes = tuple(axis for axis, (a, b) in enumerate(pairs) if a != b)
        if axes:
            growing[name] = axes
    return growing


def _with_more(name: str, arguments: dict[str, Any], setting: str) -> dict[str, tuple[int, ...]]:
    number = int(arguments[setting])
    try:
        return _shapes(name, {**arguments, setting: number + 1})
    except WeightsError:  # V-Net takes numbers of channels that divide 16
        return _shapes(name, {**arguments, setting: 2 * number})


def _shapes(name: str, arguments: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {n: tuple(t.shape) for n, t in build(name, arguments).state_dict().items()}


def _rows(card: NetworkCard, plan: TrainingPlan) -> dict[int, int]:
    """Return channel of the plan's logits to channel of the card's, by the names of labels."""
    first = 1 if card.output == "softmax" else 0
    known = {label.name.casefold(): n for n, label in enumerate(card.labels, start=first)}
    rows = {0: 0} if first else {}
    for number, label in enumerate(plan.labels, start=1):
        if label.name.casefold() in known:
            rows[number] = known[label.name.casefold()]
    return rows


def _with_rows(
    array: Array, random: Array, axes: tuple[int, ...], rows: dict[int, int], out_channels: int
) -> Array:
    """Return the random tensor with the rows that are known, along all axes that follow."""
    others = [axis for axis in range(random.ndim) if axis not in axes]
    is_alike = all(array.shape[axis] == random.shape[axis] for axis in others)
    if not is_alike or any(array.shape[axis] != out_channels for axis in axes):
        return random
    new = [list(rows) if a in axes else range(side) for a, side in enumerate(random.shape)]
    old = [list(rows.values()) if a in axes else range(side) for a, side in enumerate(array.shape)]
    found = random.copy()
    found[np.ix_(*new)] = array[np.ix_(*old)]
    return found


def _mixing(card: NetworkCard, plan: TrainingPlan) -> NDArray[np.float32]:
    """Return `(new, old)`: how much of each old channel's kernel a new channel gets."""
    old = [channel.role.casefold() for channel in card.channels]
    new = [channel.role.casefold() for channel in plan.channels]
    mixing = np.full((len(new), len(old)), 1 / len(old), np.float32)
    for number, role in enumerate(new):
        if role in old:
            mixing[number] = np.eye(len(old), dtype=np.float32)[old.index(role)]
    return mixing * np.float32(len(old) / len(new))


def _mixed(array: Array, mixing: NDArray[np.float32], axis: int) -> Array:
    if array.shape[axis] != mixing.shape[1]:
        return array
    mixed = np.tensordot(mixing, array, axes=(1, axis))
    return np.asarray(np.moveaxis(mixed, 0, axis), np.float32)


def _notes(
    card: NetworkCard, plan: TrainingPlan, rows: dict[int, int], missing: list[str]
) -> tuple[str, ...]:
    kept = [plan.labels[number - 1].name for number in rows if number]
    new = [label.name for label in plan.labels if label.name not in kept]
    notes = [f"It starts from the weights of {card.id}."]
    if new:
        known = f"; {', '.join(kept[:6])} start from those it has" if kept else ""
        notes.append(f"The head learns {', '.join(new[:6])} from nothing{known}.")
    old = [channel.role for channel in card.channels]
    fresh = [c.role for c in plan.channels if c.role.casefold() not in {o.casefold() for o in old}]
    if fresh and len(old) + len(plan.channels) > 2:
        notes.append(f"Channel {', '.join(fresh)} starts from the mean of {', '.join(old)}.")
    if missing:
        notes.append(f"{len(missing)} tensors that {card.id} does not have start at random.")
    return tuple(notes)
