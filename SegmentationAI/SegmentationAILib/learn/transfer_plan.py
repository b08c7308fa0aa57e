"""A plan for a network that starts from another one: its body and grid are the other's."""

from __future__ import annotations

from dataclasses import replace

from ..core.errors import WeightsError
from ..networks.card import Architecture, NetworkCard
from ..networks.registry import build
from ..networks.trainable import TrainableNetwork
from .frozen_layers import Freeze
from .learning_rate import fine_tuning_rate
from .plan import TrainingPlan


def transfer_plan(plan: TrainingPlan, base: NetworkCard, freeze: Freeze = "none") -> TrainingPlan:
    """Return a plan made from the data alone, changed to start from an installed network.

    The body of the network, its grid and, for the same modality, its intensity rule are the base's;
    patches are the plan's, rounded up to what the base takes; the rate is that of fine-tuning.

    Args:
        plan: As `default_plan` makes it from the data.
        base: Card of the network to start from.
        freeze: What will stay as it is.

    Raises:
        WeightsError: The base is of a kind that is not trained here.
    """
    _check_trainable(base)
    arguments = {
        **base.architecture.arguments(),
        "in_channels": len(plan.channels),
        "out_channels": plan.out_channels,
    }
    architecture = Architecture(base.architecture.name, tuple(sorted(arguments.items())))
    network = build(architecture.name, architecture.arguments())
    if not isinstance(network, TrainableNetwork):
        raise WeightsError(
            f"{base.id} is a {architecture.name}, which is not trained here; start from another "
            "network, or from none."
        )
    divisors = (*network.divisors, 1)[:3]
    sides = list(plan.patch_size)
    if len(network.divisors) == 2:
        sides[2] = 1
    elif plan.is_of_planes:
        sides = list(base.patch_size or plan.patch_size)
    sides = [-(-side // divisor) * divisor for side, divisor in zip(sides, divisors, strict=True)]
    same_kind = base.modality == plan.modality
    note = f"Body and grid are those of {base.id}, from whose weights it starts."
    return replace(
        plan,
        architecture=architecture,
        orientation=_orientation(plan, base),
        spacing_mm=base.spacing_mm or plan.spacing_mm,
        intensity=base.intensity if same_kind else plan.intensity,
        conventions=base.conventions if same_kind else plan.conventions,
        patch_size=(sides[0], sides[1], sides[2]),
        overlap=base.overlap,
        learning_rate=fine_tuning_rate(plan.learning_rate, freeze),
        expected=None,
        notes=(*plan.notes, note),
    )


def _check_trainable(base: NetworkCard) -> None:
    reason = ""
    if base.folds > 1:
        reason = f"is an ensemble of {base.folds} networks"
    elif base.monai is not None:
        reason = "prepares volumes by MONAI's own steps"
    elif base.size is not None:
        reason = "takes a fixed grid"
    if reason:
        raise WeightsError(
            f"{base.id} {reason}, from which no training starts here; choose another base."
        )


def _orientation(plan: TrainingPlan, base: NetworkCard) -> str:
    if base.orientation is not None:
        return base.orientation
    # A network without orientation takes the scan's own axes in its own order.
    return "".join(plan.orientation[axis] for axis in base.axes)
