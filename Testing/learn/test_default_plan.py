"""Default plans: what the rules give for data sets whose numbers are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.labelmap import Label
from SegmentationAILib.learn.case_facts import CaseFacts
from SegmentationAILib.learn.dataset import Dataset, read_dataset
from SegmentationAILib.learn.dataset_checks import check_dataset
from SegmentationAILib.learn.default_plan import default_plan
from SegmentationAILib.learn.fingerprint import fingerprint_of
from SegmentationAILib.learn.plan_file import plan_from_json, plan_to_json
from SegmentationAILib.learn.plan_words import words_of_plan
from SegmentationAILib.learn.planned_architecture import TRAINABLE_NAMES, divisors_of
from SegmentationAILib.learn.training_machine import TrainingMachine
from SegmentationAILib.networks.card import Channel
from SegmentationAILib.networks.device import CPU, Device

PROCESSOR = TrainingMachine(CPU, 8 << 30, "fp32")
GPU = TrainingMachine(Device("cuda", "cuda:0", "A GPU"), 24 << 30, "bf16")


def facts(number, shape, spacing, orientation="LPS", nonzero=None, patient=None, samples=None):
    values = np.linspace(-100, 200, 301, dtype=np.float32)[None] if samples is None else samples
    return CaseFacts(
        f"c{number}", patient or f"p{number}", ("0" * 64,) * 2, f"{number:064d}", shape, spacing,
        orientation, nonzero or shape, {1: 500}, float(np.prod(spacing)) / 1000, values,
    )  # fmt: skip


def a_dataset(*titles, modality="MR", names=("Liver",)):
    channels = tuple(Channel(title.lower(), title) for title in titles or ("MRI",))
    labels = tuple(Label(n, name, (1.0, 0.0, 0.0)) for n, name in enumerate(names, start=1))
    return Dataset("Made up", Path(), modality, channels, labels, ())


def plan_of(rows, dataset=None, machine=PROCESSOR, architecture=None):
    return default_plan(dataset or a_dataset(), fingerprint_of(rows), machine, architecture)


def test_spacing_and_size_are_medians_along_anatomy_not_along_storage():
    """Two of three cases are stored in LPS, the third with its axes in another order."""
    rows = [
        facts(1, (100, 120, 80), (1.0, 1.2, 1.5)),
        facts(2, (110, 100, 60), (1.0, 1.0, 2.0)),
        facts(3, (70, 90, 130), (1.8, 1.4, 1.1), orientation="SAR"),
    ]
    found = fingerprint_of(rows)
    assert found.orientation == "LPS"
    assert np.median(found.spacings_mm, axis=0) == pytest.approx((1.0, 1.2, 1.8))
    assert found.extents_mm[2] == pytest.approx((130 * 1.1, 90 * 1.4, 70 * 1.8))
    plan = plan_of(rows)
    assert plan.spacing_mm == (1.0, 1.2, 1.8)
    assert plan.orientation == "LPS"


def test_small_crops_are_seen_whole_by_a_small_network(the_data):
    dataset = read_dataset(the_data / "hippocampus")
    report = check_dataset(replace(dataset, cases=dataset.cases[:20]))
    plan = default_plan(dataset, fingerprint_of(list(report.facts.values())), PROCESSOR)
    assert plan.spacing_mm == (1.0, 1.0, 1.0)
    # nnU-Net's own plan for this task has patches of 40 x 56 x 40, too.
    assert plan.patch_size == (40, 56, 40)
    settings = plan.architecture.arguments()
    assert settings["filters"] == (16, 32, 64, 128)
    assert plan.conventions == ""
    assert plan.channels[0].intensity.rule == "zscore"


def test_a_ct_is_cut_and_scaled_by_its_labeled_voxels():
    samples = np.random.default_rng(1).normal(60, 20, (1, 20_000)).astype(np.float32)
    rows = [facts(n, (200, 200, 100), (0.8, 0.8, 1.5), samples=samples) for n in range(3)]
    plan = plan_of(rows, a_dataset("CT", modality="CT"))
    rule = plan.channels[0].intensity
    assert rule.rule == "clip"
    numbers = dict(rule.numbers)
    assert numbers["mean"] == pytest.approx(60, abs=0.5)
    assert numbers["std"] == pytest.approx(20, abs=0.5)
    # The normal distribution's 0.5th and 99.5th percentiles lie 2.576 deviations away.
    assert numbers["low"] == pytest.approx(60 - 2.576 * 20, abs=2)
    assert numbers["high"] == pytest.approx(60 + 2.576 * 20, abs=2)


def test_channels_of_two_modalities_get_a_rule_each():
    samples = np.random.default_rng(1).normal(60, 20, (2, 500)).astype(np.float32)
    rows = [facts(n, (64, 64, 64), (1.0, 1.0, 1.0), samples=samples) for n in range(3)]
    plan = plan_of(rows, a_dataset("CT", "PET", modality="any"))
    assert [channel.intensity.rule for channel in plan.channels] == ["clip", "zscore"]


def test_thick_slices_that_are_few_are_seen_one_at_a_time():
    """The liver papers' MR: 512 x 512 pixels of 0.68 mm, 12 slices of 8 mm, stored sagittal."""
    rows = [facts(n, (12, 320, 288), (8.0, 1.2, 1.2), orientation="SAL") for n in range(3)]
    plan = plan_of(rows)
    assert plan.is_of_planes
    assert plan.orientation == "ALS"
    assert plan.patch_size[2] == 1
    assert len(divisors_of(plan.architecture)) == 2
    assert "12 slices of 8 mm" in words_of_plan(plan)
    assert plan.spacing_mm == (1.2, 1.2, 8.0)


def test_thick_slices_that_are_many_are_resampled_each_by_itself():
    rows = [facts(n, (320, 320, 40), (0.8, 0.8, 4.0)) for n in range(3)]
    plan = plan_of(rows)
    assert not plan.is_of_planes
    assert plan.conventions == "nnunet"
    strides = plan.architecture.arguments()["strides"]
    assert strides[1] == (2, 2, 1)
    assert plan.architecture.arguments()["kernel_size"][0] == (3, 3, 1)


def test_zeros_around_the_patient_are_cropped_and_not_counted():
    rows = [facts(n, (180, 200, 180), (1.0,) * 3, nonzero=(120, 150, 130)) for n in range(3)]
    plan = plan_of(rows)
    assert plan.conventions == "nnunet"
    assert plan.channels[0].intensity.rule == "zscore-mask"


def test_the_thick_axis_gets_finer_than_its_median():
    """nnU-Net's rule: the tenth percentile, where voxels are thrice as long and as few."""
    spacings = [2.5, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]
    rows = [facts(n, (512, 512, 60), (0.7, 0.7, s)) for n, s in enumerate(spacings)]
    assert plan_of(rows).spacing_mm == (0.7, 0.7, 5.0)
    rows = [facts(n, (512, 512, 60), (0.7, 0.7, s)) for n, s in enumerate([2.5] * 5 + [5.0] * 6)]
    assert plan_of(rows).spacing_mm == (0.7, 0.7, 2.5)


@pytest.mark.parametrize(
    ("names", "axes"),
    [(("Liver",), (0,)), (("left kidney", "Spleen"), ()), (("kidney_R",), ()), (("Larynx",), (0,))],
)
def test_left_and_right_are_mirrored_only_where_no_label_has_a_side(names, axes):
    rows = [facts(n, (64, 64, 64), (1.0,) * 3) for n in range(3)]
    assert plan_of(rows, a_dataset(names=names)).mirror_axes == axes


@pytest.mark.parametrize("machine", [PROCESSOR, GPU], ids=["processor", "gpu"])
def test_patches_fit_the_machine_and_the_network(machine):
    rows = [facts(n, (400, 380, 300), (0.9, 0.9, 1.2)) for n in range(30)]
    for name in TRAINABLE_NAMES:
        plan = plan_of(rows, machine=machine, architecture=name)
        divisors = divisors_of(plan.architecture)
        assert all(n % d == 0 for n, d in zip(plan.patch_size, divisors, strict=False)), name
        assert np.prod(plan.patch_size) <= 1.3 * (128**3 if machine is GPU else 64**3)
        assert plan_from_json(plan_to_json(plan)) == plan
    assert plan_of(rows, machine=machine).precision == machine.precision


def test_a_patch_of_a_large_scan_is_a_cube_in_space():
    rows = [facts(n, (400, 400, 200), (0.8, 0.8, 1.6)) for n in range(3)]
    plan = plan_of(rows)
    sides = np.array(plan.patch_size) * plan.spacing_mm
    assert sides.max() / sides.min() < 1.5


def test_one_patient_is_not_split():
    rows = [facts(n, (64, 64, 64), (1.0,) * 3, patient="p") for n in range(3)]
    assert plan_of(rows).validation_fraction == 0


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda rows: plan_of(rows, architecture="os.system"), "cannot be trained; choose one of"),
        (lambda rows: plan_of(rows, architecture="meshnet"), "cannot be trained"),
        (
            lambda rows: plan_of(
                [replace(r, samples=np.full((1, 9), 5, np.float32)) for r in rows],
                a_dataset("CT", modality="CT"),
            ),
            "have the value 5",
        ),
        (
            lambda rows: plan_of([replace(r, samples=np.empty((1, 0), np.float32)) for r in rows]),
            "without a labeled voxel",
        ),
    ],
)
def test_what_cannot_be_planned_is_refused_in_a_sentence(make, told):
    with pytest.raises(SegmentationAIError, match=told):
        make([facts(n, (64, 64, 64), (1.0,) * 3) for n in range(3)])
