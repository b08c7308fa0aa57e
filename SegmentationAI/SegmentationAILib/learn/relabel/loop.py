"""The relabelling loop: learn from weak labels, predict, take the predictions as labels, again.

"Iterative Refinement Algorithm for Liver Segmentation Ground-Truth Generation Using Fine-Tuning
Weak Labels for CT and Structural MRI": each iteration trains a fresh copy of the base network for
15 epochs on the labels of the iteration before and predicts the same cases. Here it goes on with
the network of the iteration before where nothing else is asked for (see `RelabelSettings`). What a
person corrects or accepts weighs more and is never replaced. Reference labels play no part: nothing
here knows where they are.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from ...core.errors import SegmentationAIError
from ...core.progress import IGNORE, Progress
from ...core.staging import clear_leftovers
from ...networks.ensemble import joint_sha256
from ...networks.segmenter import Segmenter
from ...networks.store import NetworkStore
from ...networks.weights import Weights
from ..plan import TrainingPlan
from ..study.images_folder import check_images_folder
from ..study.iterations import Outcome, begin, finish, inputs_of, iterations, predictions_of
from ..study.label_table import labels_from_text
from ..study.leak import check_no_leak
from ..study.person import fail, read_volume_of
from ..study.reason import reason_of
from ..study.records import Case, Iteration
from ..study.study import NETWORKS, Study
from ..study.versions import add_version
from ..trainer import TrainedNetwork, TrainingOptions, train
from ..training_case import PreparedCase
from ..training_events import OnEvent, no_one
from .base import Base, plan_of_base, read_base, start_weights, steps_per_epoch
from .learned_labels import learned_case
from .members import Member, members_of
from .networks import (
    IterationNetwork,
    discard_trainings,
    keep_network,
    network_folder,
    read_network,
    segmenter_of,
    training_folder,
)
from .predictions import predicted_version
from .run_record import end_run, iterations_left
from .scores import scores_before, scores_of
from .settings import NO_GATE, RelabelSettings, check_goes_on, settings_to_text
from .stop_rule import verdict

# Shares of an iteration's time, measured on hippocampus on two cores.
TRAINED, PREDICTED = 0.8, 0.98


class Train(Protocol):
    """What trains a network; `trainer.train` is the one that does."""

    def __call__(
        self,
        cases: Sequence[PreparedCase],
        plan: TrainingPlan,
        *,
        output: Path,
        start: Weights | None,
        freeze: Any,
        options: TrainingOptions,
        progress: Progress,
        on_event: OnEvent,
    ) -> TrainedNetwork:
        """Return a network trained on ``cases``."""


@dataclass(frozen=True)
class Tools:
    """What the loop works with.

    Attributes:
        store: Where the base network is.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        train: Trains a network.
        on_event: Told everything about each training, see `training_events`.
    """

    store: NetworkStore = field(default_factory=NetworkStore)
    device: str = "auto"
    train: Train = train
    on_event: OnEvent = no_one


def relabel(
    study: Study,
    settings: RelabelSettings,
    count: int,
    tools: Tools | None = None,
    progress: Progress = IGNORE,
) -> list[Iteration]:
    """Run iterations until ``count`` are done or the stop rule ends the loop, and return them.

    What a kill or a cancel has interrupted is gone on with: the same settings and count end with
    the same iteration and come to the same networks and labels, bit for bit on one CPU.

    Args:
        study: Open.
        settings: How each iteration learns and predicts.
        count: Iterations at the utmost, those that an interrupted run has done included.
        tools: What it works with, None for the real ones.
        progress: Told before each step and patch; to cancel, that call raises.

    Raises:
        SegmentationAIError: Another window is relabelling, the base network is not there or has
            changed, or a scan is both learned from and held out.
        Cancelled: Raised by ``progress``; what is done stays, and the next run goes on.
    """
    if count < 1:
        raise SegmentationAIError(f"{count} iterations were asked for; 1 or more are possible.")
    tools = tools or Tools()
    done = []
    with study.running_alone():
        check_images_folder(study)
        check_no_leak(study.cases())
        clear_leftovers(study.folder / NETWORKS)
        left = iterations_left(study, settings_to_text(settings), count)
        for number in range(left):
            part = progress.part(number / left, (number + 1) / left)
            one, stops = _Iteration(study, settings, tools).run(part)
            done.append(one)
            if stops:
                break
        end_run(study)
    return done


class _Iteration:
    """One turn of the loop, begun or gone on with."""

    def __init__(self, study: Study, settings: RelabelSettings, tools: Tools) -> None:
        self._started = time.monotonic()
        self._study, self._settings, self._tools = study, settings, tools
        self._labels = labels_from_text(study.facts.labels)
        self._before = [
            one for one in iterations(study) if one.is_finished and not one.is_rolled_back
        ]
        self._starts = self._starting_points()
        sha256 = joint_sha256([start.card.sha256 for start in self._starts])
        self._number = begin(study, settings_to_text(settings), sha256).number
        self._inputs = inputs_of(study, self._number)

    def run(self, progress: Progress) -> tuple[Iteration, bool]:
        """Train, predict, score, finish; return the iteration and whether the loop ends."""
        free = [case.id for case in self._study.cases() if not case.is_held_out]
        members = members_of(self._settings, self._number, self._learnable(), free)
        for member in members:
            share = TRAINED / len(members)
            part = progress.part(member.number * share, (member.number + 1) * share)
            if not network_folder(self._study, self._number, member.number).exists():
                self._train(member, part)
        networks = [read_network(self._study, self._number, m.number) for m in members]
        self._predict(members, networks, progress.part(TRAINED, PREDICTED))
        progress(PREDICTED, "Comparing with the labels before")
        values = [label.value for label in self._labels]
        now = scores_of(self._study, self._number, values)
        found = verdict(scores_before(self._study, self._before, values), now)
        outcome = Outcome(
            weights_sha256=joint_sha256([one.card.sha256 for one in networks]),
            dice_to_previous=now.dice_to_previous,
            volume_change=now.volume_change,
            holdout_dice=now.holdout_dice,
            verdict=found.sentence,
            is_kept=found.is_kept,
            seconds=round(time.monotonic() - self._started, 3),
        )
        finish(self._study, self._number, outcome)
        discard_trainings(self._study)
        progress(1.0, f"Iteration {self._number}: {found.sentence}")
        done = next(one for one in iterations(self._study) if one.number == self._number)
        return done, found.stops

    def _starting_points(self) -> list[Base]:
        """Return what each network starts from: the base, or the iteration before."""
        if self._settings.start == "base" or not self._before:
            return [read_base(self._study, self._tools.store)]
        last = self._before[-1]
        check_goes_on(last, self._settings)
        return [
            Base(found.card, found.weights)
            for member in range(self._settings.networks)
            for found in [read_network(self._study, last.number, member)]
        ]

    def _learnable(self) -> list[str]:
        held_out = {case.id for case in self._study.cases() if case.is_held_out}
        return [name for name in self._inputs if name not in held_out]

    def _train(self, member: Member, progress: Progress) -> None:
        start = self._starts[min(member.number, len(self._starts) - 1)]
        draft = plan_of_base(start.card, self._labels, self._settings, member.seed)
        cases = list(self._learned_cases(member, draft, progress.part(0.0, 0.1)))
        if not cases:
            raise SegmentationAIError(
                "None of the cases can be learned from any more; relabel status says why."
            )
        shapes = [case.channels.shape for case in cases]
        steps = steps_per_epoch(shapes, draft.patch_size, draft.batch_size)
        plan = replace(draft, steps_per_epoch=steps)
        trained = self._tools.train(
            cases,
            plan,
            output=training_folder(self._study, self._number, member.number, plan, cases),
            start=start_weights(start, plan),
            freeze=self._settings.freeze,
            options=TrainingOptions(device=self._tools.device, resume=True),
            progress=progress.part(0.1, 1.0),
            on_event=self._tools.on_event,
        )
        base = read_base(self._study, self._tools.store).card
        keep_network(self._study, self._number, member.number, base, trained, cases)

    def _learned_cases(
        self, member: Member, plan: TrainingPlan, progress: Progress
    ) -> Iterator[PreparedCase]:
        """Yield the cases of a member; one that cannot be read fails alone, with its reason."""
        for done, name in enumerate(member.learns):
            progress(done / len(member.learns), f"Preparing {name}")
            try:
                volume = read_volume_of(self._study, self._study.case(name))
                yield learned_case(
                    self._study, name, self._inputs[name], volume, plan, self._settings,
                    member.number,
                )  # fmt: skip
            except (SegmentationAIError, OSError) as error:
                fail(self._study, name, reason_of(error))

    def _predict(
        self, members: Sequence[Member], networks: Sequence[IterationNetwork], progress: Progress
    ) -> None:
        """Predict every case that is not predicted yet, each by the networks meant for it."""
        done = predictions_of(self._study, self._number)
        cases = [c for c in self._study.cases() if c.state not in ("failed", "skipped")]
        groups: dict[tuple[int, ...], list[Case]] = {}
        for case in cases:
            if case.id not in done:
                groups.setdefault(self._asked(case.id, members), []).append(case)
        count = 0
        total = sum(len(group) for group in groups.values())
        for asked, group in groups.items():
            segmenters = self._segmenters(asked, networks)
            for case in group:
                part = progress.part(count / total, (count + 1) / total)
                self._predict_case(case, segmenters, part)
                count += 1
            for segmenter in segmenters:
                segmenter.network.close()

    def _asked(self, name: str, members: Sequence[Member]) -> tuple[int, ...]:
        """Return the numbers of the networks that a case is predicted by."""
        own = tuple(member.number for member in members if name in member.predicts)
        return own or tuple(member.number for member in members)

    def _segmenters(
        self, asked: Sequence[int], networks: Sequence[IterationNetwork]
    ) -> list[Segmenter]:
        chosen = [networks[number] for number in asked]
        if self._settings.scheme == "tri":
            return [segmenter_of([one], self._tools.device) for one in chosen]
        return [segmenter_of(chosen, self._tools.device)]

    def _predict_case(
        self, case: Case, segmenters: Sequence[Segmenter], progress: Progress
    ) -> None:
        learned = self._inputs.get(case.id)
        try:
            new = predicted_version(
                self._study,
                read_volume_of(self._study, case),
                learned,
                segmenters,
                self._number,
                with_doubt=self._settings.gate > NO_GATE,
                keeps_changes=not (case.is_held_out or case.state == "accepted"),
                progress=progress,
            )
        except (SegmentationAIError, OSError) as error:
            fail(self._study, case.id, reason_of(error))
            return
        add_version(self._study, case.id, new, None if learned is None else learned.number)
