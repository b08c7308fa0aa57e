"""What a network is taught: what a person said holds, what is unsure does not count."""

import numpy as np
import pytest

from SegmentationAILib.core.labelmap import Label
from SegmentationAILib.core.pipeline import Recipe
from SegmentationAILib.core.preprocess import InputRules
from SegmentationAILib.core.progress import IGNORE
from SegmentationAILib.core.prompts import BoxPrompt, PointPrompt
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.refine.adapt_crop import crop_around, prepared_scan
from SegmentationAILib.refine.adapt_lesson import NOT_TAUGHT, lesson_of, said_in
from SegmentationAILib.refine.session_state import SessionState

from phantoms import oblique_affine


@pytest.fixture
def a_scan():
    """Two halves of different intensity on an oblique anisotropic grid."""
    voxels = np.zeros((1, 24, 20, 16), np.float32)
    voxels[0, 12:] = 100
    return Volume(voxels, oblique_affine())


def asked(volume, *prompts):
    recipe = Recipe(InputRules(), (Label(1, "A"),), None)
    prepared = prepared_scan(volume, recipe, IGNORE)
    box = volume.grid.box
    crop = crop_around(prepared, recipe, box, box, 10**6)
    return crop, said_in(crop, SessionState(volume).turn(list(prompts)))


def point(volume, ijk, positive=True):
    return PointPrompt(tuple(volume.grid.ras_from_ijk(np.array([ijk], float))[0]), positive)


def test_what_is_said_reaches_what_is_near_and_alike_and_no_farther(a_scan):
    _, said = asked(a_scan, point(a_scan, (11, 10, 8)))
    assert said.positive[11, 10, 8] == 1
    assert said.positive[9, 10, 8] == pytest.approx(np.exp(-0.5), abs=1e-4)
    # As near, but on the other side of the border of intensities.
    assert said.positive[13, 10, 8] < 0.2 * said.positive[9, 10, 8]
    assert said.positive[11, 0, 8] < 1e-4
    assert not said.negative.any()


def test_of_opposite_prompts_on_one_voxel_the_later_one_is_taught(a_scan):
    place = (5, 10, 8)
    for kinds in ((True, False), (False, True)):
        crop, said = asked(a_scan, *(point(a_scan, place, kind) for kind in kinds))
        lesson = lesson_of(crop, np.zeros(crop.network_shape, np.float32), said, None)
        assert lesson.segment[place] == kinds[1]
        assert lesson.trust[place] == lesson.said[place] == 1


def test_what_is_unsure_is_not_taught_and_a_prompt_makes_it_sure(a_scan):
    crop, said = asked(a_scan, point(a_scan, (5, 10, 8), positive=False))
    sure = np.log(9.0).astype(np.float32)
    logits = np.full(crop.network_shape, 0.1, np.float32)
    logits[20:] = sure
    logits[:2] = -sure
    lesson = lesson_of(crop, logits, said, np.zeros(crop.network_shape, np.int64))
    assert lesson.trust[20:].all()
    assert lesson.segment[20:].all()
    assert lesson.trust[:2].all()
    assert not lesson.segment[:2].any()
    assert not lesson.trust[15].any()
    assert lesson.trust[5, 10, 8] == 1
    assert not lesson.segment[5, 10, 8]
    # Others are held where the segment is not, and sure not to be.
    assert (lesson.others[:2] == 0).all()
    assert (lesson.others[15:] == NOT_TAUGHT).all()


def test_a_box_around_the_segment_says_nothing_of_places_inside(a_scan):
    corners = a_scan.grid.ras_from_ijk(np.array([[2, 2, 2], [9, 9, 9]], float))
    drawn = [BoxPrompt(tuple(map(tuple, corners)), positive) for positive in (True, False)]
    assert not asked(a_scan, drawn[0])[1].either.any()
    assert asked(a_scan, drawn[1])[1].negative[5, 5, 5] == 1
