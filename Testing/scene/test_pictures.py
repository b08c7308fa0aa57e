"""Pictures show the labels' colors where the formula of two balls puts them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from draw_a_phantom import two_balls

from SegmentationAILib.core.errors import GeometryError, SegmentationAIError
from SegmentationAILib.core.labelmap import Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.scene import gl_library, pictures
from SegmentationAILib.scene.picture_composition import intensity_window, middle_of_labels_ijk
from SegmentationAILib.scene.plain_pictures import draw_plain_pictures

TESTING = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    missing = gl_library.missing_view_libraries()
    if missing:
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("rendered")
    library = TESTING.parent / "SegmentationAI"
    paths = os.pathsep.join([str(library), str(TESTING)])
    done = subprocess.run(
        [sys.executable, str(TESTING / "draw_a_phantom.py"), str(folder)],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    draw_plain_pictures(*two_balls(), folder)
    return folder


def picture(folder, name):
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(folder / f"{name}.png"))).astype(int)


def where(pixels, channel):
    """Rows and columns of pixels in which one of red, green and blue stands out."""
    others = np.delete(pixels, channel, axis=-1).max(-1)
    return np.argwhere(pixels[..., channel] > others + 60)


@pytest.mark.parametrize("name", ["axial", "coronal"])
def test_the_patients_right_is_on_the_left(rendered, name):
    pixels = picture(rendered, name)
    red, green = where(pixels, 0), where(pixels, 1)
    mm_per_pixel = 20 / np.ptp(red[:, 1])
    assert np.ptp(red[:, 0]) * mm_per_pixel == pytest.approx(20, abs=2.6)
    shift = (green.mean(0) - red.mean(0)) * mm_per_pixel
    assert shift[1] == pytest.approx(-18, abs=1.0)
    assert shift[0] == pytest.approx(0, abs=1.0)


def test_the_ball_in_the_middle_of_the_volume_is_in_the_middle_of_the_view(rendered):
    for name in ("axial", "coronal", "sagittal"):
        pixels = picture(rendered, name)
        assert pixels.shape == (300, 300, 3)
        np.testing.assert_allclose(where(pixels, 0).mean(0), (150, 150), atol=6)


def test_fill_lets_the_volume_through_and_the_outline_does_not(rendered):
    pixels = picture(rendered, "axial")
    red = where(pixels, 0)
    middle = pixels[144:157, 144:157].reshape(-1, 3).mean(0)
    # 0.4 red over gray of mean 0.5: (0.4 + 0.3, 0.3, 0.3).
    np.testing.assert_allclose(middle / 255, (0.7, 0.3, 0.3), atol=0.06)
    assert pixels[tuple(red.T)][:, 0].max() == 255
    outline = pixels[tuple(red.T)][pixels[tuple(red.T)][:, 1] < 10]
    assert len(outline) > 100


def test_the_3d_view_shows_both_surfaces_framed(rendered):
    pixels = picture(rendered, "3d")
    red, green = where(pixels, 0), where(pixels, 1)
    assert len(red) > 4000
    assert len(green) > 700
    # Seen from the front and the patient's left, the ball on the right is on the left, and behind.
    assert green[:, 1].mean() < red[:, 1].mean()
    both = np.concatenate([red, green])
    assert np.ptp(both, axis=0).max() > 130
    assert both.min() > 5
    assert both.max() < 294


def test_the_mosaic_holds_all_four(rendered):
    pixels = picture(rendered, "mosaic")
    assert pixels.shape == (604, 604, 3)
    np.testing.assert_array_equal(pixels[:300, :300], picture(rendered, "axial"))
    np.testing.assert_array_equal(pixels[304:, 304:], picture(rendered, "3d"))


def test_plain_pictures_have_the_patients_right_on_the_left_and_square_pixels(plain):
    pixels = picture(plain, "axial")
    red, green = where(pixels, 0), where(pixels, 1)
    # The slice runs along the voxel axes, which are turned against the patient's by up to 25
    # degrees: 18 mm to the right are still more than 14 mm to the left on the picture.
    mm_per_pixel = 20 / np.ptp(red[:, 1])
    assert np.ptp(red[:, 0]) * mm_per_pixel == pytest.approx(20, abs=2.6)
    assert (green.mean(0) - red.mean(0))[1] * mm_per_pixel < -14


def test_plain_pictures_follow_any_orientation_of_the_axes(tmp_path, plain):
    volume, labelmap = two_balls()
    step = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, -1, 0, 33], [0, 0, 0, 1]], float)
    # New index (a, b, c) is the old (c, a, 33 - b).
    turned = volume.voxels.transpose(0, 2, 3, 1)[:, :, ::-1]
    labels = labelmap.layers[0].transpose(1, 2, 0)[:, ::-1]
    affine = volume.affine @ step
    draw_plain_pictures(
        Volume(turned, affine), Labelmap((labels,), labelmap.labels, affine), tmp_path
    )
    for name in ("axial", "coronal", "sagittal"):
        np.testing.assert_array_equal(picture(tmp_path, name), picture(plain, name))


def test_plain_pictures_of_another_grid_are_refused(tmp_path):
    volume, labelmap = two_balls()
    moved = Volume(volume.voxels[:, 1:], volume.affine)
    with pytest.raises(GeometryError, match="same grid"):
        draw_plain_pictures(moved, labelmap, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_without_the_libraries_one_sentence_says_how_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(gl_library, "_loads", lambda name: False)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("VTK_DEFAULT_OPENGL_WINDOW", raising=False)
    assert "apt-get install libosmesa6" in gl_library.missing_view_libraries()
    with pytest.raises(SegmentationAIError, match="libosmesa6"):
        pictures.render_pictures(None, None, tmp_path / "new", None)
    assert not (tmp_path / "new").exists()


def test_ct_is_shown_in_a_soft_tissue_window_and_mr_by_percentiles():
    ct = np.full((1, 8, 8, 8), 40.0)
    ct[0, :4] = -1000
    assert intensity_window(Volume(ct, np.eye(4))) == (-135.0, 215.0)
    mr = np.arange(1000.0).reshape(1, 10, 10, 10)
    mr[0, 0, 0, 0] = np.nan
    low, high = intensity_window(Volume(mr, np.eye(4)))
    assert low == pytest.approx(11, abs=1)
    assert high == pytest.approx(994, abs=1)


def test_the_middle_of_no_labels_is_the_middle_of_the_grid():
    empty = Labelmap((np.zeros((7, 5, 4), np.uint8),), (), np.eye(4))
    np.testing.assert_array_equal(middle_of_labels_ijk(empty), (3, 2, 1))
