"""The networks of SAM (Kirillov et al. 2023) with the package's names of modules and parameters, so weights fit.

Legend: `B` images or windows, `N` masks, `h x w` cells of a grid, `C` channels, `H` heads, `T` tokens of any kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ImageEncoderViT(nn.Module):
    """A ViT with attention inside windows, and over the whole grid in some blocks; relative positions by axis."""

    def __init__(
        self,
        *,
        img_size: int,
        patch_size: int,
        embed_dim: int,
        depth: int,
        num_heads: int,
        mlp_ratio: float,
        out_chans: int,
        norm_layer: Callable[[int], nn.Module],
        use_rel_pos: bool,
        window_size: int,
        global_attn_indexes: Sequence[int],
    ) -> None:
        super().__init__()
        assert use_rel_pos  # SAM has no encoder without
        grid = img_size // patch_size
        self.patch_embed = _Patches(embed_dim, patch_size)
        self.pos_embed = nn.Parameter(torch.zeros(1, grid, grid, embed_dim))
        self.blocks = nn.ModuleList(
            _Block(embed_dim, num_heads, mlp_ratio, norm_layer, grid, 0 if i in global_attn_indexes else window_size)
            for i in range(depth)
        )
        self.neck = nn.Sequential(
            nn.Conv2d(embed_dim, out_chans, 1, bias=False),
            LayerNorm2d(out_chans),
            nn.Conv2d(out_chans, out_chans, 3, padding=1, bias=False),
            LayerNorm2d(out_chans),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """`(B, 3, S, S)` to `(B, C, h, w)`."""
        x = self.patch_embed(pixels) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        embedding: Tensor = self.neck(x.permute(0, 3, 1, 2))
        return embedding


class _Patches(nn.Module):
    def __init__(self, dim: int, size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, size, stride=size)

    def forward(self, pixels: Tensor) -> Tensor:
        cells: Tensor = self.proj(pixels).permute(0, 2, 3, 1)
        return cells


class _Block(nn.Module):
    def __init__(
        self, dim: int, heads: int, ratio: float, norm: Callable[[int], nn.Module], grid: int, window: int
    ) -> None:
        super().__init__()
        self.window = window
        self.norm1 = norm(dim)
        self.attn = _GridAttention(dim, heads, window or grid)
        self.norm2 = norm(dim)
        self.mlp = _Mlp(dim, int(dim * ratio), nn.GELU)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, h, w, C)`, before and after."""
        x = x + self._attended(self.norm1(x))
        return x + self.mlp(self.norm2(x))

    def _attended(self, x: Tensor) -> Tensor:
        if not self.window:
            return self.attn(x)
        size = self.window
        rows, height, width, channels = x.shape
        # Windows that hang over the edge are filled with zeros, which are attended to like the rest.
        x = F.pad(x, (0, 0, 0, -width % size, 0, -height % size))
        down, across = x.shape[1] // size, x.shape[2] // size
        windows = x.view(rows, down, size, across, size, channels).permute(0, 1, 3, 2, 4, 5)
        x = self.attn(windows.reshape(-1, size, size, channels))
        x = x.view(rows, down, across, size, size, channels).permute(0, 1, 3, 2, 4, 5)
        return x.reshape(rows, down * size, across * size, channels)[:, :height, :width]


class _GridAttention(nn.Module):
    def __init__(self, dim: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, dim // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, dim // heads))

    def forward(self, x: Tensor) -> Tensor:
        rows, height, width, channels = x.shape
        cells = height * width
        heads = self.qkv(x).reshape(rows, cells, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = heads.reshape(3, rows * self.heads, cells, -1).unbind(0)
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(1, 2)
        grid = query.reshape(len(query), height, width, -1)
        down = torch.einsum("bhwc,hkc->bhwk", grid, _relative(self.rel_pos_h, height))
        across = torch.einsum("bhwc,wkc->bhwk", grid, _relative(self.rel_pos_w, width))
        scores = scores.view(-1, height, width, height, width) + down[..., None] + across[..., None, :]
        attended = scores.view(-1, cells, cells).softmax(dim=-1) @ value
        attended = attended.view(rows, self.heads, height, width, -1).permute(0, 2, 3, 1, 4)
        return self.proj(attended.reshape(rows, height, width, channels))


def _relative(table: Tensor, side: int) -> Tensor:
    """`(side, side, C)`: what stands in the table of `2 side - 1` for each pair of places."""
    places = torch.arange(side)
    return table[places[:, None] - places + side - 1]


class PromptEncoder(nn.Module):
    """Holds SAM's prompt parameters; of them, only the position encoding of the grid is ever asked for."""

    def __init__(
        self,
        *,
        embed_dim: int,
        image_embedding_size: tuple[int, int],
        input_image_size: tuple[int, int],
        mask_in_chans: int,
    ) -> None:
        super().__init__()
        self.image_embedding_size = image_embedding_size
        self.pe_layer = _Fourier(embed_dim // 2)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, embed_dim) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, embed_dim)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, mask_in_chans // 4, 2, stride=2),
            LayerNorm2d(mask_in_chans // 4),
            nn.GELU(),
            nn.Conv2d(mask_in_chans // 4, mask_in_chans, 2, stride=2),
            LayerNorm2d(mask_in_chans),
            nn.GELU(),
            nn.Conv2d(mask_in_chans, embed_dim, 1),
        )
        self.no_mask_embed = nn.Embedding(1, embed_dim)

    def get_dense_pe(self) -> Tensor:
        """`(1, C, h, w)`, the position encoding of the middle of each cell."""
        return self.pe_layer(*self.image_embedding_size)[None]


class _Fourier(nn.Module):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, count))

    def forward(self, height: int, width: int) -> Tensor:
        matrix = self.get_buffer("positional_encoding_gaussian_matrix")
        y = ((torch.arange(height, device=matrix.device) + 0.5) / height)[:, None].expand(height, width)
        x = ((torch.arange(width, device=matrix.device) + 0.5) / width).expand(height, width)
        angles = 2 * math.pi * ((2 * torch.stack([x, y], dim=-1) - 1) @ matrix)
        return torch.cat([angles.sin(), angles.cos()], dim=-1).permute(2, 0, 1)


class MaskDecoder(nn.Module):
    """Holds what stands around the transformer; the engine runs the parts itself."""

    def __init__(
        self,
        *,
        transformer_dim: int,
        transformer: nn.Module,
        num_multimask_outputs: int,
        iou_head_depth: int,
        iou_head_hidden_dim: int,
    ) -> None:
        super().__init__()
        dim, masks = transformer_dim, num_multimask_outputs + 1
        self.transformer = transformer
        self.iou_token = nn.Embedding(1, dim)
        self.mask_tokens = nn.Embedding(masks, dim)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(dim, dim // 4, 2, stride=2),
            LayerNorm2d(dim // 4),
            nn.GELU(),
            nn.ConvTranspose2d(dim // 4, dim // 8, 2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(_Layers([dim, dim, dim, dim // 8]) for _ in range(masks))
        self.iou_prediction_head = _Layers([dim, *[iou_head_hidden_dim] * (iou_head_depth - 1), masks])


class TwoWayTransformer(nn.Module):
    """Tokens attend to the image, and the image to the tokens."""

    def __init__(self, *, depth: int, embedding_dim: int, num_heads: int, mlp_dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_TwoWay(embedding_dim, num_heads, mlp_dim, first=not i) for i in range(depth))
        self.final_attn_token_to_image = _Attention(embedding_dim, num_heads, embedding_dim // 2)
        self.norm_final_attn = nn.LayerNorm(embedding_dim)

    def forward(self, image: Tensor, position: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """`(N, C, h, w)` twice and `(N, T, C)` to `(N, T, C)` and `(N, hw, C)`."""
        cells, position = image.flatten(2).transpose(1, 2), position.flatten(2).transpose(1, 2)
        queries = tokens
        for layer in self.layers:
            queries, cells = layer(queries, cells, tokens, position)
        attended = self.final_attn_token_to_image(queries + tokens, cells + position, cells)
        return self.norm_final_attn(queries + attended), cells


class _TwoWay(nn.Module):
    def __init__(self, dim: int, heads: int, mlp: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn = _Attention(dim, heads, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.cross_attn_token_to_image = _Attention(dim, heads, dim // 2)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = _Mlp(dim, mlp, nn.ReLU)
        self.norm3 = nn.LayerNorm(dim)
        self.norm4 = nn.LayerNorm(dim)
        self.cross_attn_image_to_token = _Attention(dim, heads, dim // 2)

    def forward(self, queries: Tensor, cells: Tensor, tokens: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
        if self.first:
            queries = self.norm1(self.self_attn(queries, queries, queries))
        else:
            placed = queries + tokens
            queries = self.norm1(queries + self.self_attn(placed, placed, queries))
        queries = self.norm2(queries + self.cross_attn_token_to_image(queries + tokens, cells + position, cells))
        queries = self.norm3(queries + self.mlp(queries))
        cells = self.norm4(cells + self.cross_attn_image_to_token(cells + position, queries + tokens, queries))
        return queries, cells


class _Attention(nn.Module):
    def __init__(self, dim: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(dim, inner) for _ in range(3))
        self.out_proj = nn.Linear(inner, dim)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        query, key, value = (
            project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project, x in ((self.q_proj, query), (self.k_proj, key), (self.v_proj, value))
        )
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        attended: Tensor = self.out_proj((scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2))
        return attended


class _Mlp(nn.Module):
    def __init__(self, dim: int, inner: int, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.lin1, self.lin2 = nn.Linear(dim, inner), nn.Linear(inner, dim)
        self.act = activation()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.lin2(self.act(self.lin1(x)))
        return out


class _Layers(nn.Module):
    """Linear layers with ReLU between them."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = layer(x).relu()
        out: Tensor = self.layers[-1](x)
        return out


class LayerNorm2d(nn.Module):
    """Over the channels of `(B, C, h, w)`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.eps = 1e-6

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        scaled = centred / (centred.pow(2).mean(1, keepdim=True) + self.eps).sqrt()
        return self.weight[:, None, None] * scaled + self.bias[:, None, None]
