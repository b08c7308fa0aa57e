"""The relabelling experiment of the papers, on any cases whose truth is known to the table alone.

A base network learns another contrast; the labels of the loop's cases are deformed, or made anew by
a method; the loop relabels them; networks are scored on patients that nothing has learned from. The
ceiling is the same base trained for as many epochs on the true labels of the loop's cases. The loop
never reads a true label; `status` does, for the table. Everything is kept in one folder, a JSON
file a row, and can be stopped anywhere.
"""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from relabel_table import ITERATIONS

from SegmentationAILib.core.atomic import whole_file
from SegmentationAILib.core.files import write_labelmap, write_volume
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.network_folder import NetworkFacts, write_network
from SegmentationAILib.learn.plan import TrainingPlan
from SegmentationAILib.learn.prepare_case import prepared_case
from SegmentationAILib.learn.relabel.base import (
    Base,
    plan_of_base,
    start_weights,
    steps_per_epoch,
)
from SegmentationAILib.learn.relabel.loop import Tools, relabel
from SegmentationAILib.learn.relabel.members import members_of
from SegmentationAILib.learn.relabel.networks import IterationNetwork, read_network, segmenter_of
from SegmentationAILib.learn.relabel.settings import RelabelSettings
from SegmentationAILib.learn.study.agreement import mean_dice
from SegmentationAILib.learn.study.create import StudySource, create_study
from SegmentationAILib.learn.study.iterations import iterations
from SegmentationAILib.learn.study.person import Work, accept
from SegmentationAILib.learn.study.status import status
from SegmentationAILib.learn.study.study import Study, open_study
from SegmentationAILib.learn.trainer import TrainingOptions, train
from SegmentationAILib.learn.training_machine import this_machine
from SegmentationAILib.learn.weak_labels.deform import KnownLabels, deform_to_dice
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.store import NetworkStore

LEARNING_RATE = 2e-3
CORRECTED_SHARE = 0.05

PAPER = RelabelSettings(start="base", optimizer="adamw")
# The paper's loop first, then what is changed in it, one thing at a time.
VARIANTS: dict[str, RelabelSettings] = {
    "paper": PAPER,
    "continue": replace(PAPER, start="previous"),
    "gate 0.8": replace(PAPER, gate=0.8),
    "cross-fit": replace(PAPER, scheme="cross-fit"),
    "tri": replace(PAPER, scheme="tri"),
    "smooth": replace(PAPER, smooths=True),
    "orthogonal": replace(PAPER, optimizer="orthogonal"),
    "continue orthogonal": replace(PAPER, start="previous", optimizer="orthogonal"),
    "5 % corrected": PAPER,
}


class Cases(Protocol):
    """What an experiment is made of; names end with ``.nii.gz``."""

    labels: tuple[Label, ...]
    base_names: list[str]
    loop_names: list[str]
    test_names: list[str]
    methods: tuple[str, ...]
    base_plan: TrainingPlan
    base_facts: NetworkFacts

    def volume(self, name: str) -> Volume:
        """Return the scan of a case, as the loop sees it."""

    def base_volume(self, name: str) -> Volume:
        """Return it in the contrast that the base network learns."""

    def truth(self, name: str) -> Labelmap:
        """Return its true labels."""

    def base_truth(self, name: str) -> Labelmap:
        """Return the true labels that the base network learns; it may know more than `labels`."""

    def weak_labels(self, method: str, name: str, truth: Labelmap) -> np.ndarray:
        """Return label values ``(I, J, K)`` that a method of `methods` finds."""


class Experiment:
    """The cases, the base network and the rows that are done, in one folder.

    Args:
        cases: Volumes and what is known of them.
        work: Holds everything that is made.
        epochs: Of each training of the loop.
    """

    def __init__(self, cases: Cases, work: Path, epochs: int) -> None:
        self.cases, self.work, self.epochs = cases, work, epochs
        work.mkdir(parents=True, exist_ok=True)
        self.store = NetworkStore(work / "home")
        self.machine = this_machine("auto")
        self.device = "auto"
        self.results = work / "results"

    def settings(self, variant: str, seed: int) -> RelabelSettings:
        return replace(
            VARIANTS[variant],
            epochs=self.epochs,
            seed=seed,
            precision=self.machine.precision,
            learning_rate=LEARNING_RATE,
        )

    def result(self, name: str, make: Callable[[], dict]) -> dict:
        """Return a result that is kept, or make it and keep it."""
        path = self.results / f"{name}.json"
        if path.exists():
            return json.loads(path.read_text())
        started = time.monotonic()
        found = make()
        found["seconds"] = round(time.monotonic() - started, 1)
        path.parent.mkdir(exist_ok=True)
        with whole_file(path) as beside:
            beside.write_text(json.dumps(found, indent=1))
        print(f"{name}: {json.dumps(found)}", flush=True)
        return found

    def base(self) -> dict:
        """Train the base network in the other contrast, and install it."""
        known = self.cases
        plan = replace(known.base_plan, precision=self.machine.precision)
        cases = [
            prepared_case(name, known.base_volume(name), known.base_truth(name), plan)
            for name in known.base_names
        ]
        trained = train(
            cases, plan, output=self.work / "base-training",
            options=TrainingOptions(device=self.device, resume=True), progress=told("base"),
        )  # fmt: skip
        facts = known.base_facts
        card = write_network(self.work / facts.id, trained, facts, cases, ())
        if not (self.store.folder / facts.id).exists():
            install(self.store, InstallRequest(str(self.work / facts.id)), lambda *_: None)
        found = self.store.find(self.cases.base_facts.id)
        network = IterationNetwork(found.card, found.read_weights())
        other = self.test_dice([network], self.cases.base_volume)
        return {"sha256": card.sha256, "test_dice": self.test_dice([network]),
                "test_dice_in_its_contrast": other}  # fmt: skip

    def ceiling(self, seed: int) -> dict:
        """Train the base on the true labels of the loop's cases, as long as an iteration."""
        found = self.store.find(self.cases.base_facts.id)
        settings = self.settings("paper", seed)
        (member,) = members_of(settings, 1, self.cases.loop_names)
        plan = plan_of_base(found.card, self.cases.labels, settings, member.seed)
        cases = [
            prepared_case(n, self.cases.volume(n), self.cases.truth(n), plan)
            for n in self.cases.loop_names
        ]
        shapes = [case.channels.shape for case in cases]
        plan = replace(
            plan, steps_per_epoch=steps_per_epoch(shapes, plan.patch_size, plan.batch_size)
        )
        folder = self.work / f"ceiling-{seed}"
        trained = train(
            cases, plan, output=folder / "training",
            start=start_weights(Base(found.card, found.read_weights()), plan),
            options=TrainingOptions(device=self.device, resume=True), progress=told("ceiling"),
        )  # fmt: skip
        facts = NetworkFacts("ceiling", "Ceiling", "Learned from the truth.", found.card.license)
        card = write_network(folder / "network", trained, facts, cases, ())
        return {"test_dice": self.test_dice([IterationNetwork(card, trained.weights)])}

    def weak_labels(self, level: str, seed: int) -> Path:
        """Return the folder of the weak labels, made when it is not there."""
        folder = self.work / f"weak-{level}-{seed}"
        if folder.exists():
            return folder
        truths = [self.cases.truth(name) for name in self.cases.loop_names]
        if level in self.cases.methods:
            pairs = zip(self.cases.loop_names, truths, strict=True)
            layers = [self.cases.weak_labels(level, name, one) for name, one in pairs]
        else:
            known = [KnownLabels(one.layers[0], one.spacing) for one in truths]
            layers = list(deform_to_dice(known, float(level), seed=seed).labels)
        beside = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        for name, one, labels in zip(self.cases.loop_names, truths, layers, strict=True):
            write_labelmap(Labelmap((labels,), one.labels, one.affine), beside / name)
        beside.rename(folder)
        return folder

    def row(self, level: str, variant: str, seed: int) -> dict:
        """Run the loop for one row of the table."""
        folder = (
            self.work / f"study-{level}-{variant.replace(' ', '-').replace('%', 'percent')}-{seed}"
        )
        study = self.study(folder, level, seed)
        if variant == "5 % corrected":
            self.correct_by_hand(study, seed)
        settings = self.settings(variant, seed)
        tools = Tools(self.store, self.device)
        while True:
            # One that was begun with other settings and given up has made nothing.
            done = [one for one in iterations(study) if one.is_finished and one.weights_sha256]
            if len(done) >= ITERATIONS or (done and done[-1].verdict.startswith("Stopped")):
                break
            relabel(study, settings, 1, tools, told(f"{level} {variant} {seed}"))
        facts = status(study)
        made = [row for row in facts["iterations"] if row["weights_sha256"]]
        kept = [one.number for one in done if not one.is_rolled_back]
        last = kept[-1] if kept else 0
        networks = [read_network(study, last, n) for n in range(settings.networks) if last]
        return {
            "weak_dice": facts["weak_dice_to_reference"],
            "dice": [row["mean_dice_to_reference"] for row in made],
            "dice_to_previous": [row["mean_dice_to_previous"] for row in made],
            "verdicts": [row["verdict"] for row in made],
            "kept": sum(one.number <= last for one in done),
            "start_sha256": sorted({row["start_sha256"] for row in made}),
            "test_dice": self.test_dice(networks) if networks else None,
        }

    def study(self, folder: Path, level: str, seed: int) -> Study:
        """Return the study of a row, made when it is not there."""
        if (folder / "study.sqlite").exists():
            return open_study(folder)
        images, references = self.work / "images", self.work / "references"
        for target in (images, references):
            target.mkdir(exist_ok=True)
        for name in self.cases.loop_names:
            if not (references / name).exists():
                write_volume(self.cases.volume(name), images / name)
                write_labelmap(self.cases.truth(name), references / name)
        base = self.store.find(self.cases.base_facts.id).card
        source = StudySource(images, self.weak_labels(level, seed), base.id, base.sha256,
                             self.cases.labels, references)  # fmt: skip
        return create_study(folder, source)

    def correct_by_hand(self, study: Study, seed: int) -> None:
        """Accept the true labels of a few cases: what a person would have drawn."""
        count = round(CORRECTED_SHARE * len(self.cases.loop_names))
        chosen = np.random.default_rng(seed).choice(self.cases.loop_names, count, replace=False)
        for name in chosen:
            case = study.case(str(name).removesuffix(".nii.gz"))
            if case.state != "accepted":
                accept(study, case.id, self.cases.truth(str(name)), Work("by hand"), case.current)

    def test_dice(
        self,
        networks: list[IterationNetwork],
        contrast: Callable[[str], Volume] | None = None,
    ) -> float:
        """Return the mean Dice of networks on the patients that nothing has learned from."""
        contrast = contrast or self.cases.volume
        segmenter = segmenter_of(networks, self.device)
        values = [label.value for label in self.cases.labels]
        scores = []
        for name in self.cases.test_names:
            found = segmenter.segment(contrast(name)).labelmap.layers[0]
            scores.append(mean_dice(self.cases.truth(name).layers[0], found, values) or 0.0)
        return round(float(np.mean(scores)), 4)


def told(what: str):
    """Return a progress receiver that prints a line now and then."""
    last = [0.0]

    def report(fraction: float, sentence: str) -> None:
        if time.monotonic() - last[0] > 30:
            last[0] = time.monotonic()
            print(f"  {what}: {fraction:4.0%} {sentence}", flush=True)

    return Progress(report)
