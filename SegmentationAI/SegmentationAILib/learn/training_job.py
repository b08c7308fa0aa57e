"""From a data set to an installable network: check, plan, prepare, train, write down.

The command line and the panel's worker do the same two calls: `planned_job` says what will be
done and what it costs, `run_job` does it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..core.errors import SegmentationAIError
from ..core.progress import IGNORE, Progress
from ..networks.card import License, NetworkCard
from ..networks.network_source import check_id
from ..networks.store import NetworkStore
from ..networks.training_record import Parent
from ..networks.weights import Weights
from .across_processes import of_first_process, process_number
from .case_cache import CaseCache
from .dataset import CaseFiles, Dataset, read_dataset
from .dataset_checks import CheckReport, check_dataset, check_no_leak
from .default_plan import default_plan
from .fingerprint import fingerprint_of
from .frozen_layers import Freeze
from .network_folder import NetworkFacts, write_network
from .plan import OptimizerName, TrainingPlan
from .plan_file import plan_from_bytes
from .planned_architecture import check_trainable
from .split import Split, hold_out_split
from .starting_weights import starting_weights
from .trainer import TrainedNetwork, TrainingOptions, train
from .training_case import PreparedCase
from .training_cost import expected_cost, step_cost
from .training_events import OnEvent, no_one
from .training_folder import PLAN
from .training_history import TrainingHistory
from .training_machine import TrainingMachine, this_machine
from .transfer_plan import transfer_plan

# Fractions of a job at which its parts end.
PREPARED, TRAINED = 0.03, 0.99


@dataclass(frozen=True)
class TrainingRequest:
    """What a person asked for.

    Attributes:
        data: ``dataset.json`` or its folder.
        output: Folder of the training; its name is the network's ID.
        base: ID of an installed network to start from, empty for none.
        architecture: Name of one to start with random weights, empty for the default.
        epochs: Instead of the plan's.
        minutes: Length by the clock instead of epochs.
        freeze: What of the base stays as it is.
        optimizer: What takes the steps, see `Optimizer`.
        seed: Of the split and of everything random.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        resume: Go on with the training in the folder.
    """

    data: Path
    output: Path
    base: str = ""
    architecture: str = ""
    epochs: int | None = None
    minutes: float | None = None
    freeze: Freeze = "none"
    optimizer: OptimizerName = "adamw"
    seed: int = 0
    device: str = "auto"
    resume: bool = False


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """What will be done.

    Attributes:
        request: What was asked for.
        dataset: To learn from.
        report: What the checks of the data found.
        split: Who is learned from and who is held out.
        plan: With what it is expected to cost.
        base: Card and weights to start from, None for random ones.
        machine: Where it runs.
    """

    request: TrainingRequest
    dataset: Dataset
    report: CheckReport
    split: Split
    plan: TrainingPlan
    base: tuple[NetworkCard, Weights] | None
    machine: TrainingMachine


def planned_job(
    request: TrainingRequest,
    store: NetworkStore | None = None,
    progress: Progress = IGNORE,
    report: CheckReport | None = None,
) -> TrainingJob:
    """Check the data and return what will be done; nothing is written but the cache.

    A training that is resumed keeps the plan with which it was begun.

    Args:
        request: What was asked for.
        store: That has the base.
        progress: Told once per case that is checked.
        report: Of checks that were done already, such as those of the cases that a person chose;
            its data set is taken instead of the request's.

    Raises:
        SegmentationAIError: The data, the base or the output cannot be used.
    """
    check_id(request.output.resolve().name)
    if request.freeze != "none" and not request.base:
        raise SegmentationAIError(
            f"Freezing {request.freeze} was asked for without a base: a network with random "
            "weights has nothing worth keeping. Name one with --base."
        )
    dataset = read_dataset(request.data) if report is None else report.dataset
    base = _base(request, store or NetworkStore())
    machine = this_machine(request.device)
    if report is None:
        report = check_dataset(dataset, progress)
    cases = report.usable_cases()
    known = request.output / PLAN
    if request.resume and known.is_file():
        plan = plan_from_bytes(known.read_bytes(), known.name)
    else:
        plan = _new_plan(request, dataset, report, base, machine)
    split = hold_out_split(cases, plan.validation_fraction, plan.seed)
    check_no_leak(split, report.facts)
    return TrainingJob(request, dataset, report, split, plan, base, machine)


def run_job(
    job: TrainingJob, progress: Progress = IGNORE, on_event: OnEvent = no_one
) -> tuple[TrainedNetwork, NetworkCard]:
    """Train and write the network into the output folder; return it with its card.

    Args:
        job: As planned.
        progress: Told at least once per step; to pause it waits, to cancel it raises.
        on_event: Told everything.

    Raises:
        SegmentationAIError: See `trainer.train`.
        Cancelled: Raised by ``progress``; the folder can be resumed.
    """
    request, plan = job.request, job.plan
    cases, hold_out = _prepared(job, progress.part(0.0, PREPARED))
    start = None
    notes = plan.notes
    if job.base is not None:
        fitted = starting_weights(*job.base, plan)
        start, notes = fitted.weights, (*plan.notes, *fitted.notes)
    options = TrainingOptions(request.minutes, request.device, request.resume)
    trained = train(
        cases, plan, output=request.output, hold_out=hold_out, start=start, freeze=request.freeze,
        options=options, progress=progress.part(PREPARED, TRAINED), on_event=on_event,
    )  # fmt: skip
    trained = replace(trained, plan=replace(trained.plan, notes=notes))
    facts = _facts(job)
    if process_number() == 0:
        card = write_network(request.output, trained, facts, cases, hold_out)
        _remember(job, trained)
    else:
        card = trained.plan.card()
    of_first_process(0.0)
    progress(1.0, "Network written")
    return trained, card


def _base(request: TrainingRequest, store: NetworkStore) -> tuple[NetworkCard, Weights] | None:
    if not request.base:
        return None
    found = store.find(request.base)
    return found.card, found.read_weights()


def _new_plan(
    request: TrainingRequest,
    dataset: Dataset,
    report: CheckReport,
    base: tuple[NetworkCard, Weights] | None,
    machine: TrainingMachine,
) -> TrainingPlan:
    # Of all usable cases, as nnU-Net does: sizes, spacings and, for CT, one scale for intensities.
    usable = [report.facts[case.id] for case in report.usable_cases()]
    name = request.architecture or None
    if base is not None:
        name = _plannable(base[0].architecture.name)
    plan = default_plan(dataset, fingerprint_of(usable), machine, name, request.seed)
    if base is not None:
        plan = transfer_plan(plan, base[0], request.freeze)
    plan = replace(plan, optimizer=request.optimizer, epochs=request.epochs or plan.epochs)
    return replace(plan, expected=expected_cost(plan, machine))


def _plannable(name: str) -> str | None:
    """Return the base's architecture where a plan can be made for it, else None."""
    try:
        check_trainable(name)
    except SegmentationAIError:
        return None
    return name


def _prepared(
    job: TrainingJob, progress: Progress
) -> tuple[list[PreparedCase], list[PreparedCase]]:
    """Return the cases on the plan's grid; of several processes the first fills the cache."""
    if process_number() > 0:
        of_first_process(0.0)
    cache = CaseCache()
    sides: list[list[PreparedCase]] = []
    parts: list[tuple[CaseFiles, ...]] = [job.split.training, job.split.hold_out]
    for number, part in enumerate(parts):
        told = progress.part(number / 2, (number + 1) / 2)
        # Left on the disk: hundreds of scans need not fit into memory, and the system keeps in it
        # what is asked for again and again.
        found = cache.prepare_all(job.dataset, part, job.plan, mapped=True, progress=told)
        sides.append(list(found) if part else [])
    if process_number() == 0:
        of_first_process(0.0)
    return sides[0], sides[1]


def _facts(job: TrainingJob) -> NetworkFacts:
    names = ", ".join(label.name for label in job.plan.labels[:6])
    more = f" and {len(job.plan.labels) - 6} more" if len(job.plan.labels) > 6 else ""
    of_data = job.dataset.license or "none stated"
    parents: tuple[Parent, ...] = ()
    use, text = "unstated", f"Trained on {job.dataset.name}, whose license is: {of_data}."
    title = f"{job.dataset.name}, trained from scratch"
    if job.base is not None:
        card = job.base[0]
        title = f"{job.dataset.name}, fine-tuned from {card.id}"
        earlier = card.training.parents if card.training else ()
        parents = (Parent(card.id, card.sha256), *earlier)
        use = "unstated" if card.license.use == "free" else card.license.use
        text += f" Fine-tuned from {card.id} ({card.license.id}: {card.license.text})."
    return NetworkFacts(
        id=job.request.output.resolve().name,
        title=title[:200],
        task=f"Segments {names}{more}."[:1000],
        license=License("unstated", text[:1000], use),  # type: ignore[arg-type]  # one of its values
        freeze=job.request.freeze,
        parents=parents[:20],
    )


def _remember(job: TrainingJob, trained: TrainedNetwork) -> None:
    """Let the next estimate know what this training took."""
    promised = step_cost(job.plan, job.machine).seconds * len(trained.losses)
    TrainingHistory().add(job.plan, job.machine.device.name, promised, trained.seconds)
