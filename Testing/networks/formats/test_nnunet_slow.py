"""The same labels as nnU-Net itself, on a network that nnU-Net trained on the spot.

nnU-Net lives in ``.venv-benchmark`` (made by ``Testing/set_up.py --benchmark``) and runs there, in
a process of its own; its sums are kept in float32, as ours are.
"""

import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pytest
import scipy.ndimage as ndi

from SegmentationAILib.core.files import read_volume
from SegmentationAILib.networks.expected_shapes import check_architecture
from SegmentationAILib.networks.install import InstallRequest, install
from SegmentationAILib.networks.segmenter import open_segmenter
from SegmentationAILib.networks.store import NetworkStore

ROOT = Path(__file__).resolve().parents[3]
PEER = ROOT / "Testing" / "benchmarks" / "nnunet_peer.py"
RESULT = "results/Dataset004_Hippocampus/nnUNetTrainer__nnUNetPlans__3d_fullres"
TIE = 1e-3

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nnunet():
    """Call nnU-Net with these words; the test skips where the peers are not installed."""
    python = ROOT / ".venv-benchmark" / "bin" / "python"
    if not python.exists():
        pytest.skip("the peers are not installed: python3 Testing/set_up.py --benchmark")

    def call(*words):
        done = subprocess.run(
            [str(python), str(PEER), *map(str, words)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]

    return call


@pytest.fixture(scope="module")
def a_result_folder(nnunet, the_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("nnunet")
    nnunet("train", the_data / "hippocampus", out, "--folds", 0, 1, "--iterations", 12)
    return out / RESULT


def stretched(source, target, spacing):
    """Write a scan at another spacing, with a border of zeros, on a flipped grid."""
    scan = nibabel.load(source)
    voxels = np.asarray(scan.dataobj, np.float32)
    voxels = ndi.zoom(voxels, [1 / step for step in spacing], order=1)
    voxels[:3] = 0
    voxels[:, -2:] = 0
    signs = np.array([-1, 1, 1, 1])
    affine = np.diag([*spacing, 1.0]) * signs
    nibabel.save(nibabel.Nifti1Image(voxels, affine), target)
    return target


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.55, 0.7, 2.4), (0.8, 0.6, 0.7)])
def test_labels_equal_nnunets_own_voxel_for_voxel(
    nnunet, a_result_folder, the_data, tmp_path, spacing
):
    """As it is, thick slices, and interpolated in all directions; two folds, all mirrored."""
    scan = next((the_data / "hippocampus" / "imagesTr").glob("*_033.nii.gz"))
    volume = stretched(scan, tmp_path / "volume.nii.gz", spacing)
    nnunet("predict", a_result_folder, volume, tmp_path / "theirs.npz")
    theirs = np.load(tmp_path / "theirs.npz")
    store = NetworkStore(tmp_path / "home")
    install(store, InstallRequest(str(a_result_folder), "net"), check_architecture)
    segmenter = open_segmenter("net", "cpu", "fp32", store)
    ours = segmenter.segment(read_volume(volume)).labelmap.layers[0].transpose(2, 1, 0)
    assert len(np.unique(theirs["labels"])) == 3
    differ = ours != theirs["labels"]
    assert theirs["margin"][differ].max(initial=0.0) < TIE
    assert differ.mean() < 1e-3
