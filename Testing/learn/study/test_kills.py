"""A study and `kill -9`: it opens, no version is lost, and the work goes on to the same end.

Half of the kills fall at a known point inside a write: before or after a flush, a rename or a
statement of the index. The others fall at random moments.
"""

import os

import pytest
import study_work
from killed_work import Undisturbed, copied, kills
from study_files import study_folders

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")


@pytest.fixture(scope="module")
def the_sources(tmp_path_factory):
    root = tmp_path_factory.mktemp("sources")
    study_folders(root, study_work.CASES)
    return root


@pytest.fixture(scope="module")
def the_end(the_sources, tmp_path_factory):
    return Undisturbed(study_work, copied(the_sources, tmp_path_factory.mktemp("end") / "run"))


def test_ten_kills_lose_no_version_and_the_work_ends_the_same(the_sources, tmp_path, the_end):
    kills(study_work, the_sources, tmp_path, the_end, 10, seed=7)


@pytest.mark.slow
def test_a_hundred_kills_lose_no_version_and_the_work_ends_the_same(the_sources, tmp_path, the_end):
    kills(study_work, the_sources, tmp_path, the_end, 100, seed=72)
