import numpy as np
import pytest

from SegmentationAILib.learn.brain_structures import TISSUE_INDEX
from SegmentationAILib.learn.contrasts import random_mixture

WHITE, GRAY, FLUID, LESION, BONE = (
    TISSUE_INDEX[name]
    for name in (
        "cerebral white matter",
        "cerebral cortex",
        "lateral ventricle",
        "white matter lesion",
        "bone",
    )
)


@pytest.mark.parametrize(
    ("contrast", "darkest_first"),
    [
        ("T1", (FLUID, GRAY, WHITE)),
        ("T2", (WHITE, GRAY, LESION, FLUID)),
        ("FLAIR", (FLUID, WHITE, GRAY, LESION)),
        ("CT", (FLUID, LESION, WHITE, GRAY, BONE)),
    ],
)
def test_tissues_are_ordered_as_in_the_real_sequence(contrast, darkest_first):
    means = random_mixture(np.random.default_rng(0), contrast, 0.01).means
    assert list(means[list(darkest_first)]) == sorted(means[list(darkest_first)])


def test_random_contrasts_know_no_order():
    rng = np.random.default_rng(1)
    mixtures = [random_mixture(rng, "random", 0.05).means for _ in range(200)]
    brighter = sum(means[WHITE] > means[GRAY] for means in mixtures)
    assert 70 < brighter < 130


def test_air_is_dark_in_every_contrast():
    rng = np.random.default_rng(2)
    for contrast in ("T1", "T2", "FLAIR", "CT", "random"):
        mixture = random_mixture(rng, contrast, 0.3)
        assert mixture.means[0] == 0
        assert (mixture.means >= 0).all()
        assert (mixture.deviations >= 0).all()
