"""Results become segments: masking, locks, overwrite modes, one undo, and corrections that stay."""

import itertools

import numpy as np
import pytest
import slicer

from SegmentationAILib.core.errors import GeometryError, SegmentationAIError
from SegmentationAILib.core.labelmap import Label, Labelmap, Provenance
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.commit import commit, finished, new_segmentation
from SegmentationAILib.scene.placement import matrix_from_affine
from SegmentationAILib.scene.prepared_result import prepared_result
from SegmentationAILib.scene.segment_editors import SegmentEditors
from SegmentationAILib.scene.segment_protection import is_locked, set_locked, tag_of
from SegmentationAILib.scene.segmentation_node import labelmap_from_node, node_from_labelmap
from SegmentationAILib.scene.segments_in_box import all_segments, mask_of_segments
from SegmentationAILib.scene.surfaces import CLOSED_SURFACE, create_surfaces
from SegmentationAILib.scene.volume_node import node_from_volume
from SegmentationAILib.scene.vtk_voxels import scalars_from_voxels, voxels_from_image

from phantoms import grid_around

GRID = grid_around((12.0, -7.0, 20.0), (17, 15, 13))
MODES = slicer.vtkMRMLSegmentationNode
EDITOR = slicer.vtkMRMLSegmentEditorNode


@pytest.fixture(scope="module")
def a_slicer():
    return headless_slicer()


@pytest.fixture
def a_scene(a_slicer):
    yield a_slicer.scene
    for node in list(nodes(a_slicer.scene, "vtkMRMLSegmentationNode")):
        a_slicer.scene.RemoveNode(node)


@pytest.fixture
def a_volume_node(a_scene):
    node = node_from_volume(
        Volume(np.zeros((1, *GRID.shape), np.int16), GRID.affine), a_scene, "CT"
    )
    yield node
    a_scene.RemoveNode(node)


@pytest.fixture
def the_editors(a_scene):
    return SegmentEditors(a_scene)


def nodes(scene, kind):
    return [scene.GetNthNodeByClass(n, kind) for n in range(scene.GetNumberOfNodesByClass(kind))]


def box_mask(i, j, k):
    mask = np.zeros(GRID.shape, bool)
    mask[slice(*i), slice(*j), slice(*k)] = True
    return mask


LEFT = box_mask((2, 9), (3, 12), (2, 9))
RIGHT = box_mask((9, 15), (3, 12), (2, 9))
MIDDLE = box_mask((5, 12), (5, 10), (1, 7))


def labelmap(masks, origin="predicted", status="not started"):
    """Labels 3, 5, ... in one layer; later masks win."""
    voxels = np.zeros(GRID.shape, np.uint8, order="F")
    labels = []
    for number, (name, mask) in enumerate(masks.items()):
        voxels[mask] = 3 + 2 * number
        provenance = Provenance(origin, "some-network", "ab" * 32, 0, "2026-01-02T03:04:05+00:00")
        labels.append(
            Label(3 + 2 * number, name, (0.1, 0.2 * number, 0.7), status=status,
                  provenance=provenance if origin else None)
        )  # fmt: skip
    return Labelmap((voxels,), tuple(labels), GRID.affine)


def there(scene, volume_node, masks, origin="predicted"):
    return node_from_labelmap(labelmap(masks, origin), scene, volume_node, "There")


def mask_named(node, name):
    segmentation = node.GetSegmentation()
    identifier = segmentation.GetSegmentIdBySegmentName(name)
    assert identifier, f"no segment is called {name}"
    return mask_of_segments(segmentation, [identifier], GRID)


def run(masks, volume_node, editors, rule, target, **how):
    return finished(
        commit(prepared_result(labelmap(masks, **how)), volume_node, editors, rule, target)
    )


def state_of(node):
    """Everything of a segmentation that undo has to bring back, byte for byte."""
    segmentation = node.GetSegmentation()
    state = []
    for identifier in all_segments(segmentation):
        segment = segmentation.GetSegment(identifier)
        image = segment.GetRepresentation("Binary labelmap")
        voxels = voxels_from_image(image) if image.GetNumberOfPoints() else np.zeros(0, np.uint8)
        state.append(
            (identifier, segment.GetName(), segment.GetColor(), segment.GetLabelValue(),
             str(segment).partition("\n  Tags:")[2].partition("Representations")[0],
             image.GetExtent(), voxels.dtype.str, voxels.tobytes())
        )  # fmt: skip
    return state


def test_a_result_in_an_empty_segmentation_comes_back_voxel_for_voxel(
    a_scene, a_volume_node, the_editors
):
    given = labelmap({"Liver": LEFT, "Spleen": RIGHT, "Nothing": np.zeros_like(LEFT)})
    node = new_segmentation(a_scene, a_volume_node, "Result")
    done = finished(commit(prepared_result(given), a_volume_node, the_editors, "new", node))
    back = labelmap_from_node(node, a_volume_node)
    np.testing.assert_array_equal(back.layers[0], given.layers[0])
    assert [label.name for label in back.labels] == ["Liver", "Spleen", "Nothing"]
    assert back.labels[0].provenance == given.labels[0].provenance
    assert done.segment_ids == ("Segment_3", "Segment_5", "Segment_7")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scene)
    parents = {
        hierarchy.GetItemParent(hierarchy.GetItemByDataNode(n)) for n in (node, a_volume_node)
    }
    assert len(parents) == 1
    role = node.GetReferenceImageGeometryReferenceRole()
    assert node.GetNodeReference(role) is a_volume_node


def test_all_at_once_and_one_by_one_give_the_same_segments(a_scene, a_volume_node, the_editors):
    masks = {"Liver": LEFT, "Spleen": RIGHT, "Ball": MIDDLE, "Nothing": np.zeros_like(LEFT)}
    fast = new_segmentation(a_scene, a_volume_node, "Fast")
    run(masks, a_volume_node, the_editors, "new", fast)
    slow = new_segmentation(a_scene, a_volume_node, "Slow")
    # An editable area that excludes nothing, but has to be asked.
    the_editors.editor_of(slow).GetSegmentEditorNode().SetMaskMode(
        MODES.EditAllowedOutsideAllSegments
    )
    run(masks, a_volume_node, the_editors, "new", slow)
    first, second = (labelmap_from_node(node, a_volume_node) for node in (fast, slow))
    assert first.labels == second.labels
    np.testing.assert_array_equal(first.layers[0], second.layers[0])


@pytest.mark.parametrize("rule", ["merge", "replace"])
def test_a_locked_neighbor_keeps_every_voxel(a_scene, a_volume_node, the_editors, rule):
    node = there(a_scene, a_volume_node, {"Liver": LEFT, "Spleen": RIGHT})
    segmentation = node.GetSegmentation()
    set_locked(segmentation.GetSegment(segmentation.GetSegmentIdBySegmentName("Spleen")), True)
    run({"Ball": MIDDLE}, a_volume_node, the_editors, rule, node)
    np.testing.assert_array_equal(mask_named(node, "Spleen"), RIGHT)
    np.testing.assert_array_equal(mask_named(node, "Ball"), MIDDLE & ~RIGHT)
    np.testing.assert_array_equal(mask_named(node, "Liver"), LEFT & ~MIDDLE)


def test_a_lock_is_seen_in_slicers_own_status_and_can_be_opened(a_scene, a_volume_node):
    node = there(a_scene, a_volume_node, {"Liver": LEFT})
    segment = node.GetSegmentation().GetNthSegment(0)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert not is_locked(segment)
    set_locked(segment, True)
    assert is_locked(segment)
    assert logic.GetSegmentStatus(segment) == logic.Completed
    set_locked(segment, False)
    assert not is_locked(segment)
    assert logic.GetSegmentStatus(segment) == logic.InProgress
    logic.SetSegmentStatus(segment, logic.Completed)
    assert is_locked(segment)


@pytest.mark.parametrize("origin", ["corrected", "accepted", "drawn", None])
def test_a_rerun_leaves_a_persons_work_and_lies_beside_it(
    a_scene, a_volume_node, the_editors, origin
):
    node = there(a_scene, a_volume_node, {"Liver": LEFT}, origin)
    done = run({"Liver": MIDDLE}, a_volume_node, the_editors, "merge", node)
    np.testing.assert_array_equal(mask_named(node, "Liver"), LEFT)
    np.testing.assert_array_equal(mask_named(node, "Liver (2)"), MIDDLE)
    assert "'Liver' is a person's work" in done.notes[0]
    run({"Liver": RIGHT}, a_volume_node, the_editors, "replace", node)
    np.testing.assert_array_equal(mask_named(node, "Liver"), RIGHT)


def test_merging_adds_to_a_predicted_segment_and_replacing_takes_its_place(
    a_scene, a_volume_node, the_editors
):
    for rule, expected in (("merge", LEFT | MIDDLE), ("replace", MIDDLE)):
        node = there(a_scene, a_volume_node, {"Liver": LEFT, "Spleen": RIGHT & ~MIDDLE})
        done = run({"liver": MIDDLE}, a_volume_node, the_editors, rule, node)
        np.testing.assert_array_equal(mask_named(node, "Liver"), expected)
        assert done.segment_ids == ("Segment_3",)
        assert node.GetSegmentation().GetNumberOfSegments() == 2


def test_replacing_a_locked_segment_puts_the_result_beside_it(a_scene, a_volume_node, the_editors):
    node = there(a_scene, a_volume_node, {"Liver": LEFT})
    set_locked(node.GetSegmentation().GetNthSegment(0), True)
    done = run({"Liver": MIDDLE}, a_volume_node, the_editors, "replace", node)
    np.testing.assert_array_equal(mask_named(node, "Liver"), LEFT)
    np.testing.assert_array_equal(mask_named(node, "Liver (2)"), MIDDLE)
    assert "locked" in done.notes[0]


@pytest.mark.parametrize(
    ("mode", "liver", "spleen"),
    [
        (EDITOR.OverwriteAllSegments, LEFT & ~MIDDLE, RIGHT & ~MIDDLE),
        (EDITOR.OverwriteVisibleSegments, LEFT, RIGHT & ~MIDDLE),
        (EDITOR.OverwriteNone, LEFT, RIGHT),
    ],
)
def test_the_overwrite_mode_is_honored(a_scene, a_volume_node, the_editors, mode, liver, spleen):
    node = there(a_scene, a_volume_node, {"Liver": LEFT, "Spleen": RIGHT})
    node.GetDisplayNode().SetSegmentVisibility("Segment_3", False)
    editor = the_editors.editor_of(node).GetSegmentEditorNode()
    editor.SetOverwriteMode(mode)
    run({"Ball": MIDDLE}, a_volume_node, the_editors, "merge", node)
    np.testing.assert_array_equal(mask_named(node, "Ball"), MIDDLE)
    np.testing.assert_array_equal(mask_named(node, "Liver"), liver)
    np.testing.assert_array_equal(mask_named(node, "Spleen"), spleen)
    assert editor.GetOverwriteMode() == mode


AREAS = [
    MODES.EditAllowedEverywhere,
    MODES.EditAllowedInsideAllSegments,
    MODES.EditAllowedInsideVisibleSegments,
    MODES.EditAllowedOutsideAllSegments,
    MODES.EditAllowedOutsideVisibleSegments,
    MODES.EditAllowedInsideSingleSegment,
]


@pytest.mark.parametrize(
    ("area", "mode"), itertools.product(AREAS, [EDITOR.OverwriteAllSegments, EDITOR.OverwriteNone])
)
def test_the_editable_area_is_that_of_slicers_own_masking(
    a_scene, a_volume_node, the_editors, area, mode
):
    """Slicer edits the same segment with its own mask; both have to agree on every voxel."""
    masks = {"Liver": LEFT, "Spleen": RIGHT, "Ball": box_mask((0, 4), (0, 5), (0, 12))}
    ours, slicers = (there(a_scene, a_volume_node, masks) for _ in range(2))
    for node in (ours, slicers):
        node.GetDisplayNode().SetSegmentVisibility("Segment_3", False)
        editor = the_editors.editor_of(node).GetSegmentEditorNode()
        editor.SetMaskMode(area)
        editor.SetMaskSegmentID("Segment_3")
        editor.SetOverwriteMode(mode)
        editor.SetSelectedSegmentID("Segment_7")
    run({"Ball": MIDDLE}, a_volume_node, the_editors, "merge", ours)

    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*GRID.shape)
    image.GetPointData().SetScalars(
        scalars_from_voxels(np.asfortranarray(MIDDLE.astype(np.uint8))[None])
    )
    image.SetImageToWorldMatrix(matrix_from_affine(GRID.affine))
    logic = the_editors.editor_of(slicers)
    logic.ModifySegmentByLabelmap(
        slicers, "Segment_7", image, logic.ModificationModeAdd, False, False
    )
    for name in masks:
        np.testing.assert_array_equal(mask_named(ours, name), mask_named(slicers, name), name)
    assert the_editors.editor_of(ours).GetSegmentEditorNode().GetMaskMode() == area


def test_the_editable_intensity_range_is_honored(a_scene, the_editors):
    voxels = np.where(LEFT, 100, 0).astype(np.int16)
    volume_node = node_from_volume(Volume(voxels[None], GRID.affine), a_scene, "CT")
    node = there(a_scene, volume_node, {"Spleen": RIGHT & ~MIDDLE})
    editor = the_editors.editor_of(node).GetSegmentEditorNode()
    editor.SetAndObserveSourceVolumeNode(volume_node)
    editor.SetSourceVolumeIntensityMaskRange(50, 150)
    editor.SetSourceVolumeIntensityMask(True)
    run({"Ball": MIDDLE}, volume_node, the_editors, "merge", node)
    np.testing.assert_array_equal(mask_named(node, "Ball"), MIDDLE & LEFT)


@pytest.mark.parametrize("rule", ["merge", "replace"])
@pytest.mark.parametrize("number", [0, 1, 40])
def test_one_undo_takes_the_whole_result_back_byte_for_byte(
    a_scene, a_volume_node, the_editors, rule, number
):
    rng = np.random.default_rng(number)
    before = {f"s{n}": rng.random(GRID.shape) > 0.9 for n in range(number)}
    node = there(a_scene, a_volume_node, before)
    old = state_of(node)
    after = {f"s{n}": rng.random(GRID.shape) > 0.8 for n in range(0, number + 4, 2)}
    run(after, a_volume_node, the_editors, rule, node)
    new = state_of(node)
    assert new != old
    logic = the_editors.editor_of(node)
    logic.Undo()
    assert state_of(node) == old
    assert not logic.CanUndo()
    logic.Redo()
    assert [entry[0] for entry in state_of(node)] == [entry[0] for entry in new]


def test_undo_restores_surfaces_and_a_commit_renews_them(a_scene, a_volume_node, the_editors):
    node = there(a_scene, a_volume_node, {"Liver": LEFT, "Spleen": RIGHT})
    create_surfaces(node)
    points = [s.GetNumberOfPoints() for s in surfaces(node)]
    run({"Ball": MIDDLE}, a_volume_node, the_editors, "merge", node)
    assert len(surfaces(node)) == 3
    assert surfaces(node)[2].GetNumberOfPoints() > 50
    the_editors.editor_of(node).Undo()
    assert [s.GetNumberOfPoints() for s in surfaces(node)] == points


def surfaces(node):
    segmentation = node.GetSegmentation()
    return [
        segmentation.GetSegment(i).GetRepresentation(CLOSED_SURFACE)
        for i in all_segments(segmentation)
    ]


@pytest.mark.parametrize("into", ["empty", "full"])
@pytest.mark.parametrize("mode", [EDITOR.OverwriteAllSegments, EDITOR.OverwriteNone])
def test_labels_that_overlap_keep_all_their_voxels(a_scene, a_volume_node, the_editors, mode, into):
    layers = tuple(np.asfortranarray(mask.astype(np.uint8)) for mask in (LEFT, MIDDLE))
    labels = tuple(Label(1, name, layer=layer) for layer, name in enumerate(("Liver", "Tumor")))
    node = there(a_scene, a_volume_node, {"Spleen": RIGHT} if into == "full" else {})
    the_editors.editor_of(node).GetSegmentEditorNode().SetOverwriteMode(mode)
    result = prepared_result(Labelmap(layers, labels, GRID.affine))
    finished(commit(result, a_volume_node, the_editors, "merge", node))
    np.testing.assert_array_equal(mask_named(node, "Liver"), LEFT)
    np.testing.assert_array_equal(mask_named(node, "Tumor"), MIDDLE)
    if into == "full":
        kept = RIGHT if mode == EDITOR.OverwriteNone else RIGHT & ~MIDDLE
        np.testing.assert_array_equal(mask_named(node, "Spleen"), kept)


@pytest.mark.parametrize("way", ["painted", "one by one"])
@pytest.mark.parametrize("steps", range(4))
def test_a_commit_that_is_given_up_leaves_everything_as_it_was(
    a_scene, a_volume_node, the_editors, monkeypatch, steps, way
):
    monkeypatch.setattr("SegmentationAILib.scene.turns.FEW_VOXELS", 0)
    node = there(a_scene, a_volume_node, {"Liver": LEFT, "Spleen": RIGHT})
    if way == "one by one":
        editor = the_editors.editor_of(node).GetSegmentEditorNode()
        editor.SetSourceVolumeIntensityMask(True)
    old = state_of(node)
    result = prepared_result(labelmap({"Ball": MIDDLE, "Liver": RIGHT, "x": LEFT}))
    running = commit(result, a_volume_node, the_editors, "merge", node)
    taken = list(itertools.islice(running, steps))
    assert len(taken) == steps or way == "painted"
    if len(taken) == steps:
        running.close()
        assert state_of(node) == old


def test_a_target_removed_between_two_steps_stops_the_commit(
    a_scene, a_volume_node, the_editors, monkeypatch
):
    monkeypatch.setattr("SegmentationAILib.scene.turns.FEW_VOXELS", 0)
    node = there(a_scene, a_volume_node, {"Liver": LEFT})
    running = commit(
        prepared_result(labelmap({"Ball": MIDDLE, "Spleen": RIGHT})),
        a_volume_node, the_editors, "merge", node,
    )  # fmt: skip
    next(running), next(running)
    a_scene.RemoveNode(node)
    with pytest.raises(SegmentationAIError, match="'There' was removed"):
        finished(running)


def test_a_result_of_another_grid_is_refused_before_anything_changes(
    a_scene, a_volume_node, the_editors
):
    node = there(a_scene, a_volume_node, {"Liver": LEFT})
    old = state_of(node)
    moved = GRID.affine.copy()
    moved[0, 3] += 1
    given = labelmap({"Ball": MIDDLE})
    result = prepared_result(Labelmap(given.layers, given.labels, moved))
    with pytest.raises(GeometryError, match="'CT'"):
        finished(commit(result, a_volume_node, the_editors, "merge", node))
    assert state_of(node) == old
    # The same into a segment that lies on other voxels; its neighbor on ours is accepted above.
    coarse = Labelmap(given.layers, (given.labels[0],), moved @ np.diag([2, 2, 2, 1]))
    other = node_from_labelmap(coarse, a_scene, None, "Coarse")
    with pytest.raises(GeometryError, match="segmentation of its own"):
        run({"Ball": MIDDLE}, a_volume_node, the_editors, "replace", other)


def test_a_hidden_node_under_the_volumes_transform_gets_the_same_voxels(a_scene, the_editors):
    volume_node = node_from_volume(
        Volume(np.zeros((1, *GRID.shape), np.int16), GRID.affine), a_scene, "CT"
    )
    transform = a_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    move = np.diag([1.0, 1, 1, 1])
    move[:3, 3] = 5, -3, 2
    transform.SetMatrixTransformToParent(matrix_from_affine(move))
    volume_node.SetAndObserveTransformNodeID(transform.GetID())
    given = labelmap({"Ball": MIDDLE})
    result = prepared_result(Labelmap(given.layers, given.labels, move @ GRID.affine))
    node = there(a_scene, volume_node_free(a_scene), {"Spleen": RIGHT & ~MIDDLE})
    node.SetAndObserveTransformNodeID(transform.GetID())
    node.GetDisplayNode().SetVisibility(False)
    finished(commit(result, volume_node, the_editors, "merge", node))
    np.testing.assert_array_equal(mask_named(node, "Ball"), MIDDLE)


def volume_node_free(scene):
    return node_from_volume(Volume(np.zeros((1, *GRID.shape), np.int16), GRID.affine), scene, "F")


def test_ids_names_and_values_stay_unique(a_scene, a_volume_node, the_editors):
    node = there(a_scene, a_volume_node, {"A": LEFT, "B": RIGHT})
    run({"C": MIDDLE, "B (2)": box_mask((0, 1), (0, 1), (0, 1))}, a_volume_node, the_editors,
        "merge", node)  # fmt: skip
    back = labelmap_from_node(node, a_volume_node)
    assert [label.name for label in back.labels] == ["A", "B", "C", "B (2)"]
    assert len({label.value for label in back.labels}) == 4
    assert len({label.segment_id for label in back.labels}) == 4
    segment = node.GetSegmentation().GetSegment(back.labels[2].segment_id)
    assert tag_of(segment, "SegmentationAI.Network") == "some-network"


def test_the_editor_that_a_person_sees_does_the_work_and_its_undo_counts(a_scene, a_volume_node):
    node = there(a_scene, a_volume_node, {"Liver": LEFT})
    shown = slicer.vtkSlicerSegmentEditorLogic()
    shown.SetMRMLScene(a_scene)
    parameters = a_scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    shown.SetSegmentEditorNode(parameters)
    parameters.SetAndObserveSegmentationNode(node)
    parameters.SetMaskMode(MODES.EditAllowedInsideAllSegments)
    editors = SegmentEditors(a_scene, lambda: shown)
    run({"Ball": MIDDLE}, a_volume_node, editors, "merge", node)
    np.testing.assert_array_equal(mask_named(node, "Ball"), MIDDLE & LEFT)
    assert shown.CanUndo()
    other = there(a_scene, a_volume_node, {"Liver": LEFT})
    assert editors.editor_of(other) is not shown
    editors.forget_all()
    a_scene.RemoveNode(parameters)
