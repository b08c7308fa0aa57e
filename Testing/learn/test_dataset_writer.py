"""Cases from a scene: segments are united by name, and the folder is whole or absent."""

from dataclasses import replace

import numpy as np
import pytest
from training_sets import moved, sphere_case

from SegmentationAILib.core.errors import Cancelled, GeometryError, SegmentationAIError
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.learn.case_reader import read_case
from SegmentationAILib.learn.dataset_writer import CollectedCase, write_dataset


def two_cases():
    """The second numbers and spells its segments otherwise, and has one segment more."""
    first = CollectedCase("a", *sphere_case(1), patient="P")
    volume, labelmap = sphere_case(2)
    layer = labelmap.layers[0].astype(np.uint16)
    swapped = np.where(layer == 1, 300, np.where(layer == 3, 1, 0)).astype(np.uint16)
    swapped[0, 0, 0] = 2
    labels = (Label(300, "shell"), Label(1, "CORE"), Label(2, "Corner"))
    return first, CollectedCase("b", volume, Labelmap((swapped,), labels, labelmap.affine))


def test_segments_of_the_same_name_become_the_same_label(tmp_path):
    cases = two_cases()
    found = write_dataset(tmp_path / "set", "Mine", ("MRI",), cases)
    names = {label.name: label.value for label in found.labels}
    assert list(names) == ["Shell", "Core", "Corner"]
    for case, files in zip(cases, found.cases, strict=True):
        read = read_case(found, files)
        assert np.array_equal(read.volume.voxels, case.volume.voxels)
        assert np.allclose(read.volume.affine, case.volume.affine, atol=1e-4)
        for label in case.labelmap.labels:
            value = names[label.name.capitalize()]
            where = case.labelmap.layers[0] == label.value
            assert np.array_equal(read.labelmap.layers[0] == value, where)
    assert [case.patient for case in found.cases] == ["P", "b"]


def test_a_canceled_or_refused_set_leaves_nothing(tmp_path):
    first, second = two_cases()

    def cancel(fraction, sentence):
        if fraction > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_dataset(tmp_path / "set", "Mine", ("MRI",), [first, second], Progress(cancel))
    elsewhere = moved(second.labelmap.grid, origin_mm=(0.5, 0, 0))
    shifted = Labelmap(second.labelmap.layers, second.labelmap.labels, elsewhere.affine)
    with pytest.raises(GeometryError, match="lie up to"):
        write_dataset(tmp_path / "set", "M", ("MRI",), [first, replace(second, labelmap=shifted)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": "a"}, "occurs twice"),
        ({"id": "../b"}, "cannot name a file"),
        ({"id": "A"}, "occurs twice"),
        ({"volume": sphere_case(2, channels=2)[0]}, "2 channel"),
    ],
)
def test_cases_that_do_not_fit_each_other_are_refused(tmp_path, change, told):
    first, second = two_cases()
    with pytest.raises(SegmentationAIError, match=told):
        write_dataset(tmp_path / "set", "M", ("MRI",), [first, replace(second, **change)])


def test_a_folder_that_is_there_is_not_touched(tmp_path):
    (tmp_path / "set").mkdir()
    with pytest.raises(SegmentationAIError, match="there already"):
        write_dataset(tmp_path / "set", "M", ("MRI",), two_cases())
    empty = replace(two_cases()[0], labelmap=replace(two_cases()[0].labelmap, labels=()))
    with pytest.raises(SegmentationAIError, match="have no name"):
        write_dataset(tmp_path / "new", "M", ("MRI",), [empty])
