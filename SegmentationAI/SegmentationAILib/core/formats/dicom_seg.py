"""Labels as a DICOM Segmentation object of the series that they were made from.

DICOM PS3.3 A.51 (Segmentation IOD), written by highdicom: Bridge et al., Highdicom, J Digit Imaging
2022, doi:10.1007/s10278-022-00683-y. It is a binary one, each segment with its own frames, which
Slicer, OHIF and dcmqi read. Nothing is resampled: each frame lies on an image of the series.
"""

import io
from collections.abc import Sequence
from typing import Any, Final

import highdicom
import numpy as np
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from ..admission import check_sizes
from ..errors import FileFormatError, SegmentationAIError
from ..labelmap import Label, LabelArray, Labelmap
from ..shown_text import shown_text
from ..terminology import TISSUE, Code, Terminology
from .dicom_source import DicomSource

PROGRAM: Final = "SegmentationAI"
# Of the value representations: LO for names and meanings, SH for schemes.
LONGEST_NAME: Final = 64
LONGEST_SCHEME: Final = 16
SERIES_NUMBER: Final = 300
MADE_BY: Final = {"predicted": "AUTOMATIC", "weak": "AUTOMATIC"}
WITH_HELP: Final = ("corrected", "accepted")


def dicom_seg_bytes(labelmap: Labelmap, source: DicomSource, version: str) -> bytes:
    """Return the bytes of a DICOM Segmentation, which were read back and compared.

    Args:
        labelmap: On the voxels of the series, in any order of its axes.
        source: The series.
        version: Of this program.

    Raises:
        GeometryError: The labels do not lie on the voxels of the series.
        FileFormatError: The series lacks what a segmentation has to repeat of it.
        SegmentationAIError: What was read back differs.
    """
    layers = [source.in_order_of_images(layer, labelmap.affine) for layer in labelmap.layers]
    try:
        written = Segmentation(
            source_images=source.headers,
            pixel_array=_frames(layers, labelmap.labels),
            segmentation_type="BINARY",
            segment_descriptions=[_described(n, one) for n, one in _numbered(labelmap.labels)],
            series_instance_uid=generate_uid(),
            series_number=SERIES_NUMBER,
            sop_instance_uid=generate_uid(),
            instance_number=1,
            manufacturer=PROGRAM,
            manufacturer_model_name=PROGRAM,
            software_versions=version,
            device_serial_number="0",
            content_label="SEGMENTATION",
        )
    except (AttributeError, KeyError, ValueError, TypeError) as error:
        raise FileFormatError(
            "The DICOM series cannot carry a segmentation, for its headers are not complete "
            f"({shown_text(str(error), 100)}); export as .seg.nrrd, or get the series from the "
            "archive again."
        ) from error
    written.SeriesDescription = f"{PROGRAM}: segments"
    stream = io.BytesIO()
    written.save_as(stream)
    _check(stream.getvalue(), layers, labelmap.labels, source.headers)
    return stream.getvalue()


def _numbered(labels: Sequence[Label]) -> list[tuple[int, Label]]:
    """Segment numbers rise from 1 without a gap, whatever the label values are."""
    return list(enumerate(labels, start=1))


def _frames(layers: Sequence[LabelArray], labels: Sequence[Label]) -> NDArray[Any]:
    """Return segment numbers ``(K, rows, columns)``, or masks ``(..., S)`` of several layers."""
    if len(layers) == 1:
        highest = max(int(layers[0].max(initial=0)), *(label.value for label in labels))
        table = np.zeros(highest + 1, np.uint16)
        for number, label in _numbered(labels):
            table[label.value] = number
        numbers: NDArray[Any] = table[layers[0]]
        return numbers
    shape = layers[0].shape
    check_sizes((*shape, len(labels)), 1, "The masks of overlapping segments")
    masks = np.zeros((*shape, len(labels)), np.uint8)
    for number, label in _numbered(labels):
        masks[..., number - 1] = layers[label.layer] == label.value
    return masks


def _described(number: int, label: Label) -> SegmentDescription:
    coded = label.terminology if _is_coded(label.terminology) else Terminology(TISSUE, TISSUE)
    assert coded is not None
    made = label.provenance
    origin = "drawn" if made is None else made.origin
    kind = "SEMIAUTOMATIC" if origin in WITH_HELP else MADE_BY.get(origin, "MANUAL")
    algorithm = None
    if kind != "MANUAL" and made is not None:
        algorithm = highdicom.AlgorithmIdentificationSequence(
            name=_text(made.network) or PROGRAM,
            version=made.weights_sha256[:LONGEST_NAME] or "unknown",
            family=codes.DCM.ArtificialIntelligence,
        )
    described = SegmentDescription(
        segment_number=number,
        segment_label=_text(label.name) or f"Segment {number}",
        segmented_property_category=_concept(coded.category),
        segmented_property_type=_concept(coded.type),
        algorithm_type=kind,
        algorithm_identification=algorithm,
        tracking_uid=generate_uid(),
        tracking_id=_text(label.name) or f"Segment {number}",
        anatomic_regions=[_concept(coded.region)] if coded.region.value else None,
        display_color=highdicom.color.CIELabColor.from_rgb(*(255 * c for c in label.color)),
    )
    if coded.modifier.value:
        kind_of = described.SegmentedPropertyTypeCodeSequence[0]
        kind_of.SegmentedPropertyTypeModifierCodeSequence = [_concept(coded.modifier)]
    if coded.region.value and coded.region_modifier.value:
        region = described.AnatomicRegionSequence[0]
        region.AnatomicRegionModifierSequence = [_concept(coded.region_modifier)]
    return described


def _is_coded(terminology: Terminology | None) -> bool:
    """Return whether category and type are whole; Slicer writes "Tissue" where they are not."""
    if terminology is None:
        return False
    parts = (terminology.category, terminology.type)
    return all(code.scheme and code.value and code.meaning for code in parts)


def _concept(code: Code) -> highdicom.sr.CodedConcept:
    return highdicom.sr.CodedConcept(
        code.value, code.scheme[:LONGEST_SCHEME], _text(code.meaning) or code.value
    )


def _text(text: str) -> str:
    """Return text as one value of DICOM holds it: a backslash would divide it in two."""
    printed = "".join(c for c in text.replace("\\", "/") if c.isprintable())
    return printed[:LONGEST_NAME].strip()


def _check(
    data: bytes, layers: Sequence[LabelArray], labels: Sequence[Label], images: Sequence[Dataset]
) -> None:
    """Read back what was written and compare voxels, names, codes and places.

    Raises:
        SegmentationAIError: Something differs.
    """
    read = highdicom.seg.segread(io.BytesIO(data))
    uids = [image.SOPInstanceUID for image in images]
    for number, label in _numbered(labels):
        described = read.get_segment_description(number)
        wanted = _described(number, label)
        if described.segment_label != wanted.segment_label:
            raise _differs(f"the name of '{label.name}'")
        for kind in ("segmented_property_category", "segmented_property_type"):
            if getattr(described, kind) != getattr(wanted, kind):
                raise _differs(f"a code of '{label.name}'")
        found = read.get_pixels_by_source_instance(
            uids, segment_numbers=[number], assert_missing_frames_are_empty=True
        )
        if not np.array_equal(found[..., 0] > 0, layers[label.layer] == label.value):
            raise _differs(f"the segment '{label.name}'")
    places = {image.SOPInstanceUID: image.ImagePositionPatient for image in images}
    for frame in read.PerFrameFunctionalGroupsSequence:
        derived = frame.DerivationImageSequence[0].SourceImageSequence[0]
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        if not np.allclose(position, places[derived.ReferencedSOPInstanceUID], atol=1e-3):
            raise _differs("the place of a frame")


def _differs(what: str) -> SegmentationAIError:
    return SegmentationAIError(
        f"The DICOM segmentation was made, but {what} reads back differently, so it was not kept; "
        "export as .seg.nrrd instead."
    )
