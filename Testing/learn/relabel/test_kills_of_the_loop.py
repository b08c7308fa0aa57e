"""The loop and `kill -9`, with the real trainer: it comes to the same networks and labels."""

import os

import pytest
import relabel_work
import study_work
from killed_work import Undisturbed, copied, kills
from study_files import study_folders

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")


@pytest.mark.slow
def test_twenty_kills_of_a_run_end_in_the_same_networks_and_labels(tmp_path, monkeypatch):
    sources = tmp_path / "sources"
    study_folders(sources, study_work.CASES)
    relabel_work.trainable_base(sources / "base")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("SEGMENTATIONAI_HOME", str(tmp_path / "home"))
    the_end = Undisturbed(relabel_work, copied(sources, tmp_path / "end"))
    assert len(the_end.content["networks"]) == 2
    kills(relabel_work, sources, tmp_path, the_end, 20, seed=11, quiet_share=0.5)
