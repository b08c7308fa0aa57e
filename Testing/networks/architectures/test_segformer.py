import pytest
import torch
from torch import nn

from SegmentationAILib.networks.architectures.mix_transformer import (
    Block,
    EfficientAttention,
    MixFFN,
    MixTransformer,
)
from SegmentationAILib.networks.registry import build

# Table 1 of the paper, millions: encoder, and the decoder with the 150 classes of ADE20K.
PUBLISHED = {"b0": (3.4, 0.4), "b1": (13.1, 0.6), "b2": (24.2, 3.3), "b3": (44.0, 3.3),
             "b4": (60.8, 3.3)}  # fmt: skip


def millions(module):
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


@pytest.mark.parametrize(("size", "published"), PUBLISHED.items())
def test_encoder_and_decoder_have_the_papers_parameters(size, published):
    with torch.device("meta"):
        network = build(f"segformer-{size}", {"in_channels": 3, "out_channels": 150})
    encoder = millions(network.encoder)
    assert encoder == pytest.approx(published[0], abs=0.1)
    assert millions(network) - encoder == pytest.approx(published[1], abs=0.16)


def test_b0_has_exactly_the_parameters_of_the_authors_network():
    with torch.device("meta"):
        network = build("segformer-b0", {"in_channels": 3, "out_channels": 150})
    parameters = sum(parameter.numel() for parameter in network.parameters())
    # counted by hand: embeddings, then per block two norms, attention and Mix-FFN
    widths, reductions, kernels = (32, 64, 160, 256), (8, 4, 2, 1), (7, 3, 3, 3)
    encoder, before = 0, 3
    for w, r, k in zip(widths, reductions, kernels, strict=True):
        attention = 4 * w * w + 4 * w + (r * r * w * w + w + 2 * w if r > 1 else 0)
        ffn = 2 * 4 * w * w + 5 * w + 4 * w * 9 + 4 * w
        encoder += k * k * before * w + w + 2 * w + 2 * (attention + ffn + 4 * w) + 2 * w
        before = w
    decoder = sum(widths) * 256 + 4 * 256 + 4 * 256 * 256 + 2 * 256 + 150 * 257
    assert parameters == encoder + decoder


def test_the_four_scales_halve_from_a_quarter():
    network = MixTransformer(1, (8, 16, 20, 32), (1, 1, 1, 1)).eval()
    maps = network(torch.zeros(2, 1, 64, 96))
    assert [tuple(one.shape) for one in maps] == [
        (2, 8, 16, 24), (2, 16, 8, 12), (2, 20, 4, 6), (2, 32, 2, 3),
    ]  # fmt: skip


@torch.no_grad()
def test_attention_without_reduction_is_torchs_own():
    torch.manual_seed(1)
    attention = EfficientAttention(16, 2, 1)
    reference = nn.MultiheadAttention(16, 2, batch_first=True)
    reference.in_proj_weight.copy_(torch.cat([attention.q.weight, attention.kv.weight]))
    reference.in_proj_bias.copy_(torch.cat([attention.q.bias, attention.kv.bias]))
    reference.out_proj.load_state_dict(attention.proj.state_dict())
    tokens = torch.randn(3, 4 * 6, 16)
    expected, _ = reference(tokens, tokens, tokens)
    torch.testing.assert_close(attention(tokens, (4, 6)), expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_reduced_attention_sees_one_key_per_block():
    """With two identical columns of blocks the answer is that of one: keys are averaged blocks."""
    torch.manual_seed(2)
    attention = EfficientAttention(8, 2, 4)
    block = torch.randn(1, 8, 4, 4)
    one, two = block, torch.cat([block, block], dim=3)
    narrow = attention(one.flatten(2).transpose(1, 2), (4, 4))
    wide = attention(two.flatten(2).transpose(1, 2), (4, 8))
    wide = wide.transpose(1, 2).reshape(1, 8, 4, 8)
    torch.testing.assert_close(
        wide[..., :4].flatten(2).transpose(1, 2), narrow, atol=1e-6, rtol=1e-5
    )


@torch.no_grad()
def test_the_feed_forward_knows_where_a_token_is_by_the_zero_padding():
    torch.manual_seed(3)
    ffn = MixFFN(8)
    answer = ffn(torch.ones(1, 5 * 7, 8), (5, 7)).reshape(5, 7, 8)
    torch.testing.assert_close(answer[2, 3], answer[1, 5])
    assert not torch.allclose(answer[0, 0], answer[2, 3])
    assert not torch.allclose(answer[0, 3], answer[2, 0])


def test_a_block_is_left_out_as_often_as_asked_and_only_in_training():
    torch.manual_seed(4)
    block = Block(8, 2, 1, drop_path=0.5)
    tokens = torch.randn(1, 6, 8).expand(400, 6, 8)
    with torch.no_grad():
        untouched = (block(tokens, (2, 3)) == tokens).all(dim=(1, 2)).float().mean()
        # Both halves of the block are left out independently of each other.
        assert 0.17 < untouched < 0.33
        block.eval()
        assert (block(tokens, (2, 3)) != tokens).any(dim=(1, 2)).all()
