import numpy as np
import pytest

from SegmentationAILib.learn.brain_structures import (
    CHANNEL_OF_CODE,
    CHANNEL_OF_VALUE,
    CHANNELS,
    RIGHT,
    TISSUE_INDEX,
    tissues_of,
)
from SegmentationAILib.learn.head_formula import ProceduralHead
from SegmentationAILib.learn.head_parameters import HeadParameters, random_parameters


def grid_points(step_mm, box=((-75, 75), (-92, 92), (-75, 75))):
    axes = [np.arange(low, high, step_mm, dtype=np.float32) for low, high in box]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


@pytest.mark.parametrize(
    ("ras", "tissue"),
    [
        ((27, -5, -20), "hippocampus"),
        ((-27, -5, -20), "hippocampus"),
        ((11, -2, 4), "thalamus"),
        ((0, -8, -36), "brain stem"),
        ((0, -27, -37), "4th ventricle"),
        ((-9, 20, 16), "lateral ventricle"),
        ((30, -47, -40), "cerebellum white matter"),
        ((0, 0, 200), "air"),
    ],
)
def test_structures_lie_where_the_formula_puts_them(ras, tissue):
    point = np.array(ras, dtype=np.float32)[:, None, None, None]
    assert ProceduralHead().code_at(point).item() == TISSUE_INDEX[tissue] + RIGHT * (ras[0] > 0)


def test_volumes_are_those_of_the_ellipsoids():
    step = 0.8
    near = grid_points(step, ((-40, 40), (-35, 35), (-52, 10)))
    tissues = tissues_of(ProceduralHead().code_at(near))
    sphere = 4 / 3 * np.pi
    # nothing lies over these
    for tissue, expected in [("amygdala", 2 * sphere * 8 * 7 * 8), ("4th ventricle", sphere * 396)]:
        volume = np.count_nonzero(tissues == TISSUE_INDEX[tissue]) * step**3
        assert volume == pytest.approx(expected, rel=0.03)


def test_larger_ventricles_grow_with_the_cube_of_the_factor():
    near = grid_points(1.0, ((-20, 20), (-45, 0), (-60, -15)))
    index = TISSUE_INDEX["4th ventricle"]
    small = np.count_nonzero(tissues_of(ProceduralHead().code_at(near)) == index)
    wide = ProceduralHead(HeadParameters(ventricles=1.3))
    large = np.count_nonzero(tissues_of(wide.code_at(near)) == index)
    assert large / small == pytest.approx(1.3**3, rel=0.05)


@pytest.mark.parametrize("seed", [0, 1])
def test_every_head_of_the_family_holds_every_structure_but_one(seed):
    parameters = random_parameters(np.random.default_rng(seed))
    channels = CHANNEL_OF_CODE[ProceduralHead(parameters).code_at(grid_points(3.0))]
    counts = np.bincount(channels.ravel(), minlength=CHANNELS)
    # the formula has no accumbens
    without = [CHANNEL_OF_VALUE[value] for value in (26, 58)]
    assert counts[without].tolist() == [0, 0]
    assert np.delete(counts, without).min() > 10


def test_cortex_lies_between_white_matter_and_fluid():
    points = grid_points(2.0, ((-70, 70), (-88, 88), (30, 60)))
    tissues = tissues_of(ProceduralHead().code_at(points))
    white = tissues == TISSUE_INDEX["cerebral white matter"]
    fluid = tissues == TISSUE_INDEX["cerebrospinal fluid"]
    touching = np.count_nonzero(white[1:] & fluid[:-1]) + np.count_nonzero(white[:-1] & fluid[1:])
    assert touching < 0.02 * np.count_nonzero(white)
