"""What the step *Train* asks of the logic."""

from collections.abc import Callable
from typing import Protocol

from ..scene.training_facts import BaseFacts, SceneCase, TrainingAsked, TrainingFacts


class TrainLogic(Protocol):
    """One training at a time."""

    def consent(self) -> str:
        """Return what a person has to agree to first; empty when nothing is set up."""

    def watch_training(self, on_facts: Callable[[TrainingFacts], None]) -> None:
        """Call ``on_facts`` whenever something changes."""

    def training(self) -> TrainingFacts:
        """Return how the training stands."""

    def training_cases(self) -> tuple[SceneCase, ...]:
        """Return the cases of the scene that can be learned from."""

    def training_kind(self) -> str:
        """Return what the first case's scan is, empty where nothing says it."""

    def training_starts(self) -> tuple[BaseFacts, ...]:
        """Return what can be started from."""

    def plan_training(self, asked: TrainingAsked) -> None:
        """Collect the cases, check them and make the plan, in the background."""

    def forget_plan(self) -> None:
        """Drop a plan that is not begun."""

    def start_training(self, *, anew: bool = False) -> None:
        """Train as planned, or go on with the training of that name."""

    def pause_training(self) -> None:
        """Hold the training after its step, or let it go on."""

    def cancel_training(self) -> None:
        """End what goes on."""

    def show_training_case(self, case_id: str, on_picture: Callable[[bytes], None]) -> None:
        """Give ``on_picture`` a PNG file of a case that was checked."""

    def keep_training(self, *, replaces: bool) -> None:
        """Install the trained network, or put it in the place of its base."""

    def drop_training(self) -> None:
        """Use the trained network for nothing."""

    def go_back_training(self) -> None:
        """Put the network back that was replaced."""
