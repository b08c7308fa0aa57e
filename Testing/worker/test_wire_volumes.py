"""Volumes, labels and results survive the way to the worker and back."""

import numpy as np
import pytest

from SegmentationAILib.core.errors import GeometryError
from SegmentationAILib.core.labelmap import Label, Labelmap, Provenance
from SegmentationAILib.core.terminology import ANATOMICAL_STRUCTURE, Code, Terminology
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.worker.frame import Frame, chunks_of_frame, frame_of_bytes
from SegmentationAILib.worker.protocol import WorkerError
from SegmentationAILib.worker.wire_volumes import (
    SegmentResult,
    frame_of_result,
    frame_of_volumes,
    result_of_frame,
    volumes_of_frame,
)

from phantoms import oblique_affine, sphere_mask, sphere_volume

LIVER = Label(
    value=300,
    name="Leber\n<b>",
    color=(0.1, 0.2, 0.3),
    terminology=Terminology(ANATOMICAL_STRUCTURE, Code("SCT", "10200004", "Liver")),
    layer=1,
    segment_id="Segment_9",
    status="flagged",
    provenance=Provenance("predicted", "net", "ab" * 32, 3, "2026-11-20T12:00:00+00:00"),
    tags=(("Key", "Value"),),
)


def sent(frame: Frame) -> Frame:
    return frame_of_bytes(b"".join(chunks_of_frame(frame)))


def test_volumes_arrive_with_their_places_roles_and_notes():
    volume = sphere_volume()
    other = Volume(np.ones((1, 3, 4, 5), np.float32), oblique_affine(), ("mended",))
    first, others = volumes_of_frame(sent(frame_of_volumes({}, volume, {"FLAIR": other})))
    np.testing.assert_array_equal(first.voxels, volume.voxels)
    np.testing.assert_array_equal(first.affine, volume.affine)
    assert others["FLAIR"].notes == ("mended",)
    np.testing.assert_array_equal(others["FLAIR"].affine, oblique_affine())


@pytest.mark.parametrize("affine", [None, [[1, 0], [0, 1]], [["x"] * 4] * 4, [[0.0] * 4] * 4])
def test_a_volume_that_lies_nowhere_is_refused(affine):
    frame = frame_of_volumes({}, sphere_volume(), {})
    frame.header["volumes"]["volume"]["affine"] = affine
    with pytest.raises(GeometryError):
        volumes_of_frame(sent(frame))


@pytest.mark.parametrize("places", [None, {}, [], {"volume": 3}, {"volume": {}, "channel T2": {}}])
def test_arrays_without_their_places_are_refused(places):
    frame = Frame({"volumes": places}, {"volume": sphere_volume().voxels})
    with pytest.raises((WorkerError, GeometryError)):
        volumes_of_frame(sent(frame))


def a_result() -> tuple[Volume, SegmentResult]:
    volume = sphere_volume()
    mask = sphere_mask(volume.grid)
    layers = (mask.astype(np.uint8) * 7, mask.astype(np.uint16) * 300)
    labels = (Label(7, "Sphere", layer=0), LIVER)
    labelmap = Labelmap(layers, labels, volume.affine, ("a note",))
    entropy = Volume(mask[None].astype(np.float32) / 3, volume.affine)
    return volume, SegmentResult(labelmap, entropy, {"network": "net", "seconds": {}})


def test_a_result_comes_back_with_every_property_of_its_labels():
    volume, result = a_result()
    back = result_of_frame(sent(frame_of_result(result)), volume)
    assert back.labelmap.labels == result.labelmap.labels
    assert back.labelmap.notes == ("a note",)
    assert back.report == result.report
    for ours, theirs in zip(back.labelmap.layers, result.labelmap.layers, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(back.uncertainty.voxels, result.uncertainty.voxels)


@pytest.mark.parametrize(
    "change",
    [
        {"layers": 3},
        {"layers": 0},
        {"layers": 10**9},
        {"labels": None},
        {"labels": [{}]},
        {"labels": [{"value": "7", "name": "x", "color": [0, 0, 0], "layer": 0}]},
        {"notes": 5},
        {"report": 5},
    ],
)
def test_an_answer_that_is_no_result_is_refused(change):
    volume, result = a_result()
    frame = frame_of_result(result)
    damaged = Frame({**frame.header, **change}, frame.arrays)
    with pytest.raises(WorkerError):
        result_of_frame(sent(damaged), volume)


def test_a_result_of_another_shape_is_refused():
    _, result = a_result()
    other = Volume(np.zeros((1, 60, 52, 35), np.int16), oblique_affine())
    with pytest.raises(WorkerError, match="were sent"):
        result_of_frame(sent(frame_of_result(result)), other)
