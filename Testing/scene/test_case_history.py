"""Pictures of a case's versions: every color is that of how the voxel came to be."""

import numpy as np
import pytest
from study_files import scan, truth
from vtk.util.numpy_support import vtk_to_numpy

from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.scene.case_history import history_of_answer, in_colors_of_origin
from SegmentationAILib.scene.case_origin import ORIGIN_COLORS
from SegmentationAILib.worker.client import StudyAnswer, WorkerError


def pixels_of(png):
    import vtk

    reader = vtk.vtkPNGReader()
    reader.SetMemoryBuffer(png)
    reader.SetMemoryBufferLength(len(png))
    reader.Update()
    image = reader.GetOutput()
    width, height, _ = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)[::-1]


def one_slice(place=5):
    volume, labels = scan(0), truth(0)
    box = (slice(None), slice(None), slice(place, place + 1))
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, 2] * place
    piece = Volume(volume.voxels[(slice(None), *box)], affine)
    return piece, Labelmap((labels.layers[0][box],), labels.labels, affine)


def colors_in(png):
    return {tuple(color) for color in np.unique(pixels_of(png).reshape(-1, 3), axis=0)}


def full(name):
    return tuple(round(255 * level) for level in ORIGIN_COLORS[name])


def answer(**changes):
    volume, labels = one_slice()
    mask = np.zeros(labels.grid.shape, np.uint8)
    mask[8:] = 1
    touched = Labelmap((mask,), (Label(1, "Touched"),), labels.affine)
    rows = [
        {"origin": "weak", "iteration": 0, "who": "otsu", "made_at": "2026-01-02T03:04:05+00:00",
         "dice": None, "is_current": False},
        {"origin": "predicted", "iteration": 2, "who": "", "made_at": "2026-01-03T03:04:05+00:00",
         "dice": 0.8125, "is_current": False},
        {"origin": "corrected", "iteration": 0, "who": "Anna",
         "made_at": "2026-01-04T03:04:05+00:00", "dice": 0.9, "is_current": True},
    ]  # fmt: skip
    facts = {"case": "case 0", "axis": 2, "place": 5, "versions": rows} | changes
    labelmaps = {f"labels {number}": labels for number in range(3)} | {"touched 2": touched}
    return StudyAnswer(facts, volume, labelmaps)


def test_each_version_has_its_words_and_the_outline_in_its_color():
    found = history_of_answer(answer())
    assert [tile.caption for tile in found.tiles] == [
        "First labels", "Iteration 2\nDice 0.812", "Corrected\nDice 0.900",
    ]  # fmt: skip
    assert [tile.is_current for tile in found.tiles] == [False, False, True]
    assert found.tiles[2].tip == "Corrected by Anna, 2026-01-04T03:04:05+00:00"
    assert found.sentence.startswith("case 0, slice 6,")
    others = set(ORIGIN_COLORS) - {"predicted", "corrected"}
    weak, predicted, corrected = (colors_in(tile.png) for tile in found.tiles)
    assert full("weak") in weak
    assert full("predicted") not in weak
    assert full("predicted") in predicted
    assert {full("predicted"), full("corrected")} <= corrected, "by hand, and as it was before"
    assert not {full(name) for name in others} & corrected


def test_colors_follow_who_decided_each_voxel_and_structures_stay_apart():
    _, labels = one_slice()
    touched = np.zeros(labels.grid.shape, np.uint8)
    touched[8:] = 1
    found = in_colors_of_origin(
        labels, Labelmap((touched,), (Label(1, "Touched"),), labels.affine), "corrected"
    )
    layer, before = found.layers[0], labels.layers[0]
    colors = {row.value: row.color for row in found.labels}
    for value in (1, 2):
        for mask, name in ((touched == 0, "predicted"), (touched != 0, "corrected")):
            here = {int(v) for v in layer[(before == value) & mask]}
            assert len(here) <= 1
            assert {colors[v] for v in here} <= {ORIGIN_COLORS[name]}
    np.testing.assert_array_equal(layer != 0, before != 0)
    accepted = in_colors_of_origin(labels, None, "accepted")
    assert {row.color for row in accepted.labels} == {ORIGIN_COLORS["accepted"]}


@pytest.mark.parametrize(
    "changes",
    [{"versions": [{}]}, {"versions": None}, {"axis": "z"}, {"versions": [None] * 9}, {"axis": 7}],
)
def test_an_answer_that_is_none_is_refused(changes):
    with pytest.raises(WorkerError, match="not understood"):
        history_of_answer(answer(**changes))
