"""A training plan in words: what the person reads before it begins."""

from typing import Final

from .plan import ExpectedCost, TrainingPlan

_RULES: Final = {
    "none": "left as they are",
    "minmax": "scaled to 0 to 1",
    "percentile": "scaled between percentiles to 0 to 1",
    "quantile-nonzero": "scaled between percentiles of what is not 0",
    "zscore": "brought to mean 0 and standard deviation 1",
    "zscore-nonzero": "brought to mean 0 and standard deviation 1 where they are not 0",
    "zscore-mask": "brought to mean 0 and standard deviation 1 where the scan is not empty",
    "clip": "cut to a fixed range and scaled",
}
MOST_NAMES: Final = 6


def words_of_plan(plan: TrainingPlan) -> str:
    """Return the plan in a paragraph, with units."""
    return " ".join([_data(plan), _patches(plan), _steps(plan), _cost(plan.expected), *plan.notes])


def duration(seconds: float) -> str:
    """Return a time in words.

    Examples:
        >>> duration(42.4), duration(95), duration(754), duration(9000)
        ('42 s', '2 min', '13 min', '2.5 h')
    """
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _data(plan: TrainingPlan) -> str:
    names = [label.name for label in plan.labels]
    shown = ", ".join(names[:MOST_NAMES])
    rest = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    structures = "structure" if len(names) == 1 else "structures"
    kind = {"any": "volumes"}.get(plan.modality, f"{plan.modality} volumes")
    inputs = len(plan.channels)
    channels = "" if inputs == 1 else f" of {inputs} channels"
    spacing = " x ".join(f"{s:.3g}" for s in plan.spacing_mm)
    rules = {(c.intensity or plan.intensity).rule for c in plan.channels}
    scaled = " or ".join(_RULES[rule] for rule in sorted(rules))
    return (
        f"A {plan.architecture.name} learns {len(names)} {structures} ({shown}{rest}) from {kind}"
        f"{channels}, turned to {plan.orientation}, resampled to {spacing} mm, intensities "
        f"{scaled}."
    )


def _patches(plan: TrainingPlan) -> str:
    sides = plan.patch_size[:2] if plan.is_of_planes else plan.patch_size
    size = " x ".join(str(side) for side in sides)
    millimeters = " x ".join(f"{n * s:.0f}" for n, s in zip(sides, plan.spacing_mm, strict=False))
    what = "planes" if plan.is_of_planes else "patches"
    return (
        f"It sees {plan.batch_size} {what} of {size} voxels ({millimeters} mm) at a time, "
        f"{plan.foreground_fraction:.0%} of them around a structure."
    )


def _steps(plan: TrainingPlan) -> str:
    held_out = "no case is held out"
    if plan.validation_fraction:
        held_out = (
            f"{plan.validation_fraction:.0%} of the patients are held out, and it stops early when "
            f"they have not improved for {plan.patience} epochs"
        )
    return (
        f"{plan.epochs} epochs of {plan.steps_per_epoch} steps, loss {plan.loss}, optimizer "
        f"{plan.optimizer}, learning rate {plan.learning_rate:g}, {plan.precision}; {held_out}."
    )


def _cost(expected: ExpectedCost | None) -> str:
    if expected is None:
        return "Time and memory were not estimated."
    return (
        f"The network has {expected.weights / 1e6:.2g} million weights; the training is expected "
        f"to take about {duration(expected.seconds)} and {expected.memory_mib:.0f} MiB on this "
        f"computer ({expected.basis})."
    )
