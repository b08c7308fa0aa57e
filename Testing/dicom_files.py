"""DICOM series made by hand from the attributes that place and scale their pixels."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from phantoms import rotation

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ROTATION = rotation(17.0, -9.0, 25.0)  # LPS: along a row, along a column, slice to slice
SPACING = (0.8, 1.1, 2.5)  # between columns, rows and slices
ORIGIN_LPS = np.array([12.0, -30.0, 55.0])
SERIES = generate_uid(entropy_srcs=["a series"])


def stored_voxels(shape=(6, 5, 4)) -> np.ndarray:
    """Stored values ``(I, J, K)`` of 12 bits: columns, rows, slices."""
    return np.random.default_rng(11).integers(0, 4096, shape).astype(np.uint16)


def image(pixels: np.ndarray, position, **changes) -> Dataset:
    """One CT image of ``pixels`` (columns, rows); ``changes`` set attributes, None deletes."""
    dataset = Dataset()
    attributes = {
        "SOPClassUID": CT_IMAGE,
        "SOPInstanceUID": generate_uid(),
        "SeriesInstanceUID": SERIES,
        "SeriesNumber": 3,
        "Modality": "CT",
        "PatientName": "Secret^Name",
        "Rows": pixels.shape[1],
        "Columns": pixels.shape[0],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelSpacing": [SPACING[1], SPACING[0]],
        "ImageOrientationPatient": [*ROTATION[:, 0], *ROTATION[:, 1]],
        "ImagePositionPatient": list(position),
        "SliceThickness": SPACING[2],
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "PixelData": pixels.T.astype("<u2").tobytes(),
        **changes,
    }
    for key, value in attributes.items():
        if value is not None:
            setattr(dataset, key, value)
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CT_IMAGE
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def series(stored: np.ndarray, step=None) -> list[Dataset]:
    """The images of a volume; ``step`` is the LPS vector from slice to slice."""
    step = ROTATION[:, 2] * SPACING[2] if step is None else step
    return [image(stored[..., k], ORIGIN_LPS + k * step) for k in range(stored.shape[2])]


def expected_affine(step=None) -> np.ndarray:
    """Affine to RAS of `series`."""
    affine = np.eye(4)
    affine[:3, :3] = ROTATION * SPACING
    if step is not None:
        affine[:3, 2] = step
    affine[:3, 3] = ORIGIN_LPS
    affine[:2] *= -1
    return affine


STUDY = {
    "SOPClassUID": CT_IMAGE, "Modality": "CT",
    "StudyInstanceUID": generate_uid(entropy_srcs=["a study"]),
    "SeriesInstanceUID": SERIES,
    "FrameOfReferenceUID": generate_uid(entropy_srcs=["a frame"]),
    "PatientName": "", "PatientID": "7", "PatientBirthDate": "", "PatientSex": "",
    "StudyDate": "20260101", "StudyTime": "120000", "AccessionNumber": "", "StudyID": "1",
    "ReferringPhysicianName": "", "InstanceNumber": 1,
}  # fmt: skip


def with_its_study(image: Dataset) -> Dataset:
    """Fill in what says to which study, series and place an image belongs, where it is absent."""
    for name, value in STUDY.items():
        if not image.get(name):
            setattr(image, name, value)
    if not image.get("SOPInstanceUID"):
        image.SOPInstanceUID = generate_uid()
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    return image


def real_series_with_its_study(folder: Path, target: Path) -> list[Path]:
    """Copy a public series, whose identity was taken out, with one that was made up."""
    target.mkdir()
    for path in folder.iterdir():
        with_its_study(pydicom.dcmread(path)).save_as(target / path.name)
    return sorted(target.iterdir())


def save(images: list[Dataset], folder: Path) -> Path:
    """Write images under names whose order says nothing."""
    folder.mkdir(exist_ok=True)
    for at, dataset in enumerate(images):
        name = f"{(at * 7 + 3) % 101:03d}_{at}.dcm"
        dataset.save_as(folder / name, enforce_file_format=True)
    return folder
