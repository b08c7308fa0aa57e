import pytest
import torch
from small_networks import CHANNELS, SMALL

from SegmentationAILib.core.errors import GeometryError
from SegmentationAILib.networks.registry import build
from SegmentationAILib.networks.trainable import InferenceForm, TrainingForm, check_sides


class Plane(torch.nn.Module):
    """Answers with the plane's sum and, in a second channel, its first row's number."""

    out_channels = 2
    divisors = (2, 2)
    output_strides = ((1, 1),)
    encoder_prefixes = ()
    last_block_prefixes = ()

    def forward(self, plane):
        total = plane.sum(dim=(1, 2, 3), keepdim=True).expand_as(plane[:, :1])
        rows = torch.arange(plane.shape[2]).reshape(1, 1, -1, 1).expand_as(total)
        return torch.cat([total, rows.float()], dim=1)

    def training_logits(self, plane):
        return [self(plane)]


def test_a_network_of_planes_sees_each_plane_along_the_last_axis_alone():
    volume = torch.randn(2, 1, 4, 6, 5, generator=torch.Generator().manual_seed(1))
    logits = InferenceForm(Plane())(volume)
    assert logits.shape == (2, 2, 4, 6, 5)
    sums = volume.sum(dim=(1, 2, 3))
    for batch in range(2):
        for plane in range(5):
            torch.testing.assert_close(
                logits[batch, 0, :, :, plane], sums[batch, plane].expand(4, 6)
            )
    assert torch.equal(logits[1, 1, :, 3, 2], torch.arange(4.0))


def test_the_training_form_hands_on_what_the_network_says_and_shares_its_weights():
    network = build("unet2d-liver", {**SMALL["unet2d-liver"], **CHANNELS})
    form = TrainingForm(network)
    assert [tuple(logits.shape) for logits in form(torch.zeros(2, 1, 8, 12))] == [(2, 3, 8, 12)]
    assert next(form.parameters()) is next(network.parameters())


@pytest.mark.parametrize(
    "sides", [(15, 16, 32), (16, 16), (16, 16, 0), (16, 16, 16), (16, 32, 24), (16, 16, -16)]
)
def test_sides_that_do_not_fit_are_refused_in_one_sentence(sides):
    with torch.device("meta"):
        network = build("vnet", CHANNELS)
    with pytest.raises(GeometryError, match="multiples of 16 x 16 x 16") as refusal:
        check_sides(network, sides)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("sides", [(16, 16, 32), (48, 16, 16), (64, 80, 96)])
def test_sides_that_fit_are_taken(sides):
    with torch.device("meta"):
        network = build("vnet", CHANNELS)
        check_sides(network, sides)
        assert network(torch.zeros(1, 1, *sides)).shape == (1, 3, *sides)


@pytest.mark.parametrize("form", [TrainingForm, InferenceForm])
def test_both_forms_refuse_a_patch_that_does_not_fit(form):
    network = build("unet", {**SMALL["unet"], **CHANNELS})
    with pytest.raises(GeometryError, match="8 x 9 x 12 voxels was found"):
        form(network)(torch.zeros(1, 1, 8, 9, 12))
