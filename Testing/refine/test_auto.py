"""The auto engine starts from a network's answer and corrects it near the prompts."""

from types import SimpleNamespace

import numpy as np
import pytest
from threshold_network import threshold_network_folder

from SegmentationAILib.__main__ import main
from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.pipeline import Segmentation
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.refine.auto import NOTHING_THERE, AutoEngine, probabilities_of
from SegmentationAILib.refine.session import RefineSession

from phantoms import SPHERE_CENTER_RAS, sphere_mask, sphere_volume

CENTER = np.array(SPHERE_CENTER_RAS)


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


class FormulaSegmenter:
    """Answers with the sphere of the formula, undecided in a shell of 2 mm about its border.

    Of a segmenter it has what the engine asks of it: labels, the run, and the end of the network.
    """

    class card:  # noqa: N801 - an attribute of that name
        labels = (Label(7, "Sphere"), Label(9, "Never"))
        output = "softmax"

    network = SimpleNamespace(close=lambda: None)

    def segment(self, volume, others=None, options=None, progress=None):
        progress(0.0, "Patch 1 of 1")
        inner, outer = (sphere_mask(volume.grid, radius_mm=r) for r in (14.0, 18.0))
        entropy = np.where(outer & ~inner, 1 / np.log2(3), 0.0).astype(np.float16)
        layer = np.where(sphere_mask(volume.grid), 7, 0).astype(np.uint8)
        labelmap = Labelmap((layer,), self.card.labels, volume.affine)
        return Segmentation(labelmap, Volume(entropy[None], volume.affine), (1.0, None), {}, ())


def opened(volume, structure=""):
    return RefineSession(volume, AutoEngine(volume, FormulaSegmenter(), structure))


@pytest.mark.parametrize("structure", ["", "sphere"])
def test_the_first_prompt_brings_the_networks_whole_structure(structure):
    volume = sphere_volume()
    session = opened(volume, structure)
    session.add_point(CENTER)
    assert dice(session.mask, sphere_mask(volume.grid)) > 0.97
    session.undo()
    assert not session.mask.any()
    session.redo()
    assert dice(session.mask, sphere_mask(volume.grid)) > 0.97


def test_a_correction_stays_near_its_prompt():
    volume = sphere_volume()
    session = opened(volume)
    session.add_point(CENTER)
    before = session.mask
    change = session.add_point(CENTER + np.array([0, 0, 13.0]), positive=False)
    assert change.removed > 0
    assert dice(session.mask, before) > 0.8
    below = volume.grid.ras_from_ijk(np.argwhere(before ^ session.mask).astype(float))
    assert below[:, 2].min() > CENTER[2] - 8


def test_a_mask_that_was_brought_along_is_corrected_and_not_replaced():
    volume = sphere_volume()
    session = opened(volume)
    corner = np.zeros(volume.grid.shape, bool)
    corner[:6, :6, :4] = True
    session.set_mask(corner | sphere_mask(volume.grid, radius_mm=10.0))
    session.add_point(CENTER)
    assert session.mask[corner].all()
    assert dice(session.mask & ~corner, sphere_mask(volume.grid)) > 0.85


def test_nothing_under_the_prompt_is_said():
    volume = sphere_volume()
    change = opened(volume).add_point(volume.grid.ras_from_ijk(np.array([[2.0, 2, 2]]))[0])
    assert NOTHING_THERE in change.notes


def test_an_installed_network_is_opened_and_runs(a_home, tmp_path):
    assert main(["networks", "install", str(threshold_network_folder(tmp_path / "net"))]) == 0
    volume = sphere_volume()
    session = RefineSession(volume, "auto", "net")
    session.add_point(CENTER)
    assert dice(session.mask, sphere_mask(volume.grid)) > 0.95
    session.close()


def test_what_the_network_does_not_have_is_refused(a_home):
    with pytest.raises(SegmentationAIError, match=r"this network has: Sphere, Never"):
        opened(sphere_volume(), "Liver")
    with pytest.raises(SegmentationAIError, match="starts from a network"):
        RefineSession(sphere_volume(), "auto")
    with pytest.raises(SegmentationAIError, match="There is no network nowhere"):
        RefineSession(sphere_volume(), "auto", "nowhere")


def test_between_two_the_probability_has_the_entropy_that_it_came_from():
    truth = np.linspace(0.001, 0.999, 200)
    entropy = -truth * np.log2(truth) - (1 - truth) * np.log2(1 - truth)
    found = probabilities_of(truth > 0.5, entropy, 2)
    np.testing.assert_allclose(found, truth, atol=4e-3)


def test_a_tie_of_two_among_many_is_one_half():
    tie = np.full(3, 1 / np.log2(30))
    np.testing.assert_allclose(probabilities_of(np.ones(3, bool), tie, 30), 0.5, atol=2e-3)
