"""Mix Transformer (MiT): the encoder of SegFormer, four scales without positional encoding.

Xie, Wang, Yu, Anandkumar, Alvarez, Luo, SegFormer: Simple and efficient design for semantic
segmentation with transformers, NeurIPS 2021, arXiv:2105.15203. The names of the weights are those
of the authors' files, so that an encoder trained on ImageNet fits.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, cast

from torch import Tensor, nn
from torch.nn import functional

# The paper's, for all sizes B0 to B5.
HEADS: Final = (1, 2, 5, 8)
REDUCTIONS: Final = (8, 4, 2, 1)
MLP_RATIO: Final = 4
EPSILON: Final = 1e-6


class MixTransformer(nn.Module):
    """Four feature maps of a plane ``(B, in_channels, X, Y)``, at 1/4, 1/8, 1/16 and 1/32.

    Args:
        in_channels: Channels of the plane.
        widths: Channels of each scale.
        depths: Blocks of each scale.
        drop_path: Probability with which the last block is left out in training; those before it
            less, in even steps.
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int],
        depths: Sequence[int],
        drop_path: float = 0.1,
    ) -> None:
        super().__init__()
        before, left_out = 0, max(1, sum(depths) - 1)
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            inputs = widths[stage - 1] if stage else in_channels
            embedding = PatchEmbedding(inputs, width, *((3, 2) if stage else (7, 4)))
            blocks = nn.ModuleList(
                [
                    Block(width, HEADS[stage], REDUCTIONS[stage], drop_path * n / left_out)
                    for n in range(before, before + depth)
                ]
            )
            norm = nn.LayerNorm(width, EPSILON)
            self.add_module(f"patch_embed{stage + 1}", embedding)
            self.add_module(f"block{stage + 1}", blocks)
            self.add_module(f"norm{stage + 1}", norm)
            before += depth
        self.apply(_initialize)

    def forward(self, plane: Tensor) -> list[Tensor]:
        """Return the feature maps ``(B, widths[n], X / 2 ** (n + 2), Y / 2 ** (n + 2))``."""
        features, maps = plane, []
        for stage in range(1, 5):
            tokens, size = self.get_submodule(f"patch_embed{stage}")(features)
            for block in cast(nn.ModuleList, self.get_submodule(f"block{stage}")):
                tokens = block(tokens, size)
            tokens = self.get_submodule(f"norm{stage}")(tokens)
            features = tokens.transpose(1, 2).reshape(len(tokens), -1, *size)
            maps.append(features)
        return maps


class PatchEmbedding(nn.Module):
    """Tokens of overlapping patches, and the size of their grid."""

    def __init__(self, in_channels: int, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, width, kernel, stride, kernel // 2)
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Return tokens ``(B, X * Y, width)`` and ``(X, Y)``."""
        projected = self.proj(features)
        tokens = self.norm(projected.flatten(2).transpose(1, 2))
        return tokens, (projected.shape[2], projected.shape[3])


class Block(nn.Module):
    """Attention and Mix-FFN, each normalized before and added to its input."""

    def __init__(self, width: int, heads: int, reduction: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, EPSILON)
        self.attn = EfficientAttention(width, heads, reduction)
        self.norm2 = nn.LayerNorm(width, EPSILON)
        self.mlp = MixFFN(width)
        self.drop_path = drop_path

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """Return tokens of the same shape."""
        tokens = tokens + self._dropped(self.attn(self.norm1(tokens), size))
        return tokens + self._dropped(self.mlp(self.norm2(tokens), size))

    def _dropped(self, added: Tensor) -> Tensor:
        """Leave ``added`` out of some members of the batch, and weigh it more in the others."""
        if not self.training or self.drop_path == 0:
            return added
        keep = 1 - self.drop_path
        return added * added.new_empty(len(added), 1, 1).bernoulli_(keep) / keep


class EfficientAttention(nn.Module):
    """Self-attention whose keys and values lie on a grid that is coarser by ``reduction``."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not divide {width} channels")
        self.heads = heads
        self.reduction = reduction
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        if reduction > 1:
            self.sr = nn.Conv2d(width, width, reduction, reduction)
            self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """Return tokens ``(B, X * Y, width)`` of the same, where ``size`` is ``(X, Y)``."""
        batch, count, width = tokens.shape
        seen = tokens
        if self.reduction > 1:
            grid = tokens.transpose(1, 2).reshape(batch, width, *size)
            seen = self.norm(self.sr(grid).flatten(2).transpose(1, 2))
        query = self.q(tokens).reshape(batch, count, self.heads, -1).transpose(1, 2)
        key, value = (
            self.kv(seen).reshape(batch, seen.shape[1], 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        )
        answer = functional.scaled_dot_product_attention(query, key, value)
        return cast(Tensor, self.proj(answer.transpose(1, 2).reshape(batch, count, width)))


class MixFFN(nn.Module):
    """Two linear layers with a 3x3 convolution between, whose zero padding tells the position."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = MLP_RATIO * width
        self.fc1 = nn.Linear(width, hidden)
        convolution = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.dwconv = nn.Sequential(OrderedDict(dwconv=convolution))
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """Return tokens ``(B, X * Y, width)`` of the same, where ``size`` is ``(X, Y)``."""
        hidden = self.fc1(tokens)
        grid = self.dwconv(hidden.transpose(1, 2).reshape(len(hidden), -1, *size))
        return cast(Tensor, self.fc2(functional.gelu(grid.flatten(2).transpose(1, 2))))


def _initialize(module: nn.Module) -> None:
    """Draw weights as the authors do."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
        nn.init.normal_(module.weight, 0.0, (2.0 / (fan_out // module.groups)) ** 0.5)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
