"""Volumes prepared as MONAI's own transforms prepare them, on an oblique anisotropic grid."""

from pathlib import Path

import monai_bundles as book
import numpy as np
import pytest
from monai.bundle import ConfigParser

from SegmentationAILib.core.errors import SegmentationAIError
from SegmentationAILib.core.files import read_volume
from SegmentationAILib.core.intensity import IntensityRule
from SegmentationAILib.core.monai_input import prepare_as_monai, shape_as_monai
from SegmentationAILib.core.monai_rules import MonaiRules
from SegmentationAILib.core.preprocess import InputRules
from SegmentationAILib.core.volume import Volume

SPACING = (1.5, 1.1, 2.0)
RULES = InputRules(
    orientation="RAS",
    spacing_mm=SPACING,
    intensity=(IntensityRule("clip", low=-57, high=164),),
    channels=("image",),
)
CROP = {"_target_": "CropForegroundd", "keys": "@image_key", "source_key": "@image_key"}


def prepared_by_monai(volume, tmp_path, steps):
    parser = ConfigParser({"image_key": "image", "before": {
        "_target_": "Compose", "transforms": steps}})  # fmt: skip
    run = parser.get_parsed_content("before")
    return run({"image": book.saved(volume, tmp_path)})["image"].numpy()


@pytest.mark.parametrize("is_cropped", [False, True])
def test_voxels_are_those_of_monais_transforms(is_cropped, tmp_path):
    # Read as MONAI reads it: the single precision of the file's matrix decides the first corner.
    volume = read_volume(Path(book.saved(book.a_scan(), tmp_path)))
    steps = [*book.BEFORE[:5], *([CROP] if is_cropped else [])]
    theirs = prepared_by_monai(volume, tmp_path, steps)
    monai = MonaiRules(crop_margin=0 if is_cropped else None)
    found = prepare_as_monai(volume, RULES, monai)
    assert found.array.shape == theirs.shape
    np.testing.assert_allclose(found.array, theirs, atol=2e-5)
    planned = shape_as_monai(volume, RULES, monai)
    assert planned == (None if is_cropped else theirs.shape[1:])


def test_a_ramp_comes_back_at_the_place_of_each_source_voxel():
    """What the map back interpolates from a linear ramp is the ramp itself, but at the edges."""
    volume = book.a_scan()
    i, j, k = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (31, 37, 17)), indexing="ij")
    rules = InputRules("RAS", SPACING, (IntensityRule("none"),), ("image",))
    for ramp in (i, j, k):
        found = prepare_as_monai(Volume(ramp[None], volume.affine), rules, MonaiRules())
        back = np.squeeze(found.array[0])
        for axis in range(3):
            places = found.axis_map.coordinates[axis]
            low = np.clip(np.floor(places).astype(int), 0, back.shape[axis] - 2)
            share = (places - low).reshape([-1 if a == axis else 1 for a in range(3)])
            below, above = np.take(back, low, axis), np.take(back, low + 1, axis)
            back = below + (above - below) * share
        back = back.transpose(np.argsort(found.axis_map.source_axis))
        inner = (slice(3, -3),) * 3
        np.testing.assert_allclose(back[inner], ramp[inner], atol=1e-3)


def test_a_volume_without_foreground_is_refused_where_it_is_cropped_to():
    dark = Volume(np.full((1, 9, 8, 7), -500.0, np.float32), book.a_scan().affine)
    with pytest.raises(SegmentationAIError, match="above 0"):
        prepare_as_monai(dark, RULES, MonaiRules(crop_margin=0))
