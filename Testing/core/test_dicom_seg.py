"""DICOM Segmentations: read back by pydicom alone, bit by bit, and by highdicom."""

import io

import highdicom
import numpy as np
import pydicom
import pytest
from dicom_files import (
    STUDY,
    expected_affine,
    real_series_with_its_study,
    save,
    series,
    stored_voxels,
    with_its_study,
)

from SegmentationAILib.core.errors import FileFormatError, GeometryError
from SegmentationAILib.core.files import read_labelmap
from SegmentationAILib.core.formats.dicom_seg import dicom_seg_bytes
from SegmentationAILib.core.formats.dicom_source import read_dicom_source
from SegmentationAILib.core.labelmap import Label, Labelmap, Provenance
from SegmentationAILib.core.terminology import ANATOMICAL_STRUCTURE, Code, Terminology

SHAPE = (9, 7, 5)
LIVER = Code("SCT", "10200004", "Liver")
KIDNEY = Code("SCT", "64033007", "Kidney")
RIGHT = Code("SCT", "24028007", "Right")
REGION = Code("SCT", "113345001", "Abdomen")
PREDICTED = Provenance("predicted", network="ct-organs", weights_sha256="ab" * 32)
LABELS = (
    Label(
        300, "Liver", (1.0, 0.0, 0.2), Terminology(ANATOMICAL_STRUCTURE, LIVER),
        provenance=PREDICTED,
    ),
    Label(
        7, "Right\\kidney", (0.0, 1.0, 0.0),
        Terminology(ANATOMICAL_STRUCTURE, KIDNEY, RIGHT, REGION), layer=1,
        provenance=Provenance("corrected", network="ct-organs"),
    ),
    Label(2, "Drawn", (0.2, 0.3, 0.9)),
)  # fmt: skip


@pytest.fixture(scope="module")
def an_oblique_series(tmp_path_factory):
    """Nine columns, seven rows, five images, turned about three axes and of unequal spacing."""
    images = [with_its_study(one) for one in series(stored_voxels(SHAPE))]
    return sorted(save(images, tmp_path_factory.mktemp("series")).iterdir())


def overlapping_labels():
    """Layers in which the liver and the kidney share voxels; values with gaps."""
    rng = np.random.default_rng(5)
    first = np.where(rng.random(SHAPE) < 0.4, 300, 0).astype(np.uint16)
    first[2:4, 1:3, 1:4] = 2
    second = np.where(rng.random(SHAPE) < 0.3, 7, 0).astype(np.uint16)
    return Labelmap((first, second), LABELS, expected_affine())


def masks_in_the_patient(data):
    """Voxel centers in RAS mm of each segment, from the file's bits and pydicom alone."""
    read = pydicom.dcmread(io.BytesIO(data))
    bits = np.unpackbits(np.frombuffer(read.PixelData, np.uint8), bitorder="little")
    frames = bits[: read.NumberOfFrames * read.Rows * read.Columns]
    frames = frames.reshape(read.NumberOfFrames, read.Rows, read.Columns)
    shared = read.SharedFunctionalGroupsSequence[0]
    along = np.reshape(
        [float(n) for n in shared.PlaneOrientationSequence[0].ImageOrientationPatient], (2, 3)
    )
    row_mm, column_mm = (float(mm) for mm in shared.PixelMeasuresSequence[0].PixelSpacing)
    points = {}
    for pixels, place in zip(frames, read.PerFrameFunctionalGroupsSequence, strict=True):
        number = place.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        origin = np.array([float(n) for n in place.PlanePositionSequence[0].ImagePositionPatient])
        row, column = np.nonzero(pixels)
        lps = origin + np.outer(column * column_mm, along[0]) + np.outer(row * row_mm, along[1])
        points.setdefault(number, []).append(lps * (-1, -1, 1))
    return {number: in_order(np.concatenate(parts)) for number, parts in points.items()}


def in_order(points):
    points = np.round(points, 4) + 0.0
    return points[np.lexsort(points.T)]


def wanted_points(labelmap, label):
    return in_order(labelmap.grid.ras_from_ijk(np.argwhere(labelmap.mask(label)).astype(float)))


@pytest.mark.parametrize("way", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("turned", [(1, 1, 1), (-1, 1, -1)])
def test_overlapping_segments_lie_where_they_were_in_the_patient(an_oblique_series, way, turned):
    labelmap = overlapping_labels()
    mirrored = tuple(slice(None, None, step) for step in turned)
    layers = tuple(layer.transpose(way)[mirrored] for layer in labelmap.layers)
    to_old = np.zeros((4, 4))
    to_old[3, 3] = 1
    for axis, old in enumerate(way):
        to_old[old, axis] = turned[axis]
        to_old[old, 3] = 0 if turned[axis] > 0 else SHAPE[old] - 1
    moved = Labelmap(layers, LABELS, labelmap.affine @ to_old)
    data = dicom_seg_bytes(moved, read_dicom_source(an_oblique_series), "1")
    found = masks_in_the_patient(data)
    assert sorted(found) == [1, 2, 3]
    for number, label in enumerate(LABELS, start=1):
        np.testing.assert_allclose(found[number], wanted_points(labelmap, label), atol=1e-3)


def test_names_codes_colors_and_makers_are_in_the_file(an_oblique_series):
    data = dicom_seg_bytes(overlapping_labels(), read_dicom_source(an_oblique_series), "1.2")
    read = pydicom.dcmread(io.BytesIO(data))
    liver, kidney, drawn = read.SegmentSequence
    assert [s.SegmentLabel for s in read.SegmentSequence] == ["Liver", "Right/kidney", "Drawn"]
    kind = liver.SegmentedPropertyTypeCodeSequence[0]
    assert (kind.CodingSchemeDesignator, kind.CodeValue, kind.CodeMeaning) == (
        "SCT", "10200004", "Liver",
    )  # fmt: skip
    assert liver.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "123037004"
    modifier = kidney.SegmentedPropertyTypeCodeSequence[0]
    assert modifier.SegmentedPropertyTypeModifierCodeSequence[0].CodeValue == "24028007"
    assert kidney.AnatomicRegionSequence[0].CodeMeaning == "Abdomen"
    assert drawn.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Tissue"
    assert [s.SegmentAlgorithmType for s in read.SegmentSequence] == [
        "AUTOMATIC", "SEMIAUTOMATIC", "MANUAL",
    ]  # fmt: skip
    assert liver.SegmentationAlgorithmIdentificationSequence[0].AlgorithmVersion == "ab" * 32
    # Pure green in CIELab under D65, scaled as DICOM does: L* from 0 to 100, a* and b* from -128.
    lightness, a, b = kidney.RecommendedDisplayCIELabValue
    assert np.allclose(
        (lightness / 65535 * 100, a / 65535 * 255 - 128, b / 65535 * 255 - 128),
        (87.7, -86.2, 83.2), atol=0.1,
    )  # fmt: skip
    assert read.StudyInstanceUID == STUDY["StudyInstanceUID"]
    assert read.FrameOfReferenceUID == STUDY["FrameOfReferenceUID"]


def test_the_labels_of_a_real_ct_come_back_with_highdicom(the_data, tmp_path):
    labelmap = read_labelmap(the_data / "ct-dicom" / "labels.nii.gz")
    files = real_series_with_its_study(the_data / "ct-dicom" / "series", tmp_path / "series")
    source = read_dicom_source(files)
    data = dicom_seg_bytes(labelmap, source, "1")
    read = highdicom.seg.segread(io.BytesIO(data))
    assert read.number_of_segments == len(labelmap.labels) == 31
    volume = read.get_volume(combine_segments=True, skip_overlap_checks=True)
    found = volume.array
    to_ijk = np.linalg.inv(labelmap.affine) @ np.diag([-1, -1, 1, 1]) @ volume.affine
    where = np.argwhere(found > 0)
    ijk = np.round((where @ to_ijk[:3, :3].T) + to_ijk[:3, 3]).astype(int)
    values = np.array([0, *(label.value for label in labelmap.labels)])
    assert np.array_equal(labelmap.layers[0][tuple(ijk.T)], values[found[tuple(where.T)]])
    assert len(where) == np.count_nonzero(labelmap.layers[0])


def test_a_segment_without_voxels_is_listed_and_empty(an_oblique_series):
    voxels = np.zeros(SHAPE, np.uint8)
    voxels[2:5, 1:4, 1:3] = 1
    labelmap = Labelmap((voxels,), (Label(1, "There"), Label(9, "Nowhere")), expected_affine())
    data = dicom_seg_bytes(labelmap, read_dicom_source(an_oblique_series), "1")
    assert len(pydicom.dcmread(io.BytesIO(data)).SegmentSequence) == 2
    assert sorted(masks_in_the_patient(data)) == [1]


@pytest.mark.parametrize("change", ["moved", "cropped", "turned"])
def test_labels_that_lie_elsewhere_are_refused(an_oblique_series, change):
    affine, shape = expected_affine(), SHAPE
    if change == "moved":
        affine[:3, 3] += 0.5
    elif change == "cropped":
        shape = (8, 7, 5)
    else:
        affine[:3, :2] = affine[:3, :2] @ np.array([[0.8, -0.6], [0.6, 0.8]])
    labelmap = Labelmap((np.ones(shape, np.uint8),), (Label(1, "A"),), affine)
    with pytest.raises(GeometryError, match="voxels of the DICOM series"):
        dicom_seg_bytes(labelmap, read_dicom_source(an_oblique_series), "1")


def test_other_files_and_two_series_are_refused(an_oblique_series, tmp_path):
    (tmp_path / "text.dcm").write_text("no DICOM at all")
    with pytest.raises(FileFormatError, match="load the scan from DICOM"):
        read_dicom_source([tmp_path / "text.dcm"])
    other = pydicom.dcmread(an_oblique_series[0])
    other.SeriesInstanceUID = pydicom.uid.generate_uid()
    other.save_as(tmp_path / "other.dcm")
    with pytest.raises(FileFormatError, match="several series"):
        read_dicom_source([*an_oblique_series, tmp_path / "other.dcm"])


@pytest.mark.parametrize("lacking", ["StudyInstanceUID", "FrameOfReferenceUID", "SOPClassUID"])
def test_a_series_that_was_stripped_of_its_identity_is_refused(tmp_path, lacking):
    images = [with_its_study(one) for one in series(stored_voxels(SHAPE))]
    for one in images:
        setattr(one, lacking, "")
    files = list(save(images, tmp_path / "bare").iterdir())
    labelmap = Labelmap((np.ones(SHAPE, np.uint8),), (Label(1, "A"),), expected_affine())
    with pytest.raises(FileFormatError, match=f"lacks {lacking}"):
        dicom_seg_bytes(labelmap, read_dicom_source(files), "1")
