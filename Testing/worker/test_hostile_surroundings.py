"""Cases 63, 66 and 67: the worker's surroundings change nothing but the notes."""

import os
import shutil

import numpy as np
import pytest

from SegmentationAILib.networks.build import WITHOUT_OPENVINO
from SegmentationAILib.worker.client import WITHOUT_EXCHANGE, LocalWorker

from phantoms import sphere_volume


@pytest.fixture(scope="module")
def a_result_in_hostile_surroundings(the_home, tmp_path_factory, a_python_without_openvino):
    """A run beside a ``numpy.py``, in another locale, without OpenVINO, HOME and exchange."""
    folder, home = tmp_path_factory.mktemp("beside"), tmp_path_factory.mktemp("home")
    shutil.copytree(the_home / "networks", home / "networks")
    (home / "exchange").write_text("a file where the folder should be")
    for name in ("numpy", "torch", "json", "fastapi", "sitecustomize"):
        text = f"open({str(folder / 'imported')!r}, 'a').write({name!r})\n"
        (folder / f"{name}.py").write_text(text)
    surroundings = {
        "PYTHONPATH": str(folder), "PYTHONSTARTUP": str(folder / "numpy.py"),
        "PYTHONHASHSEED": "7", "LC_ALL": "de_DE.UTF-8", "LANG": "tr_TR.UTF-8",
        "TZ": "Pacific/Kiritimati", "HOME": "/proc/nowhere", "https_proxy": "http://192.0.2.1:1",
        "http_proxy": "http://192.0.2.1:1",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in surroundings.items():
            patch.setenv(name, value)
        mask = os.umask(0o077)
        worker = LocalWorker(a_python_without_openvino, home)
        try:
            yield worker.segment(sphere_volume(), None, "threshold").result(60), folder
        finally:
            worker.close()
            os.umask(mask)


def test_labels_are_the_same_and_nothing_beside_was_imported(
    a_result_in_hostile_surroundings, the_answer
):
    result, folder = a_result_in_hostile_surroundings
    np.testing.assert_array_equal(result.labelmap.layers[0], the_answer.labelmap.layers[0])
    assert not (folder / "imported").exists()


def test_a_missing_package_is_said_in_the_notes(a_result_in_hostile_surroundings, the_answer):
    result, _ = a_result_in_hostile_surroundings
    assert WITHOUT_OPENVINO in result.report["notes"]
    assert WITHOUT_OPENVINO not in the_answer.notes


def test_without_a_folder_for_the_exchange_volumes_travel_as_bodies(
    a_result_in_hostile_surroundings, the_answer
):
    result, _ = a_result_in_hostile_surroundings
    assert WITHOUT_EXCHANGE in result.report["notes"]
    np.testing.assert_array_equal(result.labelmap.layers[0], the_answer.labelmap.layers[0])
