"""SAM's prompt encoder and mask decoder, driven by `[SEG]` states; many prompts of many images in one call.

Legend: `B` images, `N` masks, `C` channels, `g` side of the embedding, `m = 4g` side of the low-res masks.
"""

from __future__ import annotations

import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer
from torch import Tensor, nn

from engine.model.config import MaskDecoderConfig


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

    def forward(self, embeddings: Tensor, prompts: Tensor, image_index: Tensor) -> Tensor:
        """Decode all masks of a batch (SAM with a sparse prompt only, `multimask_output` off).

        Args:
            embeddings: `(B, C, g, g)`.
            prompts: `(N, C)`, one prompt vector a mask; there may be none.
            image_index: `(N,)` int64, the image of each prompt.

        Returns:
            `(N, m, m)` mask logits.
        """
        decoder = self.mask_decoder
        # In half precision the position encoding alone would move the logits; the head is small and stays float32.
        embeddings, prompts = embeddings.float(), prompts.float()
        n = prompts.shape[0]
        dense = self.prompt_encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
        source = (embeddings + dense)[image_index]
        position = self.prompt_encoder.get_dense_pe().to(source.dtype).expand(n, -1, -1, -1)
        own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight], dim=0)
        tokens = torch.cat([own.to(prompts.dtype).expand(n, -1, -1), prompts[:, None]], dim=1)
        hidden, source = decoder.transformer(source, position, tokens)
        side = embeddings.shape[-1]
        source = source.transpose(1, 2).reshape(n, source.shape[-1], side, side)
        upscaled = decoder.output_upscaling(source)
        # Token 0 is the IoU token, token 1 the single-mask token.
        weights = decoder.output_hypernetworks_mlps[0](hidden[:, 1])
        return torch.einsum("nc,nchw->nhw", weights, upscaled)
