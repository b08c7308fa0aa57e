"""The loop and `kill -9`, with the real trainer: it comes to the same networks and labels.

A hundred kills, ten to a test, so that each test is over in minutes and can be run alone.
"""

import os

import pytest
import relabel_work
import study_work
import torch
from killed_work import Undisturbed, copied, kills
from study_files import study_folders

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
KILLS_OF_A_TEST = 10
# Of a run in a new process the first half are imports.
QUIET_SHARE = 0.02 if relabel_work.IS_FORKED else 0.5


@pytest.fixture(scope="module")
def one_thread():
    """Networks are alike bit for bit on as many threads; children inherit it, forked or not."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def the_sources(tmp_path_factory):
    root = tmp_path_factory.mktemp("sources")
    study_folders(root, study_work.CASES)
    relabel_work.trainable_base(root / "base")
    return root


@pytest.fixture(scope="module")
def the_end(one_thread, the_sources, tmp_path_factory):
    end = Undisturbed(relabel_work, copied(the_sources, tmp_path_factory.mktemp("end") / "run"))
    assert len(end.content["networks"]) == 2
    return end


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(11, 21))
def test_kills_of_a_run_end_in_the_same_networks_and_labels(
    the_sources, the_end, tmp_path, monkeypatch, seed
):
    monkeypatch.setenv("SEGMENTATIONAI_HOME", str(tmp_path / "home"))
    kills(relabel_work, the_sources, tmp_path, the_end, KILLS_OF_A_TEST, seed, QUIET_SHARE)
