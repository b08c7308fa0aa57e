"""Case 35: more than 2^31 voxels in one volume; indices that wrap at 32 bits would land elsewhere.

The files are sparse and the arrays are mapped where that is possible; what has to be held is held
by the slow tests alone. Windows, patches and claims of headers have tests of their own.
"""

import numpy as np
import pytest
from foreign_files import nifti2_bytes, nrrd_bytes, some_voxels

from SegmentationAILib.core import admission
from SegmentationAILib.core.axis_map import AxisPlan, axis_map
from SegmentationAILib.core.files import read_volume
from SegmentationAILib.core.patches import LogitsSlab
from SegmentationAILib.core.restore import LabelRestorer

SHAPE = (1300, 1290, 1290)
LAST = (-1, -1, -1)


@pytest.fixture
def much_memory(monkeypatch):
    monkeypatch.setattr(admission, "memory_budget_bytes", lambda: 4 << 30)


def a_sparse_file(path, header: bytes, ends: bytes):
    """A file that claims `SHAPE` bytes of voxels, all zero but the last ones."""
    with path.open("wb") as file:
        file.write(header)
        file.seek(len(header) + int(np.prod(SHAPE, dtype=np.int64)) - len(ends))
        file.write(ends)
    return path


def headers():
    tiny = some_voxels((2, 2, 2), "u1")
    nifti = nifti2_bytes(tiny, dim=(3, *SHAPE, 1, 1, 1, 1))[: -tiny.size]
    sizes = " ".join(str(n) for n in SHAPE)
    return {"scan.nii": nifti, "scan.nrrd": nrrd_bytes(tiny, sizes=sizes, data=b"")}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["scan.nii", "scan.nrrd"])
def test_case_35_the_last_voxels_are_read_where_they_are(tmp_path, much_memory, name):
    volume = read_volume(a_sparse_file(tmp_path / name, headers()[name], b"\x03\x05\x07"))
    assert volume.voxels.size > 2**31
    assert volume.voxels[0, -3:, -1, -1].tolist() == [3, 5, 7]
    assert volume.voxels[0, :, :, -1].sum() == 15
    assert volume.voxels[0, 0, 0, 0] == 0


@pytest.mark.slow
def test_case_35_labels_reach_the_last_voxel():
    """A plane of 2 x 2 logits for each source plane; the last corner of the last one is a label."""
    network = (SHAPE[0], 2, 2)
    plans = [
        AxisPlan(a, False, length=n, start=0, stop=n, covered=(0, n), scaled=m, offset=0, size=m)
        for a, (n, m) in enumerate(zip(SHAPE, network, strict=True))
    ]
    restorer = LabelRestorer(axis_map((plans[0], plans[1], plans[2])), (0, 9))
    logits = np.zeros((2, *network), np.float32)
    logits[1] = -1
    logits[1, -1, 1, 1] = 1
    for start in range(0, SHAPE[0], 4):
        stop = min(start + 4, SHAPE[0])
        restorer.add(LogitsSlab(0, start, stop, logits[:, start:stop]))
    labels = restorer.labels()
    assert labels.size > 2**31
    assert labels[LAST] == 9
    assert labels[-1, 0, 0] == labels[-1, -1, 0] == labels[-1, 0, -1] == 0
    assert not labels[:-1].any()
