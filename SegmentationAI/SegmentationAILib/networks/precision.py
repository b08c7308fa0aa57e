"""Which precision a network may run in: the fastest whose recorded agreement allows it.

Lower precision changes labels a little. How much is measured once per network on real volumes,
against single precision, and recorded on its card (`PrecisionGate`) or, for this machine, in
``precision_gates.json`` of the data folder. What is accepted is said in `is_allowed` alone. Without
a record ``auto`` stays in single precision. ``Testing/benchmarks/record_gates.py`` measures gates.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..core.atomic import whole_file
from ..core.errors import SegmentationAIError
from ..resources import data_folder
from .card import NetworkCard, PrecisionGate
from .strict_json import json_from_bytes

Precision = Literal["fp32", "fp16", "bf16", "int8"]
Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]

# What "auto" accepts: the least times that a network has to be faster for the largest loss of Dice.
TIERS: Final = ((0.0, 0.001), (6.0, 0.005))
# Two segmentations may score alike against the truth and still differ; below this mean Dice with
# single precision they are not the same result, whatever they score.
LEAST_AGREEMENT: Final = 0.995
# From fastest to slowest, as measured on CPUs with AMX and on GPUs with tensor cores.
FASTEST_FIRST: Final[dict[str, tuple[Precision, ...]]] = {
    "cpu": ("int8", "bf16"),
    "cuda": ("fp16", "bf16"),
}
RECORD: Final = "precision_gates.json"
MAX_RECORD_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class ChosenPrecision:
    """A precision and, where it is not simply what was asked for, the sentence that says why."""

    precision: Precision
    note: str = ""


def choose_precision(
    card: NetworkCard,
    requested: str,
    device: str,
    available: Sequence[str],
    recorded: Sequence[PrecisionGate] | None = None,
) -> ChosenPrecision:
    """Return the precision to run in.

    Args:
        card: Of the network; its gates come before those of this machine.
        requested: ``auto`` or a precision by name.
        device: ``cpu``, ``cuda`` or ``mps``.
        available: Precisions that the device computes faster than single precision.
        recorded: Gates measured on this machine; None reads them from the data folder.

    Raises:
        SegmentationAIError: A precision asked for by name that this device does not have.
    """
    if requested == "fp32":
        return ChosenPrecision("fp32")
    if requested != "auto":
        return _as_requested(card, requested, device, available, recorded)
    gates = [*card.gates, *(read_gates(card) if recorded is None else recorded)]
    for precision in FASTEST_FIRST.get(device, ()):
        if precision not in available:
            continue
        gate = _gate_of(gates, precision, device)
        if gate is not None and is_allowed(gate):
            note = (
                f"Computed in {precision}: on {gate.cases} real volumes its labels agreed with "
                f"single precision to a mean Dice of {gate.mean_dice:.4f}."
            )
            return ChosenPrecision(precision, note)
    return ChosenPrecision("fp32")


def is_allowed(gate: PrecisionGate) -> bool:
    """Return whether "auto" may run in the precision of a gate.

    Its loss is the change of Dice against known labels where there are some, else all that its
    labels differ from those of single precision. A loss of 0.001 is always accepted, one of 0.005
    from a precision that was measured to be six times faster than PyTorch in single precision.
    """
    loss = 1 - gate.mean_dice if gate.dice_change is None else abs(gate.dice_change)
    fits = any(gate.times_faster >= least and loss <= largest for least, largest in TIERS)
    return fits and gate.mean_dice >= LEAST_AGREEMENT


def _as_requested(
    card: NetworkCard,
    requested: str,
    device: str,
    available: Sequence[str],
    recorded: Sequence[PrecisionGate] | None,
) -> ChosenPrecision:
    if requested not in available:
        have = ", ".join(("fp32", *available))
        raise SegmentationAIError(
            f"Precision {requested!a} is not to be had on {device} here; there are: {have}. "
            "Ask for one of them, or for auto."
        )
    gates = [*card.gates, *(read_gates(card) if recorded is None else recorded)]
    gate = _gate_of(gates, requested, device)
    precision: Precision = requested  # type: ignore[assignment]  # is one of `available`
    if gate is None:
        note = f"Computed in {requested} as asked; its agreement was never measured."
        return ChosenPrecision(precision, note)
    if not is_allowed(gate):
        note = (
            f"Computed in {requested} as asked, although its labels agree with single precision "
            f"only to a mean Dice of {gate.mean_dice:.4f}."
        )
        return ChosenPrecision(precision, note)
    return ChosenPrecision(precision)


def measure_gate(
    reference: Network,
    network: Network,
    volumes: Iterable[NDArray[np.float32]],
    precision: Precision,
    device: str,
) -> PrecisionGate:
    """Return how well a network in lower precision agrees with single precision.

    Args:
        reference: The network in single precision.
        network: The same network in ``precision``.
        volumes: Prepared real input, each ``(C, X, Y, Z)``; one call each.
        precision: Of ``network``.
        device: ``cpu`` or ``cuda``.

    Raises:
        ValueError: No volume, or no label in any.
    """
    means, lowest = [], 1.0
    for volume in volumes:
        expected = reference(volume[None])[0].argmax(axis=0)
        found = network(volume[None])[0].argmax(axis=0)
        scores = label_dice(expected, found)
        if scores:
            means.append(float(np.mean(scores)))
            lowest = min(lowest, *scores)
    if not means:
        raise ValueError("a gate needs volumes in which the network finds something")
    return PrecisionGate(precision, device, float(np.mean(means)), lowest, len(means))


def label_dice(expected: NDArray[np.integer[Any]], found: NDArray[np.integer[Any]]) -> list[float]:
    """Return the Dice of every label but 0 that occurs in either array."""
    size = int(max(expected.max(), found.max())) + 1
    both = np.bincount(expected[expected == found].ravel(), minlength=size)
    total = np.bincount(expected.ravel(), minlength=size)
    total += np.bincount(found.ravel(), minlength=size)
    return [float(2 * both[k] / total[k]) for k in range(1, size) if total[k]]


def read_gates(card: NetworkCard) -> list[PrecisionGate]:
    """Return the gates measured on this machine for exactly these weights.

    Raises:
        WeightsError: The record is damaged.
    """
    path = data_folder() / RECORD
    if not path.is_file():
        return []
    rows = json_from_bytes(path.read_bytes(), RECORD, MAX_RECORD_BYTES).get(card.sha256, [])
    return [PrecisionGate(**row) for row in rows]


def record_gate(card: NetworkCard, gate: PrecisionGate) -> Path:
    """Record a gate for this machine; one of the same precision and device is replaced.

    Returns:
        The file that holds it.
    """
    path = data_folder() / RECORD
    found: dict[str, list[dict[str, Any]]] = {}
    if path.is_file():
        found = json_from_bytes(path.read_bytes(), RECORD, MAX_RECORD_BYTES)
    kept = [
        row
        for row in found.get(card.sha256, [])
        if (row["precision"], row["device"]) != (gate.precision, gate.device)
    ]
    found[card.sha256] = [*kept, asdict(gate)]
    with whole_file(path) as beside:
        beside.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return path


def _gate_of(gates: Sequence[PrecisionGate], precision: str, device: str) -> PrecisionGate | None:
    of_kind = [g for g in gates if g.precision == precision and g.device == device]
    return of_kind[0] if of_kind else None
