"""Trainings as the panel asks for them: cases of the scene or of a folder, one at a time."""

from collections.abc import Callable
from typing import Final

import slicer

from .panel_facts import NetworkFacts
from .scan_kind import DicomValue, kind_of_scan
from .scene_cases import scene_cases
from .ticker import Ticker
from .training import OnFacts, Training
from .training_facts import BaseFacts, SceneCase, TrainingAsked, TrainingFacts
from .translation import tr as _
from .worker_setup import WorkerSetup

ARCHITECTURES: Final = (
    "dynunet", "unet", "segresnet", "vnet", "unetpp", "attention-unet", "swin-unetr", "dints",
    "segformer-b0", "unet2d-liver", "super-image",
)  # fmt: skip


class PanelTraining:
    """The one training that is planned or under way.

    Args:
        scene: Has the cases.
        setup: The worker.
        ticker: The event loop.
        dicom_value: Reads DICOM tags of what was loaded.
        listed: Returns all networks.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        setup: WorkerSetup,
        ticker: Ticker,
        dicom_value: DicomValue,
        listed: Callable[[None], tuple[NetworkFacts, ...]],
    ) -> None:
        self._scene, self._dicom_value, self._listed = scene, dicom_value, listed
        self._training = Training(scene, setup, ticker)

    def watch_training(self, on_facts: OnFacts) -> None:
        """Call ``on_facts`` whenever something changes."""
        self._training.on_facts = on_facts

    def training(self) -> TrainingFacts:
        """Return how it stands."""
        return self._training.facts

    def training_cases(self) -> tuple[SceneCase, ...]:
        """Return the cases of the scene that can be learned from."""
        return scene_cases(self._scene)

    def training_kind(self) -> str:
        """Return what the first case's scan is, empty where nothing says it.

        One scan alone is looked at: its intensities take up to 25 ms (loaded machine).
        """
        cases = self.training_cases()
        return kind_of_scan(cases[0].volume, self._dicom_value).modality if cases else ""

    def training_starts(self) -> tuple[BaseFacts, ...]:
        """Return what can be started from: nothing, networks at hand, architectures."""
        words = _("Nothing: a network of random weights")
        tip = _("The plan chooses the architecture that suits the cases and this computer.")
        found = [BaseFacts("", "", words, tip)]
        for one in self._listed(None):
            if one.state != "available" and not one.is_promptable:
                found.append(BaseFacts(one.id, "", one.title, one.task))
        words, tip = _("Nothing: {name}"), _("Random weights of this architecture.")
        found += [BaseFacts("", name, words.format(name=name), tip) for name in ARCHITECTURES]
        return tuple(found)

    def plan_training(self, asked: TrainingAsked) -> None:
        """Collect the cases, check them and make the plan, in the background.

        Raises:
            SegmentationAIError: Something goes on already, or what is asked for is incomplete.
        """
        self._training.plan(asked)

    def forget_plan(self) -> None:
        """Drop a plan that is not begun: something else is asked for now."""
        self._training.forget_plan()

    def start_training(self, *, anew: bool = False) -> None:
        """Train as planned, or go on with the training of that name.

        Args:
            anew: Throw away what was trained under that name before.

        Raises:
            SegmentationAIError: Nothing was planned, or something goes on already.
        """
        self._training.start(anew=anew)

    def pause_training(self) -> None:
        """Hold the training after its step, or let it go on."""
        self._training.pause()

    def cancel_training(self) -> None:
        """End what goes on; a training ends after its step, and asked again at once."""
        self._training.cancel()

    def show_training_case(self, case_id: str, on_picture: Callable[[bytes], None]) -> None:
        """Give ``on_picture`` a PNG file of a case that was checked."""
        self._training.show_case(case_id, on_picture)

    def keep_training(self, *, replaces: bool) -> None:
        """Install the trained network, or put it in the place of the one it started from.

        Raises:
            SegmentationAIError: There is none.
        """
        self._training.keep(replaces=replaces)

    def drop_training(self) -> None:
        """Use the trained network for nothing; its folder stays in the data folder."""
        self._training.drop()

    def go_back_training(self) -> None:
        """Put the network back that was replaced.

        Raises:
            SegmentationAIError: Something goes on already.
        """
        self._training.go_back()

    def is_training(self) -> bool:
        """Return whether the worker has something to do for a training."""
        return self._training.facts.is_busy

    def close_training(self) -> None:
        """Let go of a training; it can go on in another session."""
        self._training.close()
