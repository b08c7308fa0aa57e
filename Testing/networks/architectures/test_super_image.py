import pytest
import torch

from SegmentationAILib.networks.architectures.super_image import (
    SuperImage,
    grid_of,
    super_image,
    volume_from_super_image,
)
from SegmentationAILib.networks.registry import build
from SegmentationAILib.networks.trainable import TrainingForm


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        # The sizes that the paper states.
        ((144, 144, 144), (1728, 1728)),
        ((512, 512, 64), (4096, 4096)),
        ((512, 512, 88), (5632, 4096)),
        ((80, 80, 48), (640, 480)),
        # 37 slices have no grid of their own: 7 x 6 with five empty places.
        ((20, 30, 37), (140, 180)),
        ((20, 30, 1), (20, 30)),
    ],
)
def test_a_volume_becomes_the_papers_picture_and_comes_back_exactly(shape, expected):
    volume = torch.arange(shape[0] * shape[1] * shape[2], dtype=torch.int32).reshape(1, 1, *shape)
    image = super_image(volume)
    assert image.shape == (1, 1, *expected)
    assert torch.equal(volume_from_super_image(image, shape[2]), volume)


def test_slices_lie_row_by_row():
    volume = torch.arange(6.0).expand(2, 1, 3, 4, 6)
    tiles = super_image(volume)[1, 0, ::3, ::4]
    assert torch.equal(tiles, torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))


def test_empty_places_are_air():
    volume = torch.randn(2, 2, 4, 4, 37, generator=torch.Generator().manual_seed(1))
    image = super_image(volume)
    air = image[:, :, 6 * 4 :, 4:]
    lowest = volume.amin(dim=(2, 3, 4), keepdim=True)[..., 0]
    assert torch.equal(air, lowest.expand_as(air))


def test_a_grid_holds_all_slices_and_is_never_long():
    for slices in range(1, 400):
        rows, columns = grid_of(slices)
        assert rows * columns >= slices > (rows - 1) * columns
        assert columns <= rows <= 2 * columns


@torch.no_grad()
def test_the_picture_goes_through_the_body_and_its_logits_come_back_in_place():
    torch.manual_seed(2)
    network = SuperImage(1, 3, "unet2d-liver", widths=(4, 8)).eval()
    volume = torch.randn(1, 1, 8, 12, 6)
    logits = network(volume)
    tiles = network.body(super_image(volume))
    # Slice 3 lies in row 1, column 1 of a grid of 3 x 2.
    assert torch.equal(logits[..., 3], tiles[:, :, 8:16, 12:24])


def test_a_body_with_deep_supervision_keeps_it():
    body = {"spatial_dims": 2, "features": (4, 4, 8, 8, 16, 4)}
    network = build("super-image", {"in_channels": 1, "out_channels": 2, "body": "unetpp", **body})
    logits = TrainingForm(network)(torch.zeros(1, 1, 16, 32, 6))
    assert [tuple(one.shape) for one in logits] == [(1, 2, 16, 32, 6)] * 4
