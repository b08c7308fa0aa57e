"""A slice as pixels: patient right is left, pixels are square in mm, labels have their color."""

import numpy as np
import pytest

from SegmentationAILib.core.labelmap import Label, Labelmap
from SegmentationAILib.core.volume import Volume
from SegmentationAILib.scene.png_bytes import png_of_pixels
from SegmentationAILib.scene.slice_picture import slice_picture

SHAPE = (20, 30, 12)
SPACING = np.array([1.0, 1.0, 4.0])
BLUE = (0.0, 0.0, 1.0)


def a_scan(flips=(1, 1, 1), bright=(slice(0, 3), slice(0, 3), slice(0, 3))):
    """Black but for one corner; the affine may run against R, A or S."""
    voxels = np.zeros((1, *SHAPE), np.float32)
    voxels[0][bright] = 100.0
    affine = np.diag([*(SPACING * flips), 1.0])
    empty = Labelmap((np.zeros(SHAPE, np.uint8),), (Label(1, "A", BLUE),), affine)
    return Volume(voxels, affine), empty


def bright_corner(pixels):
    rows, columns = np.nonzero(pixels[..., 0] > 128)
    height, width = pixels.shape[:2]
    return ("top" if rows.mean() < height / 2 else "bottom",
            "left" if columns.mean() < width / 2 else "right")  # fmt: skip


@pytest.mark.parametrize(
    ("axis", "flips", "corner"),
    [
        # The corner is at low R, A, S: patient left, back, feet.
        (2, (1, 1, 1), ("bottom", "right")),
        (1, (1, 1, 1), ("bottom", "right")),
        (0, (1, 1, 1), ("bottom", "right")),
        # Against R: the first voxels are those farthest to the right.
        (2, (-1, 1, 1), ("bottom", "left")),
        (2, (1, -1, 1), ("top", "right")),
        (1, (1, 1, -1), ("top", "right")),
        (0, (1, -1, 1), ("bottom", "left")),
    ],
)
def test_a_corner_of_the_patient_lies_where_a_radiologist_looks_for_it(axis, flips, corner):
    volume, labels = a_scan(flips)
    assert bright_corner(slice_picture(volume, labels, axis, 1, (0.0, 100.0))) == corner


def test_voxels_that_are_four_times_as_high_are_drawn_so():
    volume, labels = a_scan()
    height, width, _ = slice_picture(volume, labels, 0, 1, (0.0, 100.0)).shape
    assert height / width == pytest.approx(12 * 4 / 30, rel=0.02)


def test_labels_have_the_color_of_their_row_at_their_border_and_tint_inside():
    volume, labels = a_scan()
    labels.layers[0][5:15, 5:25, 3] = 1
    pixels = slice_picture(volume, labels, 2, 3, (0.0, 100.0))
    colors = {tuple(int(n) for n in one) for one in pixels.reshape(-1, 3)}
    assert colors == {(0, 0, 0), (0, 0, 255), (0, 0, 102)}
    assert not slice_picture(volume, labels, 2, 4, (0.0, 100.0)).any()


def test_png_bytes_hold_the_same_pixels():
    import io

    from PIL import Image

    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 256, (17, 23, 3), np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png_of_pixels(pixels)))), pixels)
