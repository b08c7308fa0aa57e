"""`Segmenter.report`: the facts of a run, in little memory beside the labels."""

import tracemalloc

import numpy as np
import pytest
from threshold_network import threshold_network_folder

from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.core.pipeline import Segmentation
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.segmenter import open_segmenter
from SegmentationAILib.networks.store import NetworkStore

from phantoms import oblique_affine


@pytest.fixture
def a_segmenter(a_home, tmp_path):
    source = threshold_network_folder(tmp_path / "net")
    install(NetworkStore(), InstallRequest(str(source)), check_architecture)
    return open_segmenter("net", device="cpu")


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_report_counts_voxels_in_less_memory_than_the_labels_take(a_segmenter, order):
    layer = np.zeros((200, 150, 100), np.uint16, order=order)
    layer[20:50, 30:70, 10:90] = 7
    layer[:, 0, 0] = 300
    labelmap = Labelmap((layer,), a_segmenter.card.labels, oblique_affine())
    result = Segmentation(labelmap, None, None, {}, ())
    tracemalloc.start()
    report = a_segmenter.report(result, {})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [row["voxels"] for row in report["labels"]] == [30 * 40 * 80, 200]
    # One part in 64 bits, and small things; all voxels in 64 bits would be 24 MB.
    assert peak < 10 * 2**20
