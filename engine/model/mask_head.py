"""SAM's prompt encoder and mask decoder, driven by `[SEG]` states; many prompts of many images in one call.

Legend: `B` images, `N` masks, `C` channels, `g` side of the grid, `m` side of the low-res masks (`4g` in SAM).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer
from torch import Tensor, nn

from engine.model.config import MaskDecoderConfig
from engine.model.embedding import ImageEmbedding


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
        if config.upscaling != (2, 2):
            self.mask_decoder.output_upscaling = _upscaling(config, self.mask_decoder.output_upscaling[1])

    def forward(self, embedding: ImageEmbedding, prompts: Tensor, image_index: Tensor) -> Tensor:
        """Decode all masks of a batch (SAM with a sparse prompt only, `multimask_output` off).

        Args:
            embedding: of `B` images.
            prompts: `(N, C)`, one prompt vector a mask; there may be none.
            image_index: `(N,)` int64, the image of each prompt.

        Returns:
            `(N, m, m)` mask logits.
        """
        decoder = self.mask_decoder
        # In half precision the position encoding alone would move the logits; the head is small and stays float32.
        embeddings, prompts = embedding.grid.float(), prompts.float()
        n = prompts.shape[0]
        dense = self.prompt_encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
        source = (embeddings + dense)[image_index]
        position = self.prompt_encoder.get_dense_pe().to(source.dtype).expand(n, -1, -1, -1)
        own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight], dim=0)
        tokens = torch.cat([own.to(prompts.dtype).expand(n, -1, -1), prompts[:, None]], dim=1)
        hidden, source = decoder.transformer(source, position, tokens)
        side = embeddings.shape[-1]
        source = source.transpose(1, 2).reshape(n, source.shape[-1], side, side)
        upscaled = self._upscaled(source, [maps.float() for maps in embedding.high_res], image_index)
        # Token 0 is the IoU token, token 1 the single-mask token.
        weights = decoder.output_hypernetworks_mlps[0](hidden[:, 1])
        return torch.einsum("nc,nchw->nhw", weights, upscaled)

    def _upscaled(self, source: Tensor, high_res: Sequence[Tensor], image_index: Tensor) -> Tensor:
        """The grid, enlarged in two steps; a finer map is added before each step's activation, as SAM 2 does."""
        enlarge, norm, act, enlarge_more, act_more = self.mask_decoder.output_upscaling
        x = enlarge(source)
        x = act(norm(x + high_res[0][image_index] if high_res else x))
        x = enlarge_more(x)
        return act_more(x + high_res[1][image_index] if high_res else x)


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
