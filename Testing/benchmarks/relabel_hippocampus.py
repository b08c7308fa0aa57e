"""The papers' table on real MR: weak labels in, how much of the way to the truth the loop goes.

Hippocampus (anterior, posterior) of the Medical Segmentation Decathlon. Three sets of patients: 60
on which the base network is trained, in another contrast that is computed from the intensities; 80
whose labels are deformed to a mean Dice of 0.75 or 0.80, or made anew by methods that know no shape
(see `weak_hippocampus`), and relabelled; 40 that score networks.
The ceiling is the same base trained for as many epochs on the true labels of the 80. The loop never
reads a true label of the 80; `status` does, for the table.

    python Testing/benchmarks/relabel_hippocampus.py --data ../shared/data/hippocampus
    ... --levels 0.75 --seeds 0 --variants paper      the first row alone

Prints what is left to do and how long it will take. It can be stopped anywhere and goes on when it
is started again; results are kept in the work folder, one JSON file a row.
"""

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from relabel_table import ITERATIONS, estimate, row_name, table
from weak_hippocampus import METHODS, weak_labels_by

from SegmentationAILib.core.atomic import whole_file
from SegmentationAILib.core.files import read_labelmap, read_volume, write_labelmap
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.network_folder import NetworkFacts, write_network
from SegmentationAILib.learn.plan import TrainingPlan
from SegmentationAILib.learn.prepare_case import prepared_case
from SegmentationAILib.learn.relabel.base import plan_of_base, steps_per_epoch
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
from SegmentationAILib.networks.card import Architecture, Channel, Intensity, License
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.store import NetworkStore
from SegmentationAILib.resources import data_folder

LABELS = (Label(1, "Anterior", (0.9, 0.5, 0.1)), Label(2, "Posterior", (0.2, 0.5, 0.9)))
BASE = "hippocampus-other-contrast"
BASE_CASES, LOOP_CASES, TEST_CASES = 60, 80, 40
LEARNING_RATE = 2e-3
BASE_EPOCHS = 30
CORRECTED_SHARE = 0.05
ARCHITECTURE = Architecture("unet", (
    ("in_channels", 1), ("out_channels", 3), ("channels", (12, 24, 48)), ("strides", (2, 2)),
))  # fmt: skip

# The paper's loop first, then what is changed in it, one thing at a time.
VARIANTS: dict[str, RelabelSettings] = {
    "paper": RelabelSettings(),
    "continue": RelabelSettings(start="previous"),
    "gate 0.8": RelabelSettings(gate=0.8),
    "cross-fit": RelabelSettings(scheme="cross-fit"),
    "tri": RelabelSettings(scheme="tri"),
    "smooth": RelabelSettings(smooths=True),
    "5 % corrected": RelabelSettings(),
}


class Experiment:
    """The data, the base network and the rows that are done, in one folder."""

    def __init__(self, data: Path, work: Path, epochs: int) -> None:
        self.data, self.work, self.epochs = data, work, epochs
        work.mkdir(parents=True, exist_ok=True)
        names = sorted(p.name for p in (data / "imagesTr").glob("*.nii.gz"))
        order = np.random.default_rng(20260101).permutation(len(names))
        shuffled = [names[n] for n in order]
        self.base_cases = shuffled[:BASE_CASES]
        self.loop_cases = sorted(shuffled[BASE_CASES : BASE_CASES + LOOP_CASES])
        self.test_cases = shuffled[BASE_CASES + LOOP_CASES :][:TEST_CASES]
        self.store = NetworkStore(work / "home")
        self.machine = this_machine("auto")
        self.device = "auto"
        self.results = work / "results"

    def volume(self, name: str) -> Volume:
        return read_volume(self.data / "imagesTr" / name)

    def truth(self, name: str) -> Labelmap:
        found = read_labelmap(self.data / "labelsTr" / name)
        return Labelmap(found.layers, LABELS, found.affine)

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
        plan = TrainingPlan(
            architecture=ARCHITECTURE, labels=LABELS, channels=(Channel("t1"),), modality="MR",
            orientation="RAS", spacing_mm=(1.0, 1.0, 1.0), intensity=Intensity("zscore"),
            patch_size=(32, 48, 32), batch_size=2, epochs=BASE_EPOCHS, steps_per_epoch=30,
            learning_rate=2e-3, seed=1, validation_fraction=0.0,
            precision=self.machine.precision,
        )  # fmt: skip
        cases = [
            prepared_case(name, other_contrast(self.volume(name)), self.truth(name), plan)
            for name in self.base_cases
        ]
        trained = train(
            cases, plan, output=self.work / "base-training",
            options=TrainingOptions(device=self.device, resume=True), progress=told("base"),
        )  # fmt: skip
        facts = NetworkFacts(
            BASE, "Hippocampus in another contrast", "Anterior and posterior hippocampus.",
            License("CC-BY-SA-4.0", "Trained on the Decathlon's hippocampus.", "free"),
        )  # fmt: skip
        card = write_network(self.work / BASE, trained, facts, cases, ())
        if not (self.store.folder / BASE).exists():
            install(self.store, InstallRequest(str(self.work / BASE)), lambda *_: None)
        found = self.store.find(BASE)
        network = IterationNetwork(found.card, found.read_weights())
        other = self.test_dice([network], contrast=other_contrast)
        return {"sha256": card.sha256, "test_dice": self.test_dice([network]),
                "test_dice_in_its_contrast": other}  # fmt: skip

    def ceiling(self, seed: int) -> dict:
        """Train the base on the true labels of the loop's cases, as long as an iteration."""
        found = self.store.find(BASE)
        settings = self.settings("paper", seed)
        (member,) = members_of(settings, 1, self.loop_cases)
        plan = plan_of_base(found.card, LABELS, settings, member.seed)
        cases = [prepared_case(n, self.volume(n), self.truth(n), plan) for n in self.loop_cases]
        shapes = [case.channels.shape for case in cases]
        plan = replace(
            plan, steps_per_epoch=steps_per_epoch(shapes, plan.patch_size, plan.batch_size)
        )
        folder = self.work / f"ceiling-{seed}"
        trained = train(
            cases, plan, output=folder / "training", start=found.read_weights(),
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
        truths = [self.truth(name) for name in self.loop_cases]
        if level in METHODS:
            pairs = zip(self.loop_cases, truths, strict=True)
            layers = [weak_labels_by(level, self.volume(name), one) for name, one in pairs]
        else:
            known = [KnownLabels(one.layers[0], one.spacing) for one in truths]
            layers = list(deform_to_dice(known, float(level), seed=seed).labels)
        beside = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        for name, one, labels in zip(self.loop_cases, truths, layers, strict=True):
            write_labelmap(Labelmap((labels,), LABELS, one.affine), beside / name)
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
            done = [one for one in iterations(study) if one.is_finished]
            if len(done) >= ITERATIONS or (done and done[-1].verdict.startswith("Stopped")):
                break
            relabel(study, settings, 1, tools, told(f"{level} {variant} {seed}"))
        facts = status(study)
        kept = [one.number for one in done if not one.is_rolled_back]
        last = kept[-1] if kept else 0
        networks = [read_network(study, last, n) for n in range(settings.networks) if last]
        return {
            "weak_dice": facts["weak_dice_to_reference"],
            "dice": [row["mean_dice_to_reference"] for row in facts["iterations"]],
            "dice_to_previous": [row["mean_dice_to_previous"] for row in facts["iterations"]],
            "verdicts": [row["verdict"] for row in facts["iterations"]],
            "kept": last,
            "base_sha256": sorted({row["base_sha256"] for row in facts["iterations"]}),
            "test_dice": self.test_dice(networks) if networks else None,
        }

    def study(self, folder: Path, level: str, seed: int) -> Study:
        """Return the study of a row, made when it is not there."""
        if (folder / "study.sqlite").exists():
            return open_study(folder)
        images, references = self.work / "images", self.work / "references"
        for target, source in ((images, "imagesTr"), (references, "labelsTr")):
            target.mkdir(exist_ok=True)
            for name in self.loop_cases:
                if not (target / name).exists():
                    shutil.copyfile(self.data / source / name, target / name)
        base = self.store.find(BASE).card
        source = StudySource(images, self.weak_labels(level, seed), BASE, base.sha256, LABELS,
                             references)  # fmt: skip
        return create_study(folder, source)

    def correct_by_hand(self, study: Study, seed: int) -> None:
        """Accept the true labels of a few cases: what a person would have drawn."""
        count = round(CORRECTED_SHARE * len(self.loop_cases))
        chosen = np.random.default_rng(seed).choice(self.loop_cases, count, replace=False)
        for name in chosen:
            case = study.case(str(name).removesuffix(".nii.gz"))
            if case.state != "accepted":
                accept(study, case.id, self.truth(str(name)), Work("by hand"), case.current)

    def test_dice(
        self,
        networks: list[IterationNetwork],
        contrast: Callable[[Volume], Volume] = lambda volume: volume,
    ) -> float:
        """Return the mean Dice of networks on the patients that nothing has learned from."""
        segmenter = segmenter_of(networks, self.device)
        scores = []
        for name in self.test_cases:
            found = segmenter.segment(contrast(self.volume(name))).labelmap.layers[0]
            scores.append(mean_dice(self.truth(name).layers[0], found, [1, 2]) or 0.0)
        return round(float(np.mean(scores)), 4)


def other_contrast(volume: Volume) -> Volume:
    """Return the scan as another sequence might show it: dark is bright, and not in proportion."""
    low, high = np.percentile(volume.voxels, (1, 99))
    scaled = np.clip((volume.voxels.astype(np.float32) - low) / (high - low), 0, 1)
    return Volume((1000 * (1 - scaled) ** 1.6).astype(np.int16), volume.affine)


def told(what: str):
    """Return a progress receiver that prints a line now and then."""
    from SegmentationAILib.core.progress import Progress

    last = [0.0]

    def report(fraction: float, sentence: str) -> None:
        if time.monotonic() - last[0] > 30:
            last[0] = time.monotonic()
            print(f"  {what}: {fraction:4.0%} {sentence}", flush=True)

    return Progress(report)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with imagesTr, labelsTr")
    parser.add_argument("--work", type=Path, help="default: experiments/ in the data folder")
    parser.add_argument(
        "--levels",
        default=",".join(("0.75", "0.8", *METHODS)),
        help="weak Dice or method, with commas between",
    )
    parser.add_argument("--seeds", default="0,1,2", help="with commas between")
    parser.add_argument("--variants", default=",".join(VARIANTS), help="with commas between")
    parser.add_argument("--ablations-at", default="0.75", help="level of the ablations")
    parser.add_argument("--epochs", type=int, default=15, help="of each training of the loop")
    parser.add_argument("--table", action="store_true", help="only print the table of what is done")
    chosen = parser.parse_args()
    work = chosen.work or data_folder() / "experiments" / "relabel-hippocampus"
    # Everything the program keeps for these runs lies in the work folder as well.
    os.environ["SEGMENTATIONAI_HOME"] = str(work / "home")
    levels = chosen.levels.split(",")
    seeds = [int(one) for one in chosen.seeds.split(",")]
    experiment = Experiment(chosen.data, work, chosen.epochs)
    rows = [
        (level, variant, seed)
        for variant in chosen.variants.split(",")
        for level in levels
        for seed in seeds
        if variant == "paper" or level == chosen.ablations_at
    ]
    if not chosen.table:
        print(estimate(experiment.results, rows), flush=True)
        experiment.result("base", experiment.base)
        for seed in seeds:
            experiment.result(f"ceiling {seed}", lambda seed=seed: experiment.ceiling(seed))
        for row in rows:
            experiment.result(row_name(*row), lambda row=row: experiment.row(*row))
            print(estimate(experiment.results, rows), flush=True)
    print(table(experiment.results, list(VARIANTS), levels, seeds))


if __name__ == "__main__":
    main()
