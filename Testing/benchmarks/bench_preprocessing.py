"""Preparing training cases: nnU-Net's own preprocessing against the cache of prepared cases.

Both get the same files, the same grid and the same intensity rule, those of nnU-Net's plan, and
both end with files on the disk. nnU-Net's loop over the cases is run in this process, without the
pool of processes that its command starts; that pool, with the default count of processes cut to
this machine's two, stands beside it. Warm, nnU-Net has nothing to resume: it deletes what there is
and does it again; reading back what both have written is measured besides.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import Measurement, measure

from SegmentationAILib.core.files import read_labelmap, read_volume, write_labelmap, write_volume
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.case_cache import CaseCache
from SegmentationAILib.learn.dataset import Dataset, read_dataset
from SegmentationAILib.learn.plan import TrainingPlan
from SegmentationAILib.networks.card import Architecture, Channel, Intensity

SHARED = Path(
    os.environ.get("SEGMENTATIONAI_SHARED", Path(__file__).resolve().parents[3] / "shared")
)
# nnU-Net takes minutes for a round of the last data set.
ROUNDS, ROUNDS_OF_LONG = 3, 1
OURS, PEER, POOL = "cases prepared and kept", "nnU-Net, one process", "nnU-Net, pool of 2"
BACK, THEIRS_BACK = "cases from the cache", "nnU-Net's files read back"


class Peer:
    """nnU-Net on one data set: planned once, then prepared as often as it is asked.

    Args:
        number: Of its data set.
        data: In the Decathlon's form, one channel.
        spacing: Replaces the one of its plan, (i, j, k) in mm; None keeps it.
    """

    def __init__(self, number: int, data: Dataset, spacing: float | None = None) -> None:
        from nnunetv2.experiment_planning.plan_and_preprocess_api import (
            extract_fingerprints,
            plan_experiments,
        )
        from nnunetv2.paths import nnUNet_preprocessed, nnUNet_raw

        self.name = f"Dataset{number:03d}_Benchmark"
        self.number = number
        self.raw = Path(nnUNet_raw) / self.name
        _write_raw(data, self.raw)
        extract_fingerprints([number], num_processes=1, check_dataset_integrity=False)
        plan_experiments([number])
        self.ready = Path(nnUNet_preprocessed) / self.name
        path = self.ready / "nnUNetPlans.json"
        self.plans = json.loads(path.read_text())
        if spacing is not None:
            self.plans["configurations"]["3d_fullres"]["spacing"] = [spacing] * 3
            path.write_text(json.dumps(self.plans))

    @property
    def spacing(self) -> tuple[float, ...]:
        """Of its plan, along (i, j, k)."""
        return tuple(self.plans["configurations"]["3d_fullres"]["spacing"][::-1])

    def plan_for(self, data: Dataset) -> TrainingPlan:
        """Return a plan of ours with its grid and its intensity rule."""
        properties = self.plans["foreground_intensity_properties_per_channel"]["0"]
        rule = Intensity("zscore")
        if data.modality == "CT":
            numbers = {
                "low": properties["percentile_00_5"], "high": properties["percentile_99_5"],
                "mean": properties["mean"], "std": properties["std"],
            }  # fmt: skip
            rule = Intensity("clip", tuple(sorted(numbers.items())))
        from nibabel import aff2axcodes

        affine = read_volume(data.cases[0].volumes[0]).affine
        return TrainingPlan(
            architecture=Architecture("dynunet", (("in_channels", 1),)),
            labels=data.labels, channels=(Channel(data.channels[0].role, intensity=rule),),
            modality=data.modality, orientation="".join(aff2axcodes(affine)),
            spacing_mm=self.spacing, intensity=rule, patch_size=(32, 32, 32), batch_size=2,
            epochs=1, steps_per_epoch=1, learning_rate=1e-3, conventions="nnunet",
        )  # fmt: skip

    def prepare(self) -> None:
        """Prepare all cases, one after the other, in this process."""
        from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
        from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
        from nnunetv2.utilities.utils import get_filenames_of_train_images_and_targets

        manager = PlansManager(self.plans)
        chosen = manager.get_configuration("3d_fullres")
        described = json.loads((self.ready / "dataset.json").read_text())
        out = self.ready / chosen.data_identifier
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        preprocessor = DefaultPreprocessor(verbose=False)
        files = get_filenames_of_train_images_and_targets(str(self.raw), described)
        for name, one in files.items():
            preprocessor.run_case_save(
                str(out / name), one["images"], one["label"], manager, chosen, described
            )

    def prepare_in_a_pool(self) -> None:
        """Prepare all cases as its command does."""
        from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor

        preprocessor = DefaultPreprocessor(verbose=False)
        preprocessor.show_progress_bar = False
        preprocessor.run(self.number, "3d_fullres", "nnUNetPlans", 2)

    def read_back(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return what it has written, volumes and labels ``(I, J, K)``, by name of case."""
        from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

        found = nnUNetDatasetBlosc2(str(self.ready / "nnUNetPlans_3d_fullres"))
        cases = []
        for name in sorted(found.identifiers):
            data, labels, *_ = found.load_case(name)
            cases.append((np.asarray(data[:])[0].T, np.asarray(labels[:])[0].T))
        return cases


def _write_raw(data: Dataset, raw: Path) -> None:
    """Write a data set of one channel as nnU-Net wants it."""
    (raw / "imagesTr").mkdir(parents=True)
    (raw / "labelsTr").mkdir()
    for case in data.cases:
        shutil.copy(case.volumes[0], raw / "imagesTr" / f"{case.id}_0000.nii.gz")
        shutil.copy(case.label, raw / "labelsTr" / f"{case.id}.nii.gz")
    described = {
        "channel_names": {"0": data.channels[0].title},
        "labels": {"background": 0, **{label.name: label.value for label in data.labels}},
        "numTraining": len(data.cases),
        "file_ending": ".nii.gz",
    }
    (raw / "dataset.json").write_text(json.dumps(described), encoding="utf-8")


def _torso(folder: Path) -> Dataset:
    """Return the two torso CTs as a data set whose labels are numbered without gaps."""
    source = SHARED / "data" / "ct-torso-3mm"
    pairs = [("ct", "labels"), ("ct_small", "ct_small_labels")]
    read = {
        ct: (read_volume(source / f"{ct}.nii.gz"), read_labelmap(source / f"{labels}.nii.gz"))
        for ct, labels in pairs
    }
    values = sorted({row.value for _, labelmap in read.values() for row in labelmap.labels})
    lookup = np.zeros(max(values) + 1, np.uint8)
    lookup[values] = np.arange(1, len(values) + 1)
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    entries = []
    for name, (volume, labelmap) in read.items():
        files = [f"{part}/{name}.nii.gz" for part in ("imagesTr", "labelsTr")]
        voxels = volume.voxels.astype(np.int16)
        write_volume(Volume(voxels, volume.affine), folder / files[0])
        rows = tuple(Label(n, f"Label {n}") for n in range(1, len(values) + 1))
        placed = Labelmap((lookup[labelmap.layers[0]],), rows, volume.affine)
        write_labelmap(placed, folder / files[1])
        entries.append({"image": files[0], "label": files[1]})
    names = {"0": "background", **{str(n + 1): f"Label {n + 1}" for n in range(len(values))}}
    described = {"name": "Torso CT", "modality": {"0": "CT"}, "labels": names}
    (folder / "dataset.json").write_text(json.dumps({**described, "training": entries}))
    return read_dataset(folder)


def _agreement(ours: list, theirs: list[tuple[np.ndarray, np.ndarray]]) -> str:
    """Return in words how far the two results lie apart; volumes are in standard deviations."""
    apart, differing, voxels = 0.0, 0, 0
    for case, (volume, labels) in zip(sorted(ours, key=lambda c: c.id), theirs, strict=True):
        if case.array.shape[1:] != volume.shape:
            return f"- Shapes differ: {case.array.shape[1:]} and {volume.shape}."
        apart = max(apart, float(np.abs(case.array[0] - volume).max()))
        known = labels >= 0
        differing += int((case.channels[known] != labels[known]).sum())
        voxels += int(known.sum())
    return (
        f"- Agreement: volumes differ by at most {apart:.1e} standard deviations, labels in "
        f"{differing} of {voxels} voxels ({differing / voxels:.1e})."
    )


def _compared(
    title: str, data: Dataset, peer: Peer, work: Path, *, pool: bool, rounds: int
) -> list[Measurement]:
    plan = peer.plan_for(data)
    empty, full = CaseCache(work / "empty"), CaseCache(work / "full")

    def cold() -> list:
        empty.clear()
        return list(empty.prepare_all(data, data.cases, plan))

    def warm() -> list:
        return list(full.prepare_all(data, data.cases, plan))

    cases: dict[str, Callable[[], object]] = {OURS: cold, PEER: peer.prepare}
    if pool:
        cases[POOL] = peer.prepare_in_a_pool
    first = measure(
        f"{title}, cold",
        cases,
        ours=OURS,
        peer=PEER,
        goal="at least 10x",
        rounds=rounds,
        warm_up=rounds > 1,
    )
    ours, theirs = warm(), peer.read_back()
    first.remarks.append(_agreement(ours, theirs))
    second = measure(
        f"{title}, warm",
        {BACK: warm, PEER: peer.prepare, THEIRS_BACK: peer.read_back},
        ours=BACK,
        peer=PEER,
        goal="at least 10x nnU-Net's preprocessing, which begins anew",
        rounds=rounds,
        warm_up=rounds > 1,
    )
    return [first, second]


def run() -> list[Measurement]:
    """Hippocampus, and the torso CTs on their own grid and at half the spacing."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for kind in ("raw", "preprocessed", "results"):
            (work / kind).mkdir()
            os.environ[f"nnUNet_{kind}"] = str(work / kind)
        crops = read_dataset(SHARED / "data" / "hippocampus")
        torso = _torso(work / "torso")
        found = []
        for number, title, data, spacing in (
            (101, "Hippocampus, 200 crops of 35 x 50 x 36 at 1 mm", crops, None),
            (102, "Torso CT, 2 scans at 3 mm, kept", torso, None),
            (103, "Torso CT, 2 scans from 3 mm to 1.5 mm", torso, 1.5),
        ):
            peer = Peer(number, data, spacing)
            rounds = ROUNDS if spacing is None else ROUNDS_OF_LONG
            cache = work / f"cache-{number}"
            found += _compared(title, data, peer, cache, pool=data is crops, rounds=rounds)
        return found


if __name__ == "__main__":
    for measurement in run():
        print(measurement.markdown())
