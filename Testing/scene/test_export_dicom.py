"""A segmentation in the scene becomes a DICOM Segmentation, written by a real worker."""

import shutil

import numpy as np
import pydicom
import pytest
from dicom_files import real_series_with_its_study

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.files import read_labelmap, read_volume
from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.scene.bootstrap import headless_slicer
from SegmentationAILib.scene.export_dicom import start_dicom_export
from SegmentationAILib.scene.segmentation_node import node_from_labelmap
from SegmentationAILib.scene.volume_node import node_from_volume
from SegmentationAILib.worker.client import LocalWorker

SECONDS = 120


@pytest.fixture(scope="module")
def a_worker(tmp_path_factory):
    worker = LocalWorker(home=tmp_path_factory.mktemp("home"))
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def a_real_series(the_data, tmp_path_factory):
    """Files of the real CT by instance, its volume, and its labels in the volume's order."""
    copy = tmp_path_factory.mktemp("dicom") / "series"
    files = real_series_with_its_study(the_data / "ct-dicom" / "series", copy)
    headers = {path: pydicom.dcmread(path, stop_before_pixels=True) for path in files}
    by_uid = {str(header.SOPInstanceUID): str(path) for path, header in headers.items()}
    volume = read_volume(copy)
    labelmap = read_labelmap(the_data / "ct-dicom" / "labels.nii.gz")
    # The labels are stored with other axes turned than the series.
    turned = np.diagonal(np.linalg.inv(volume.affine) @ labelmap.affine)[:3] < 0
    layer = np.asfortranarray(np.flip(labelmap.layers[0], np.flatnonzero(turned)))
    return by_uid, volume, Labelmap((layer,), labelmap.labels, volume.affine)


@pytest.fixture
def a_dicom_scan(a_real_series):
    """The real CT as Slicer has it after loading it from its database, and its segments."""
    by_uid, volume, labelmap = a_real_series
    scene = headless_slicer().scene
    volume_node = node_from_volume(volume, scene, "CT")
    volume_node.SetAttribute("DICOM.instanceUIDs", " ".join(by_uid))
    node = node_from_labelmap(labelmap, scene, volume_node, "CT: organs")
    return node, volume_node, by_uid, labelmap


def test_the_segments_of_a_ct_join_its_study(a_dicom_scan, a_worker, tmp_path):
    node, volume_node, by_uid, labelmap = a_dicom_scan
    call = start_dicom_export(node, volume_node, tmp_path, a_worker, lambda uid: by_uid[uid])
    path = call.result(SECONDS)
    assert [path] == list(tmp_path.iterdir())
    assert path.name == "CT_ organs.dcm"
    read = pydicom.dcmread(path)
    source = pydicom.dcmread(next(iter(by_uid.values())), stop_before_pixels=True)
    assert read.StudyInstanceUID == source.StudyInstanceUID
    assert [s.SegmentLabel for s in read.SegmentSequence] == [one.name for one in labelmap.labels]
    ones = np.unpackbits(np.frombuffer(read.PixelData, np.uint8)).sum()
    assert ones == np.count_nonzero(labelmap.layers[0])


def test_a_scan_that_is_not_from_dicom_is_refused_before_anything(a_dicom_scan, a_worker, tmp_path):
    node, volume_node, by_uid, _ = a_dicom_scan
    volume_node.RemoveAttribute("DICOM.instanceUIDs")
    with pytest.raises(SegmentationAIError, match=r"was not loaded from DICOM.*\.seg\.nrrd"):
        start_dicom_export(node, volume_node, tmp_path, a_worker, by_uid.get)
    assert list(tmp_path.iterdir()) == []


def test_a_series_that_left_the_database_is_refused_with_numbers(a_dicom_scan, a_worker, tmp_path):
    node, volume_node, by_uid, _ = a_dicom_scan
    gone = {uid: "" if at == 3 else path for at, (uid, path) in enumerate(by_uid.items())}
    with pytest.raises(SegmentationAIError, match=r"1 of the 20 DICOM files"):
        start_dicom_export(node, volume_node, tmp_path, a_worker, gone.get)


def test_a_damaged_file_leaves_the_previous_segmentation(a_dicom_scan, a_worker, tmp_path):
    node, volume_node, by_uid, _ = a_dicom_scan
    damaged = tmp_path / "damaged.dcm"
    uid = next(iter(by_uid))
    shutil.copyfile(by_uid[uid], damaged)
    damaged.chmod(0o600)
    damaged.write_bytes(b"\0" * 200)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "CT_ organs.dcm").write_bytes(b"previous")
    found = {**by_uid, uid: str(damaged)}
    call = start_dicom_export(node, volume_node, tmp_path / "out", a_worker, found.get)
    with pytest.raises(SegmentationAIError, match=r"damaged\.dcm"):
        call.result(SECONDS)
    assert [p.read_bytes() for p in (tmp_path / "out").iterdir()] == [b"previous"]
