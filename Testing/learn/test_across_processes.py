import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from SegmentationAILib.learn.across_processes import (
    joined_processes,
    of_first_process,
    process_count,
    summed,
)

CHILD = Path(__file__).with_name("ddp_child.py")


def trained(folder, processes, batch, loss):
    """Train by torchrun, or alone; return what each process wrote down."""
    folder.mkdir()
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [
        sys.executable, *(torchrun if processes > 1 else []), str(CHILD), str(folder), str(batch),
        loss,
    ]  # fmt: skip
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return [json.loads(path.read_text()) for path in sorted(folder.glob("process-*.json"))]


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["dice-ce", "jaccard", "weighted-bce"])
def test_two_processes_learn_what_one_learns_from_twice_the_patches(tmp_path, loss):
    one, other = trained(tmp_path / "two", 2, 2, loss)
    (alone,) = trained(tmp_path / "one", 1, 4, loss)
    assert one["weights"] == other["weights"]
    assert one["losses"] == other["losses"]
    np.testing.assert_allclose(one["losses"], alone["losses"], rtol=1e-4)
    np.testing.assert_allclose(one["weights"], alone["weights"], atol=2e-4)
    moved = np.abs(np.array(one["losses"]) - one["losses"][0]).max()
    assert moved > 0.01
    assert sorted(p.name for p in (tmp_path / "two/training/checkpoints").iterdir()) == [
        "best.pt", "last.pt",
    ]  # fmt: skip


def test_one_process_needs_no_others():
    with joined_processes("cpu"):
        assert process_count() == 1
        values = torch.tensor([1.0, 2.0])
        assert summed(values) is values
        assert of_first_process(3.5) == 3.5
