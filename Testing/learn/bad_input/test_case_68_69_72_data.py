"""Cases 68, 69 and 72 of bad input: corrupt files, labels that lie elsewhere, leaks of patients."""

import json
import shutil

import numpy as np
import pytest
from training_sets import entry, moved, sphere_case, write_description, write_spheres

from SegmentationAILib.core.errors import Cancelled, SegmentationAIError
from SegmentationAILib.core.files import write_labelmap, write_volume
from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.learn.dataset import read_dataset
from SegmentationAILib.learn.dataset_checks import check_dataset, check_no_leak
from SegmentationAILib.learn.split import split_by_ids

CASES = 6


@pytest.fixture
def a_folder(tmp_path):
    write_spheres(tmp_path, CASES)
    return tmp_path


def checked(folder):
    return check_dataset(read_dataset(folder))


def file_of(folder, part, number):
    return folder / f"{part}Tr" / f"case_{number}.nii.gz"


def rewritten(folder, number, *, labels=None, **geometry):
    """Write the labels of a case again, at another place or with other values."""
    _, labelmap = sphere_case(number)
    layer = labelmap.layers[0] if labels is None else labels(labelmap.layers[0].copy())
    grid = moved(labelmap.grid, **geometry)
    write_labelmap(
        Labelmap((layer,), labelmap.labels, grid.affine), file_of(folder, "labels", number)
    )


def ids(cases):
    return [case.id for case in cases]


def test_the_harmless_twin_passes_whole(a_folder):
    report = checked(a_folder)
    assert report.findings == ()
    assert ids(report.usable_cases()) == [f"case_{n}" for n in range(1, CASES + 1)]
    assert report.words() == "All 6 cases passed the checks."
    facts = report.facts["case_2"]
    volume, labelmap = sphere_case(2)
    assert facts.spacing_mm == pytest.approx((0.9, 1.3, 2.5), rel=1e-4)
    assert facts.orientation == "LPS"
    for value in (1, 3):
        assert facts.label_voxels[value] == np.count_nonzero(labelmap.layers[0] == value)
    assert volume.voxels[0][labelmap.layers[0] > 0].mean() == pytest.approx(facts.samples.mean())


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("<html>not found</html>")


@pytest.mark.parametrize("damage", [cut, emptied, text, lambda path: path.unlink()])
@pytest.mark.parametrize("part", ["images", "labels"])
def test_case_68_a_corrupt_case_is_left_out_by_name_and_the_others_go_on(a_folder, part, damage):
    damage(file_of(a_folder, part, 3))
    report = checked(a_folder)
    assert ids(report.usable_cases()) == [f"case_{n}" for n in (1, 2, 4, 5, 6)]
    (finding,) = report.findings
    assert (finding.case, finding.kind, finding.severity) == ("case_3", "unreadable", "leave-out")
    assert "case_3 is left out" in report.words()
    assert "5 of 6 cases can be used" in report.words()


def test_case_68_when_all_are_corrupt_it_is_refused(a_folder):
    for number in range(1, CASES + 1):
        cut(file_of(a_folder, "images", number))
    with pytest.raises(SegmentationAIError, match="None of the 6 cases of Spheres can be used"):
        checked(a_folder).usable_cases()


def test_case_68_a_volume_of_one_value_is_left_out(a_folder):
    volume, _ = sphere_case(3)
    flat = np.full_like(volume.voxels, 7)
    write_volume(Volume(flat, volume.affine), file_of(a_folder, "images", 3))
    report = checked(a_folder)
    assert report.left_out == {"case_3"}
    assert "has the value 7" in report.words()


@pytest.mark.parametrize(
    ("geometry", "told"),
    [
        ({"origin_mm": (0.5, 0.0, 0.0)}, "an origin 0.5 mm away"),
        ({"scale": (1.01, 1.0, 1.0)}, "a spacing of 0.909 x 1.3 x 2.5 mm instead of 0.9"),
        ({"flip": True}, "the axis I reversed"),
        ({"origin_mm": (900.0, 0.0, 0.0)}, "100% of the labeled voxels beyond the volume"),
    ],
)
def test_case_69_labels_that_lie_elsewhere_are_refused(a_folder, geometry, told):
    rewritten(a_folder, 4, **geometry)
    report = checked(a_folder)
    with pytest.raises(SegmentationAIError, match="case_4 lie elsewhere") as raised:
        report.usable_cases()
    assert told in str(raised.value)
    asked = check_dataset(read_dataset(a_folder), leave_out_misplaced=True)
    assert ids(asked.usable_cases()) == [f"case_{n}" for n in (1, 2, 3, 5, 6)]


def test_case_69_labels_of_another_size_are_refused(a_folder):
    _, labelmap = sphere_case(4)
    shorter = Labelmap((labelmap.layers[0][:, :, :-1],), labelmap.labels, labelmap.affine)
    write_labelmap(shorter, file_of(a_folder, "labels", 4))
    with pytest.raises(SegmentationAIError, match="22 x 18 x 11 voxels instead of 22 x 18 x 12"):
        checked(a_folder).usable_cases()


def test_case_69_twin_rounding_of_the_header_is_accepted(a_folder):
    rewritten(a_folder, 4, origin_mm=(1e-5, 0.0, 0.0), scale=(1 + 1e-6, 1.0, 1.0))
    assert checked(a_folder).findings == ()


def test_case_72_one_patient_under_two_names_is_refused(a_folder):
    shutil.copy(file_of(a_folder, "images", 1), file_of(a_folder, "images", 5))
    report = checked(a_folder)
    with pytest.raises(SegmentationAIError, match="case_5 holds the same voxels as case_1"):
        report.usable_cases()
    entries = [entry(f"case_{n}", patient=f"p{n % 4}") for n in range(1, CASES + 1)]
    write_description(a_folder, entries)  # the twin: 1 and 5 are told to be one patient
    told = checked(a_folder)
    assert len(told.usable_cases()) == CASES
    assert [one.severity for one in told.findings] == ["notice"]


def test_case_72_a_scan_is_known_again_turned_and_stored_as_another_type(a_folder):
    volume, labelmap = sphere_case(1)
    turned = volume.voxels.astype(np.float32).transpose(0, 3, 1, 2)[:, ::-1]
    affine = volume.affine[:, [2, 0, 1, 3]].copy()
    affine[:, 3] += affine[:, 0] * (turned.shape[1] - 1)
    affine[:, 0] *= -1
    write_volume(Volume(turned, affine), file_of(a_folder, "images", 5))
    layer = labelmap.layers[0].transpose(2, 0, 1)[::-1]
    write_labelmap(Labelmap((layer,), labelmap.labels, affine), file_of(a_folder, "labels", 5))
    with pytest.raises(SegmentationAIError, match="case_5 holds the same voxels as case_1"):
        checked(a_folder).usable_cases()


def test_case_72_the_same_voxels_on_both_sides_of_a_split_are_refused(a_folder):
    shutil.copy(file_of(a_folder, "images", 1), file_of(a_folder, "images", 5))
    report = checked(a_folder)
    cases = report.dataset.cases
    with pytest.raises(SegmentationAIError, match="case_5 is held out and case_1"):
        check_no_leak(split_by_ids(cases, ["case_5"]), report.facts)
    check_no_leak(split_by_ids(cases, ["case_1", "case_5"]), report.facts)


def test_label_values_without_a_name_are_refused(a_folder):
    rewritten(a_folder, 2, labels=lambda layer: np.where(layer == 3, 9, layer).astype(np.uint8))
    with pytest.raises(SegmentationAIError, match=r"label values \[9\]"):
        checked(a_folder).usable_cases()


def test_empty_and_oddly_sized_labels_are_told_and_used(a_folder):
    rewritten(a_folder, 2, labels=np.zeros_like)

    def one_voxel(layer):
        layer[layer == 3] = 1
        layer[11, 9, 6] = 3
        return layer

    rewritten(a_folder, 4, labels=one_voxel)
    report = checked(a_folder)
    assert len(report.usable_cases()) == CASES
    assert {(one.case, one.kind) for one in report.findings} == {
        ("case_2", "empty"), ("case_4", "size"),
    }  # fmt: skip
    assert "Core of case_4" in report.words()


def test_nothing_labeled_anywhere_is_refused(a_folder):
    for number in range(1, CASES + 1):
        rewritten(a_folder, number, labels=np.zeros_like)
    with pytest.raises(SegmentationAIError, match="there is nothing to learn"):
        checked(a_folder).usable_cases()


def test_the_report_survives_json_and_names_hashes(a_folder):
    rewritten(a_folder, 2, labels=np.zeros_like)
    found = json.loads(json.dumps(checked(a_folder).to_json()))
    assert [case["id"] for case in found["cases"]][:2] == ["case_1", "case_2"]
    assert all(len(case["voxels_sha256"]) == 64 for case in found["cases"])
    assert found["findings"][0]["kind"] == "empty"


def test_checking_can_be_canceled(a_folder):
    def cancel(fraction, sentence):
        if "case 3" in sentence:
            raise Cancelled

    with pytest.raises(Cancelled):
        check_dataset(read_dataset(a_folder), Progress(cancel))


def test_a_finding_about_every_case_names_one_and_counts_the_others(a_folder):
    for number in (1, 2, 3):
        rewritten(a_folder, number, flip=True)
    with pytest.raises(SegmentationAIError, match=r"case_1 .* 2 more case\(s\)"):
        checked(a_folder).usable_cases()
