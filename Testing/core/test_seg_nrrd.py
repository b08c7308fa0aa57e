"""``.seg.nrrd``: what Slicer writes is read, what is written Slicer reads, and nothing is lost.

Slicer is the real one: MRML scene, segmentation logic and storage node of ``slicer-core``.
"""

from dataclasses import replace

import numpy as np
import pytest
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from SegmentationAILib.core.errors import FileFormatError
from SegmentationAILib.core.formats import nrrd_header, seg_nrrd
from SegmentationAILib.core.labelmap import Label, Labelmap, Provenance
from SegmentationAILib.core.terminology import ANATOMICAL_STRUCTURE, Code, Terminology

from phantoms import oblique_affine

SHAPE = (13, 9, 7)
# Oblique, anisotropic and left-handed (determinant below zero).
AFFINE = oblique_affine(flips=(-1, 1, 1))
LIVER = Terminology(ANATOMICAL_STRUCTURE, Code("SCT", "10200004", "Liver"))
KIDNEY = Terminology(
    ANATOMICAL_STRUCTURE, Code("SCT", "64033007", "Kidney"), Code("SCT", "7771000", "Left")
)
PREDICTED = Provenance("predicted", "torso", "ab" * 32, 3, "2026-02-03T04:05:06Z")


@pytest.fixture
def a_scene():
    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    logic = slicer.vtkSlicerSegmentationsModuleLogic()
    logic.SetMRMLApplicationLogic(application)
    logic.SetMRMLScene(scene)
    yield scene, logic
    scene.Clear(True)


@pytest.fixture
def an_overlapping_labelmap():
    """Liver (7) and an empty label (300) in one layer, kidney (2) over the liver in the other."""
    lower, upper = np.zeros(SHAPE, np.uint16), np.zeros(SHAPE, np.uint8)
    lower[2:9, 1:7, 1:5] = 7
    lower[12, 8, 6] = 12
    upper[5:11, 3:9, 3:7] = 2
    labels = (
        Label(
            7, "liver", (0.8, 0.4, 0.2), LIVER, 0, "L", "completed", PREDICTED, (("Mine", "a b"),)
        ),
        Label(12, "tumör <b>", (0.1, 0.25, 1.0), None, 0, "Segment_T"),
        Label(300, "spleen", (0.5, 0.125, 0.75), None, 0, "S", "flagged"),
        Label(2, "left kidney", (0.2, 0.6, 0.4), KIDNEY, 1, "K", "in progress", Provenance("weak")),
    )
    return Labelmap((lower, upper), labels, AFFINE)


def loaded_by_slicer(a_scene, path):
    node = a_scene[1].LoadSegmentationFromFile(str(path), True, "loaded")
    assert node is not None
    return node


def saved_by_slicer(a_scene, node, path, crop=False):
    storage = a_scene[0].AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    storage.SetCropToMinimumExtent(crop)
    assert storage.WriteData(node)
    return path


def tag_of(segment, key):
    value = vtk.reference("")
    return str(value) if segment.GetTag(key, value) else None


def points_of(node, segment_id):
    """RAS of the centers of the voxels in a segment, by Slicer's own image, sorted."""
    image = node.GetBinaryLabelmapInternalRepresentation(segment_id)
    value = node.GetSegmentation().GetSegment(segment_id).GetLabelValue()
    scalars = vtk_to_numpy(image.GetPointData().GetScalars())
    extent = image.GetExtent()
    shape = [extent[2 * a + 1] - extent[2 * a] + 1 for a in range(3)]
    ijk = np.argwhere(scalars.reshape(shape, order="F") == value) + extent[::2]
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    affine = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])
    return sorted_points(ijk @ affine[:3, :3].T + affine[:3, 3])


def points_of_label(labelmap, label):
    ijk = np.argwhere(labelmap.mask(label))
    return sorted_points(ijk @ labelmap.affine[:3, :3].T + labelmap.affine[:3, 3])


def sorted_points(points):
    rounded = np.round(points, 4)
    return points[np.lexsort(rounded.T)]


def slicer_image(mask):
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*mask.shape)
    matrix = vtk.vtkMatrix4x4()
    for row in range(4):
        for column in range(4):
            matrix.SetElement(row, column, AFFINE[row, column])
    image.SetImageToWorldMatrix(matrix)
    image.GetPointData().SetScalars(numpy_to_vtk(mask.astype(np.uint8).ravel(order="F"), deep=True))
    return image


def test_everything_survives_a_round_trip(tmp_path, an_overlapping_labelmap):
    seg_nrrd.write(an_overlapping_labelmap, tmp_path / "x.seg.nrrd")
    again = seg_nrrd.read(tmp_path / "x.seg.nrrd")
    assert again.labels == an_overlapping_labelmap.labels
    assert again.notes == ()
    np.testing.assert_array_equal(again.affine, AFFINE)
    for before, after in zip(an_overlapping_labelmap.layers, again.layers, strict=True):
        np.testing.assert_array_equal(after, before)


def test_slicer_reads_every_segment_that_was_written(a_scene, tmp_path, an_overlapping_labelmap):
    seg_nrrd.write(an_overlapping_labelmap, tmp_path / "x.seg.nrrd")
    node = loaded_by_slicer(a_scene, tmp_path / "x.seg.nrrd")
    segmentation = node.GetSegmentation()
    assert segmentation.GetNumberOfSegments() == 4
    for number, label in enumerate(an_overlapping_labelmap.labels):
        assert segmentation.GetNthSegmentID(number) == label.segment_id
        segment = segmentation.GetSegment(label.segment_id)
        assert segment.GetName() == label.name
        assert not segment.GetNameAutoGenerated()
        np.testing.assert_allclose(segment.GetColor(), label.color, atol=1e-12)
        assert tag_of(segment, "Segmentation.Status") == label.status.replace(" ", "")
        assert tag_of(segment, "SegmentationAI.LabelValue") == str(label.value)
        if label.terminology is not None:
            assert tag_of(segment, "TerminologyEntry") == str(label.terminology)
        expected = points_of_label(an_overlapping_labelmap, label)
        if len(expected):
            np.testing.assert_allclose(points_of(node, label.segment_id), expected, atol=1e-3)
    liver = segmentation.GetSegment("L")
    assert tag_of(liver, "SegmentationAI.Origin") == "predicted"
    assert tag_of(liver, "SegmentationAI.Network") == "torso"
    assert tag_of(liver, "Mine") == "a b"


@pytest.mark.parametrize("crop", [False, True])
def test_what_slicer_saves_again_keeps_values_names_codes_and_places(
    a_scene, tmp_path, an_overlapping_labelmap, crop
):
    """Slicer renumbers segments when it saves; the labels keep the values that they own."""
    seg_nrrd.write(an_overlapping_labelmap, tmp_path / "x.seg.nrrd")
    node = loaded_by_slicer(a_scene, tmp_path / "x.seg.nrrd")
    node.GetSegmentation().CollapseBinaryLabelmaps(False)
    saved_by_slicer(a_scene, node, tmp_path / "y.seg.nrrd", crop)
    again = seg_nrrd.read(tmp_path / "y.seg.nrrd")
    found = {label.segment_id: label for label in again.labels}
    for label in an_overlapping_labelmap.labels:
        after = found[label.segment_id]
        # Slicer gives a code of its own, "Tissue", where there was none, which means the same.
        assert replace(after, layer=label.layer, color=label.color) == label
        np.testing.assert_allclose(after.color, label.color, atol=1e-5)
        expected = points_of_label(an_overlapping_labelmap, label)
        np.testing.assert_allclose(points_of_label(again, after), expected, atol=1e-3)


@pytest.mark.parametrize("crop", [False, True])
def test_a_segmentation_drawn_in_slicer_is_read_in_its_place(a_scene, tmp_path, crop):
    rng = np.random.default_rng(5)
    masks = {name: rng.random(SHAPE) < 0.2 for name in ("one", "two", "three")}
    for mask in masks.values():
        mask[:3], mask[:, :2], mask[..., :1] = False, False, False
    node = a_scene[0].AddNewNodeByClass("vtkMRMLSegmentationNode")
    identifiers = {}
    for number, (name, mask) in enumerate(masks.items()):
        color = (0.25 * number, 0.5, 0.75)
        identifiers[name] = node.AddSegmentFromBinaryLabelmapRepresentation(
            slicer_image(mask), name, color
        )
    saved_by_slicer(a_scene, node, tmp_path / "x.seg.nrrd", crop)
    labelmap = seg_nrrd.read(tmp_path / "x.seg.nrrd")
    assert len(labelmap.layers) > 1
    assert [label.name for label in labelmap.labels] == ["one", "two", "three"]
    for label in labelmap.labels:
        assert label.segment_id == identifiers[label.name]
        assert label.terminology is None
        expected = np.argwhere(masks[label.name]) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
        found = points_of_label(labelmap, label)
        np.testing.assert_allclose(found, sorted_points(expected), atol=1e-3)


def test_names_of_any_kind_survive_slicer_and_back(a_scene, tmp_path):
    names = ["a|b:c", "line\nbreak", "back\\slash \\n", "〈肝〉 \u202etxet", "x" * 10_000, " "]
    layer = np.zeros(SHAPE, np.uint8)
    layer.ravel()[: len(names)] = np.arange(len(names)) + 1
    labels = [Label(value + 1, name, segment_id=f"S{value}") for value, name in enumerate(names)]
    seg_nrrd.write(Labelmap((layer,), tuple(labels), AFFINE), tmp_path / "x.seg.nrrd")
    assert [row.name for row in seg_nrrd.read(tmp_path / "x.seg.nrrd").labels] == names
    node = loaded_by_slicer(a_scene, tmp_path / "x.seg.nrrd")
    for number, name in enumerate(names[:5]):
        assert node.GetSegmentation().GetSegment(f"S{number}").GetName() == name


def test_a_separator_in_a_tag_cannot_make_another_tag(tmp_path):
    layer = np.ones(SHAPE, np.uint8)
    hostile = (("note", "x|SegmentationAI.Origin:accepted|"), ("a:b|c", "d"))
    seg_nrrd.write(
        Labelmap((layer,), (Label(1, "x", tags=hostile),), AFFINE), tmp_path / "x.seg.nrrd"
    )
    (label,) = seg_nrrd.read(tmp_path / "x.seg.nrrd").labels
    assert label.provenance is None
    assert dict(label.tags) == {"note": "x¦SegmentationAI.Origin:accepted¦", "a.b¦c": "d"}


def test_labels_without_an_id_get_different_ones(tmp_path):
    layers = (np.ones(SHAPE, np.uint8), np.ones(SHAPE, np.uint8))
    labels = (Label(1, "a"), Label(1, "b", layer=1), Label(2, "c", segment_id="Segment_1"))
    seg_nrrd.write(Labelmap(layers, labels, AFFINE), tmp_path / "x.seg.nrrd")
    identifiers = [row.segment_id for row in seg_nrrd.read(tmp_path / "x.seg.nrrd").labels]
    assert identifiers == ["Segment_1_layer_0", "Segment_1_layer_1", "Segment_1"]


@pytest.mark.parametrize(("highest", "bits"), [(255, 8), (256, 16), (65535, 16), (65536, 32)])
def test_case_38_values_are_never_wrapped(tmp_path, highest, bits):
    layer = np.zeros(SHAPE, np.uint32)
    layer[1, 2, 3] = highest
    seg_nrrd.write(Labelmap((layer,), (Label(highest, "x"),), AFFINE), tmp_path / "x.seg.nrrd")
    again = seg_nrrd.read(tmp_path / "x.seg.nrrd")
    assert again.layers[0].dtype.itemsize == bits // 8
    assert int(again.layers[0][1, 2, 3]) == highest


def test_voxels_that_no_segment_names_are_kept_and_said(tmp_path):
    layer = np.zeros(SHAPE, np.uint8)
    layer[0, 0, 0], layer[1, 1, 1] = 1, 9
    path = tmp_path / "x.seg.nrrd"
    seg_nrrd.write(Labelmap((layer,), (Label(1, "x"), Label(9, "y")), AFFINE), path)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(line for line in lines if not line.startswith(b"Segment1_")))
    again = seg_nrrd.read(path)
    assert [row.value for row in again.labels] == [1, 9]
    assert any("no segment names" in note and "9" in note for note in again.notes)
    np.testing.assert_array_equal(again.layers[0], layer)


def with_line(path, key, value):
    """Replace one line of the header of a written file."""
    head, voxels = path.read_bytes().split(b"\n\n", 1)
    lines = [
        f"{key}:={value}".encode() if row.startswith(key.encode()) else row
        for row in head.split(b"\n")
    ]
    path.write_bytes(b"\n".join(lines) + b"\n\n" + voxels)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Segment0_Layer", "2"),
        ("Segment0_Layer", "-1"),
        ("Segment0_Layer", "x"),
        ("Segment0_LabelValue", "0"),
        ("Segment0_LabelValue", "99999999999"),
        ("Segment0_LabelValue", "12"),
        ("Segment0_Color", "1 2 3"),
        ("Segment0_Color", "nan 0 0"),
        ("Segment0_Color", "0 0"),
        ("Segmentation_MasterRepresentation", "Fractional labelmap"),
    ],
)
def test_segments_that_contradict_the_file_are_refused(
    tmp_path, an_overlapping_labelmap, key, value
):
    path = tmp_path / "x.seg.nrrd"
    seg_nrrd.write(an_overlapping_labelmap, path)
    with_line(path, key, value)
    with pytest.raises(FileFormatError, match=r"x\.seg\.nrrd"):
        seg_nrrd.read(path)


def test_files_of_slicer_4_with_a_layer_per_segment_are_read(tmp_path, an_overlapping_labelmap):
    path = tmp_path / "x.seg.nrrd"
    layers = tuple((layer > 0).astype(np.uint8) for layer in an_overlapping_labelmap.layers)
    rows = (Label(1, "a", segment_id="A"), Label(1, "b", layer=1, segment_id="B"))
    seg_nrrd.write(Labelmap(layers, rows, AFFINE), path)
    head, voxels = path.read_bytes().split(b"\n\n", 1)
    kept = [
        line for line in head.split(b"\n")
        if b"_Layer" not in line and b"_LabelValue" not in line and b"_Tags" not in line
    ]  # fmt: skip
    path.write_bytes(b"\n".join(kept) + b"\n\n" + voxels)
    again = seg_nrrd.read(path)
    assert [(row.name, row.layer, row.value) for row in again.labels] == [("a", 0, 1), ("b", 1, 1)]
    for before, after in zip(layers, again.layers, strict=True):
        np.testing.assert_array_equal(after, before)


def test_segments_that_claim_one_value_keep_the_values_of_the_voxels(tmp_path):
    layer = np.zeros(SHAPE, np.uint8)
    layer[0], layer[1] = 1, 2
    path = tmp_path / "x.seg.nrrd"
    seg_nrrd.write(Labelmap((layer,), (Label(1, "a"), Label(2, "b")), AFFINE), path)
    with_line(path, "Segment1_Tags", "SegmentationAI.LabelValue:1|")
    again = seg_nrrd.read(path)
    assert [row.value for row in again.labels] == [1, 2]
    np.testing.assert_array_equal(again.layers[0], layer)
    assert any("claim one label value" in note for note in again.notes)


def test_a_header_of_a_thousand_segments_stays_under_the_limit(tmp_path):
    labels = tuple(Label(v, f"structure {v}", terminology=KIDNEY) for v in range(1, 1001))
    layer = (np.arange(np.prod(SHAPE)) % 1001).astype(np.uint16).reshape(SHAPE)
    path = tmp_path / "x.seg.nrrd"
    seg_nrrd.write(Labelmap((layer,), labels, AFFINE), path)
    assert path.stat().st_size < nrrd_header.LONGEST_HEADER_BYTES / 8
    assert len(seg_nrrd.read(path).labels) == 1000
