"""SAM's prompt encoder and mask decoder, driven by `[SEG]` states; many prompts of many images in one call.

Legend: `B` images, `N` masks, `C` channels, `g` side of the grid, `m` side of the low-res masks (`4g` in SAM).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer
from torch import Tensor, nn

from engine.model.config import MaskDecoderConfig
from engine.model.embedding import ImageEmbedding


@dataclass(frozen=True, slots=True)
class LowResMasks:
    """What the mask decoder gives.

    Attributes:
        logits: `(N, m, m)`.
        predicted_iou: `(N,)`, how much of each mask the decoder itself expects to be right; None for a decoder that
            was never asked for it.
    """

    logits: Tensor
    predicted_iou: Tensor | None = None

    def cpu(self) -> LowResMasks:
        """A copy in the machine's memory."""
        return LowResMasks(self.logits.cpu(), None if self.predicted_iou is None else self.predicted_iou.cpu())

    def split(self, counts: Sequence[int]) -> list[LowResMasks]:
        """The masks of several answers, one after the other."""
        logits = self.logits.split(list(counts))
        if self.predicted_iou is None:
            return [LowResMasks(some) for some in logits]
        return [LowResMasks(*some) for some in zip(logits, self.predicted_iou.split(list(counts)), strict=True)]

    @classmethod
    def join(cls, parts: Sequence[LowResMasks]) -> LowResMasks:
        """The inverse of `split`; there is at least one."""
        ious = [part.predicted_iou for part in parts if part.predicted_iou is not None]
        return cls(torch.cat([part.logits for part in parts]), torch.cat(ious) if ious else None)


class MaskHead(nn.Module):
    """Prompt vectors to low-res mask logits.

    SAM's own `forward` takes one image; here each prompt names its image, so that a batch of photographs
    with different numbers of masks is one call.
    """

    def __init__(self, config: MaskDecoderConfig, *, grid: int, image_size: int) -> None:
        super().__init__()
        self.prompt_encoder = PromptEncoder(
            embed_dim=config.dim,
            image_embedding_size=(grid, grid),
            input_image_size=(image_size, image_size),
            mask_in_chans=16,
        )
        self.mask_decoder = MaskDecoder(
            transformer_dim=config.dim,
            transformer=TwoWayTransformer(
                depth=config.depth, embedding_dim=config.dim, mlp_dim=config.mlp_dim, num_heads=config.num_heads
            ),
            num_multimask_outputs=config.num_multimask_outputs,
            iou_head_depth=3,
            iou_head_hidden_dim=config.dim,
        )
        if config.object_score:
            # It takes part in the attention; whether the object is there is not asked.
            self.mask_decoder.obj_score_token = nn.Embedding(1, config.dim)
        self._padding, self._by_iou = config.padding_prompts, config.best == "predicted_iou"
        if config.upscaling != (2, 2):
            self.mask_decoder.output_upscaling = _upscaling(config, self.mask_decoder.output_upscaling[1])

    def forward(self, embedding: ImageEmbedding, prompts: Tensor, image_index: Tensor) -> Tensor:
        """The logits of `judged` alone."""
        return self.judged(embedding, prompts, image_index).logits

    def judged(self, embedding: ImageEmbedding, prompts: Tensor, image_index: Tensor) -> LowResMasks:
        """Decode all masks of a batch, by a sparse prompt only.

        Args:
            embedding: of `B` images.
            prompts: `(N, C)`, one prompt vector a mask; there may be none.
            image_index: `(N,)` int64, the image of each prompt.

        Returns:
            low-res masks, with their predicted IoU where that chooses among several.
        """
        decoder = self.mask_decoder
        # In half precision the position encoding alone would move the logits; the head is small and stays float32.
        embeddings, prompts = embedding.grid.float(), prompts.float()
        n = prompts.shape[0]
        dense = self.prompt_encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
        source = (embeddings + dense)[image_index]
        position = self.prompt_encoder.get_dense_pe().to(source.dtype).expand(n, -1, -1, -1)
        own = torch.cat([table.weight for table in self._own_tokens()], dim=0)
        padding = self.prompt_encoder.not_a_point_embed.weight.repeat(self._padding, 1)
        fixed = torch.cat([own, padding], dim=0).to(prompts.dtype)
        tokens = torch.cat([fixed.expand(n, -1, -1), prompts[:, None]], dim=1)
        hidden, source = decoder.transformer(source, position, tokens)
        weights, iou = self._weights(hidden[:, len(own) - decoder.mask_tokens.num_embeddings - 1 : len(own)])
        finer = [maps.float() for maps in embedding.high_res]
        return LowResMasks(self._drawn(source, weights, embeddings.shape[-1], finer, image_index), iou)

    def _own_tokens(self) -> list[nn.Embedding]:
        """The decoder's own tokens: one for the object's presence where there is one, one for the IoU, the masks'."""
        decoder = self.mask_decoder
        presence = [decoder.obj_score_token] if hasattr(decoder, "obj_score_token") else []
        return [*presence, decoder.iou_token, decoder.mask_tokens]

    def _weights(self, hidden: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the enlarged grid is multiplied with, `(N, c)`, and the predicted IoU `(N,)` that chose it.

        Args:
            hidden: states of the IoU's and the masks' tokens.
        """
        decoder = self.mask_decoder
        if not self._by_iou:
            return decoder.output_hypernetworks_mlps[0](hidden[:, 1]), None
        # The first mask is the single one; of the others the best counts, and only that one is drawn.
        # SAM 2 takes the sigmoid of what its head gives.
        iou, best = decoder.iou_prediction_head(hidden[:, 0]).sigmoid()[:, 1:].max(dim=1)
        several = [mlp(hidden[:, 1 + k]) for k, mlp in enumerate(decoder.output_hypernetworks_mlps) if k]
        stacked = torch.stack(several, dim=1)
        return stacked.gather(1, best[:, None, None].expand(-1, 1, stacked.shape[-1]))[:, 0], iou

    def _drawn(
        self, source: Tensor, weights: Tensor, side: int, high_res: Sequence[Tensor], image_index: Tensor
    ) -> Tensor:
        """The grid, enlarged in two steps, times the weights of each mask.

        A finer map is added before each step's activation, as SAM 2 does. A transposed convolution whose stride is its
        kernel makes a block of each cell by itself: it is a matrix product, and the blocks are put in their places
        only once a pixel is a single number.
        """
        enlarge, norm, act, enlarge_more, act_more = self.mask_decoder.output_upscaling
        first, second = enlarge.stride[0], enlarge_more.stride[0]
        coarse, fine = high_res or (None, None)
        x = _blocks(enlarge, source)  # (N, g * g, first * first, c)
        x = x + _addend(enlarge, coarse, side, (first,), image_index).to(x.dtype)
        x = act(F.layer_norm(x, x.shape[-1:], norm.weight, norm.bias, norm.eps))
        x = _blocks(enlarge_more, x)  # (N, g * g, first * first, second * second, c)
        x = x + _addend(enlarge_more, fine, side, (first, second), image_index).to(x.dtype)
        x = act_more(x).flatten(1, 3) @ weights[..., None].to(x.dtype)
        x = x.reshape(-1, side, side, first, first, second, second).permute(0, 1, 3, 5, 2, 4, 6)
        return x.reshape(-1, side * first * second, side * first * second)


def _blocks(enlarge: nn.ConvTranspose2d, x: Tensor) -> Tensor:
    """A transposed convolution of cells without its bias, `(..., c)` to `(..., k * k, c)` for a kernel of side `k`."""
    weight = enlarge.weight.permute(2, 3, 1, 0).flatten(0, 2)
    return F.linear(x, weight).unflatten(-1, (-1, enlarge.out_channels))


def _addend(
    enlarge: nn.ConvTranspose2d, maps: Tensor | None, side: int, factors: Sequence[int], image_index: Tensor
) -> Tensor:
    """What is added to `_blocks`: the bias, which a finer map has taken up once per image and not once per mask."""
    assert enlarge.bias is not None
    return enlarge.bias if maps is None else (_in_blocks(maps, side, factors) + enlarge.bias)[image_index]


def _in_blocks(maps: Tensor, side: int, factors: Sequence[int]) -> Tensor:
    """A finer map `(B, c, ...)` in the order of `_blocks`: `(B, g * g, k * k, ..., c)` for each factor `k`."""
    steps = len(factors) + 1
    # Channels go last first, so that whole pixels and not single numbers are put in order.
    cells = maps.permute(0, 2, 3, 1).reshape(-1, *(side, *factors) * 2, maps.shape[1])
    order = [axis for step in range(1, steps + 1) for axis in (step, steps + step)]
    blocks = (side * side, *(k * k for k in factors))
    return cells.permute(0, *order, 2 * steps + 1).reshape(-1, *blocks, maps.shape[1])


def _upscaling(config: MaskDecoderConfig, norm: nn.Module) -> nn.Sequential:
    """SAM's layers, for other factors than its own."""
    first, second = config.upscaling
    dim = config.dim
    return nn.Sequential(
        nn.ConvTranspose2d(dim, dim // 4, kernel_size=first, stride=first),
        norm,
        nn.GELU(),
        nn.ConvTranspose2d(dim // 4, dim // 8, kernel_size=second, stride=second),
        nn.GELU(),
    )
