"""The whole way from a volume to labels, with a network whose answer is known: a threshold."""

import numpy as np
import pytest

from SegmentationAILib.core.errors import Cancelled, GeometryError, SegmentationAIError
from SegmentationAILib.core.intensity import IntensityRule
from SegmentationAILib.core.labelmap import Label
from SegmentationAILib.core.pipeline import Options, Recipe, box_of_roi, segment
from SegmentationAILib.core.preprocess import InputRules
from SegmentationAILib.core.progress import Progress
from SegmentationAILib.core.volume import Volume

from phantoms import SPHERE_CENTER_RAS, SPHERE_RADIUS_MM, grid_around, sphere_mask, sphere_volume

SPHERE_ML = 4 / 3 * np.pi * SPHERE_RADIUS_MM**3 / 1000
LABELS = (Label(7, "Sphere"), Label(300, "Never"))


def threshold_network(patch):
    """Logits of a network that calls bright voxels the sphere; intensities are 0 to 1."""
    x = patch[:, :1]
    return np.concatenate([0.5 - x, x - 0.5, np.full_like(x, -9)], axis=1)


def recipe(**changes):
    rules = InputRules(
        orientation=changes.pop("orientation", "LIA"),
        spacing_mm=changes.pop("spacing_mm", (1.5, 1.2, 1.8)),
        intensity=IntensityRule("minmax"),
        channels=("CT",),
        multiple_of=4,
    )
    return Recipe(rules, LABELS, (24, 24, 24), **changes)


@pytest.mark.parametrize("orientation", ["LIA", "RAS", "PSR", None])
@pytest.mark.parametrize("flips", [(-1, -1, 1), (1, -1, 1)], ids=["right-handed", "left-handed"])
def test_the_sphere_is_found_where_it_is(orientation, flips):
    grid = grid_around(SPHERE_CENTER_RAS, flips=flips)
    volume = Volume((sphere_mask(grid) * 350.0 - 50.0).astype(np.float32)[None], grid.affine)
    result = segment(volume, threshold_network, recipe(orientation=orientation))
    assert result.labelmap.grid.matches(grid)
    mask = result.labelmap.mask(LABELS[0])
    center = grid.ras_from_ijk(np.argwhere(mask)).mean(axis=0)
    np.testing.assert_allclose(center, SPHERE_CENTER_RAS, atol=0.1 * min(grid.spacing))
    assert mask.sum() * grid.voxel_volume_ml == pytest.approx(SPHERE_ML, rel=0.03)
    truth = sphere_mask(grid)
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.97


def test_label_values_and_their_type_are_those_of_the_table():
    result = segment(sphere_volume(), threshold_network, recipe())
    assert set(np.unique(result.labelmap.layers[0])) == {0, 7}
    assert result.labelmap.layers[0].dtype == np.uint16
    assert [label.name for label in result.labelmap.labels] == ["Sphere", "Never"]


def test_a_chosen_structure_leaves_the_others_out_but_lets_them_compete():
    result = segment(sphere_volume(), threshold_network, recipe(), Options(structures=("never",)))
    assert [label.name for label in result.labelmap.labels] == ["Never"]
    assert not result.labelmap.layers[0].any()


def test_an_unknown_structure_is_named_with_those_there_are():
    with pytest.raises(SegmentationAIError, match=r"Found liver .* has: Sphere, Never"):
        segment(sphere_volume(), threshold_network, recipe(), Options(structures=("Liver",)))


def test_nothing_is_segmented_outside_the_region_of_interest():
    volume = sphere_volume()
    r, a, s = SPHERE_CENTER_RAS
    roi = (r, r + 60, a - 60, a + 60, s - 60, s + 60)
    half = segment(volume, threshold_network, recipe(), Options(roi_ras=roi)).labelmap
    whole = segment(volume, threshold_network, recipe()).labelmap
    box = box_of_roi(volume.grid, roi)
    outside = np.ones(volume.grid.shape, bool)
    outside[box.slices] = False
    assert half.grid.matches(volume.grid)
    assert not half.layers[0][outside].any()
    inside = np.indices(volume.grid.shape).reshape(3, -1).T
    to_the_right = volume.grid.ras_from_ijk(inside)[:, 0].reshape(volume.grid.shape) > r + 3
    agree = (half.layers[0] == whole.layers[0])[to_the_right].mean()
    assert agree > 0.999


def test_a_region_beside_the_volume_is_refused():
    with pytest.raises(GeometryError, match="lies beside the volume"):
        segment(
            sphere_volume(), threshold_network, recipe(),
            Options(roi_ras=(900, 950, 0, 10, 0, 10)),
        )  # fmt: skip


def test_the_box_of_a_region_holds_it_and_is_tight():
    grid = grid_around(SPHERE_CENTER_RAS, degrees=(0, 0, 0), flips=(1, 1, 1), spacing=(1, 2, 4))
    low = grid.ras_from_ijk(np.array([[10.0, 8.0, 5.0]]))[0]
    high = grid.ras_from_ijk(np.array([[20.0, 12.0, 9.0]]))[0]
    box = box_of_roi(grid, (low[0], high[0], low[1], high[1], low[2], high[2]))
    assert box.start_ijk == (10, 8, 5)
    assert box.stop_ijk == (21, 13, 10)


def test_mirroring_changes_nothing_for_a_network_that_commutes_with_it():
    plain = segment(sphere_volume(), threshold_network, recipe())
    mirrored = segment(sphere_volume(), threshold_network, recipe(), Options(mirror=True))
    np.testing.assert_array_equal(plain.labelmap.layers[0], mirrored.labelmap.layers[0])


def test_uncertainty_is_highest_at_the_border_of_the_sphere():
    def soft(patch):
        return threshold_network(patch) * 10

    result = segment(sphere_volume(), soft, recipe(), Options(uncertainty=True))
    grid = result.labelmap.grid
    distance = np.linalg.norm(
        grid.ras_from_ijk(np.indices(grid.shape).reshape(3, -1).T) - SPHERE_CENTER_RAS, axis=1
    ).reshape(grid.shape)
    entropy = result.uncertainty.voxels[0].astype(float)
    border = np.abs(distance - SPHERE_RADIUS_MM) < 0.8
    assert entropy[border].mean() > 5 * entropy[distance < 10].mean()
    assert entropy.min() >= 0
    assert entropy.max() <= 1


def test_cancel_raises_out_of_the_progress_call():
    def stop(fraction, sentence):
        if sentence.startswith("Patch 3"):
            raise Cancelled

    with pytest.raises(Cancelled):
        segment(sphere_volume(), threshold_network, recipe(), progress=Progress(stop))


def test_progress_rises_to_the_end_and_counts_patches():
    seen = []
    progress = Progress(lambda fraction, sentence: seen.append((fraction, sentence)))
    segment(sphere_volume(), threshold_network, recipe(), progress=progress)
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert any(sentence.startswith("Patch 2 of ") for _, sentence in seen)


@pytest.mark.parametrize("overlap", [-0.1, 1.0, float("nan")])
def test_an_overlap_out_of_range_is_refused(overlap):
    with pytest.raises(SegmentationAIError, match="0 to under 1 is possible"):
        segment(sphere_volume(), threshold_network, recipe(), Options(overlap=overlap))


def test_overlapping_labels_get_layers():
    def nested(patch):
        x = patch[:, :1]
        return np.concatenate([x - 0.5, x - 0.2], axis=1) * 50

    labels = (Label(1, "Inner"), Label(2, "Outer"))
    rules = recipe().rules
    result = segment(
        sphere_volume(), nested, Recipe(rules, labels, (24, 24, 24), output="sigmoid")
    ).labelmap
    inner, outer = (result.mask(label) for label in result.labels)
    assert (inner & outer).sum() == inner.sum() > 0


def test_one_body_drops_what_does_not_touch_the_largest_part():
    volume = sphere_volume()
    spotted = volume.voxels.copy()
    spotted[0, 2:8, 2:8, 2:6] = 300
    island = np.zeros(volume.grid.shape, bool)
    island[2:8, 2:8, 2:6] = True
    lonely = Volume(spotted, volume.affine)
    kept = segment(lonely, threshold_network, recipe()).labelmap.layers[0]
    assert kept[island].any()
    dropped = segment(lonely, threshold_network, recipe(one_body=True)).labelmap.layers[0]
    assert not dropped[island].any()
    np.testing.assert_array_equal(dropped[~island][kept[~island] == 7] == 7, True)


def test_labels_reach_the_border_although_the_grid_is_padded():
    """The last voxels are interpolated among themselves, never towards the padding."""
    grid = grid_around(SPHERE_CENTER_RAS, shape=(41, 37, 29))
    ramp = np.full(grid.shape, 100.0, np.float32)
    ramp[0, 0, 0] = 0
    labels = segment(Volume(ramp[None], grid.affine), threshold_network, recipe()).labelmap
    inner = labels.layers[0][6:, 6:, 6:]
    assert (inner == 7).all()
