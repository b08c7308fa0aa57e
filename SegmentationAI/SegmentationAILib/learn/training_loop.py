"""The loop of a training: epochs of steps, looks at the hold-out, checkpoints, second chances."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ..core.errors import Cancelled, SegmentationAIError
from ..core.progress import Progress
from ..networks.running import is_out_of_memory
from .across_processes import of_first_process, process_count, process_number
from .hold_out import HoldOutScores, predicted_channels, scores_on
from .learning_rate import Schedule, rate_fraction
from .patch_sampler import Batch, PatchSampler
from .plan import TrainingPlan
from .sample_picture import sample_picture
from .smaller_steps import with_smaller_steps
from .training_case import PreparedCase
from .training_events import EpochDone, Noted, OnEvent, SampleDrawn, StepDone
from .training_folder import TrainingFolder
from .training_session import NotFiniteError, TrainingSession

MOST_ROLLBACKS = 2
# Cases of the hold-out that are looked at after each epoch; all of them at the end.
WATCHED = 12


@dataclass
class LoopState:
    """What a loop remembers besides the session's weights.

    Attributes:
        losses: Of every step so far.
        best: Mean Dice of the best epoch, -1 before there is one.
        best_epoch: Which it was, from 1.
        rollbacks: How often the loss was not finite.
        seconds: Trained, pauses not counted.
        patch_size: Now, smaller than the plan's after memory ran out.
        batch_size: Now.
        minutes: Length by the clock, None where the plan says it.
        notes: Sentences for the person.
    """

    patch_size: tuple[int, int, int]
    batch_size: int
    minutes: float | None = None
    losses: list[float] = field(default_factory=list)
    best: float = -1.0
    best_epoch: int = 0
    rollbacks: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


class TrainingLoop:
    """Trains until the plan, the clock or the hold-out says that it is done.

    Args:
        session: What takes the steps.
        sampler: Where patches come from.
        plan: As asked for.
        hold_out: Cases to watch; may be empty.
        folder: For checkpoints.
        on_event: Told everything.
        minutes: Length by the clock instead of the plan's epochs.
        schedule: Of the learning rate.
    """

    def __init__(
        self,
        session: TrainingSession,
        sampler: PatchSampler,
        plan: TrainingPlan,
        hold_out: Sequence[PreparedCase],
        folder: TrainingFolder,
        on_event: OnEvent,
        minutes: float | None = None,
        schedule: Schedule = "cosine",
    ) -> None:
        self.session, self.sampler, self.folder = session, sampler, folder
        self.plan, self.hold_out, self.tell = plan, tuple(hold_out), on_event
        self.minutes, self.schedule = minutes, schedule
        self.kept = LoopState(plan.patch_size, plan.batch_size, minutes)

    @property
    def current_plan(self) -> TrainingPlan:
        """The plan with the patches and batch that memory allows."""
        return replace(self.plan, patch_size=self.kept.patch_size, batch_size=self.kept.batch_size)

    @property
    def done(self) -> float:
        """How much of the training is done, 0 to 1."""
        if self.kept.minutes is not None:
            return min(1.0, of_first_process(self.kept.seconds) / (60 * self.kept.minutes))
        return min(1.0, self.session.step / self.plan.steps)

    def run(self, progress: Progress) -> None:
        """Train to the end; every epoch leaves a checkpoint.

        Raises:
            Cancelled: Raised by ``progress``; a checkpoint of this very step is left.
            MemoryBudgetError: A single smallest patch does not fit.
            SegmentationAIError: The loss is not finite again and again.
        """
        while self.done < 1.0 and not self._is_stuck():
            try:
                self._take_step(progress)
            except Cancelled:
                self.save()
                raise
            except NotFiniteError:
                self._roll_back()
                continue
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or process_count() > 1:
                    raise
                self._make_steps_smaller()
                continue
            if self.session.step % self.plan.steps_per_epoch == 0 or self.done >= 1.0:
                self._end_epoch(progress)

    def save(self) -> None:
        """Write the checkpoint from which `resume` goes on."""
        self.folder.save_last({"session": self.session.state(), "loop": vars(self.kept)})

    def resume(self) -> None:
        """Go back to the last checkpoint; another length by the clock may be asked for."""
        state = self.folder.load_last()
        self.session.load_state(state["session"])
        self.kept = LoopState(**state["loop"])
        self.kept.minutes = self.minutes or self.kept.minutes

    def note(self, sentence: str) -> None:
        """Remember a sentence for the person, and tell it."""
        self.kept.notes.append(sentence)
        self.tell(Noted(self.session.step, sentence))

    def _take_step(self, progress: Progress) -> None:
        step, epoch = self.session.step, self._epoch
        progress(self.done, self._words(epoch))
        started = time.monotonic()
        rate = self._rate()
        loss = self.session.learn(self._batch(step), rate)
        self.kept.seconds += time.monotonic() - started
        self.kept.losses.append(loss)
        self.tell(StepDone(step + 1, epoch, loss, rate))

    def _batch(self, step: int) -> Batch:
        processes, number = process_count(), process_number()
        own = self.kept.batch_size
        return self.sampler.batch(step, self.kept.patch_size, own * processes, own * number, own)

    def _rate(self) -> float:
        halved = 0.5**self.kept.rollbacks
        return self.plan.learning_rate * halved * rate_fraction(self.done, self.schedule)

    @property
    def _epoch(self) -> int:
        return self.session.step // self.plan.steps_per_epoch + 1

    def _words(self, epoch: int) -> str:
        of_all = "" if self.kept.minutes is not None else f" of {self.plan.epochs}"
        words = f"Epoch {epoch}{of_all}"
        if self.kept.losses:
            words += f", loss {self.kept.losses[-1]:.3f}"
        if self.kept.best >= 0:
            words += f", best hold-out Dice {self.kept.best:.3f}"
        return words

    def _end_epoch(self, progress: Progress) -> None:
        started = time.monotonic()
        epoch = max(1, -(-self.session.step // self.plan.steps_per_epoch))
        watched = self._watched()
        scores = (
            scores_on(self.session.answer, watched, self.current_plan, self.plan.precision)
            if watched
            else None
        )
        mean = scores.mean if scores else None
        is_best = mean is not None and mean > self.kept.best
        if is_best and mean is not None:
            self.kept.best, self.kept.best_epoch = mean, epoch
        self.kept.seconds += time.monotonic() - started
        if is_best or not watched:
            self.folder.save_best(
                {"step": self.session.step, "averaged": self.session.averaged.state_dict()}
            )
        self._tell_epoch(epoch, scores, is_best=is_best)
        self.save()
        progress(self.done, self._words(epoch))

    def _tell_epoch(self, epoch: int, scores: HoldOutScores | None, *, is_best: bool) -> None:
        since = (epoch - 1) * self.plan.steps_per_epoch
        losses = self.kept.losses[since:]
        dice = scores.labels if scores else (None,) * len(self.plan.labels)
        mean = scores.mean if scores else None
        loss = sum(losses) / max(1, len(losses))
        self.tell(EpochDone(epoch, self.session.step, loss, dice, mean, is_best, self.kept.seconds))
        if is_best:
            case = self.hold_out[0]
            found = predicted_channels(
                self.session.answer, case, self.current_plan, self.plan.precision
            )
            self.tell(SampleDrawn(epoch, case.id, sample_picture(case, found, self.plan.labels)))

    def _watched(self) -> tuple[PreparedCase, ...]:
        every = max(1, -(-len(self.hold_out) // WATCHED))
        return self.hold_out[::every]

    def _is_stuck(self) -> bool:
        """Return whether the hold-out has not improved for as long as the plan waits."""
        if not self.hold_out or self.session.step % self.plan.steps_per_epoch:
            return False
        waited = self._epoch - 1 - self.kept.best_epoch
        if self.kept.best < 0 or waited < self.plan.patience:
            return False
        self.note(
            f"Training ended after epoch {self._epoch - 1}: the hold-out has not improved for "
            f"{waited} epochs."
        )
        return True

    def _roll_back(self) -> None:
        rollbacks, step = self.kept.rollbacks + 1, self.session.step + 1
        if rollbacks > MOST_ROLLBACKS:
            raise SegmentationAIError(
                f"The loss was not a number at step {step}, after the learning rate had been "
                f"halved {MOST_ROLLBACKS} times; the last good checkpoint is kept. Check the "
                "intensities of the cases, or plan a lower learning rate."
            )
        notes = list(self.kept.notes)
        self.resume()
        self.kept.rollbacks, self.kept.notes = rollbacks, notes
        self.note(
            f"The loss was not a number at step {step}: the training went back to step "
            f"{self.session.step} and goes on with half the learning rate."
        )
        self.save()

    def _make_steps_smaller(self) -> None:
        smaller, sentence = with_smaller_steps(self.current_plan, self.session.divisors)
        notes: list[Any] = list(self.kept.notes)
        self.resume()
        self.kept.patch_size, self.kept.batch_size = smaller.patch_size, smaller.batch_size
        self.kept.notes = notes
        if self.session.device.type == "cuda":
            torch.cuda.empty_cache()
        self.note(sentence)
        self.save()
