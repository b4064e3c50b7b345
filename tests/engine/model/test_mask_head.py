"""The mask head: many prompts of many images in one call, and finer maps where a decoder reads them."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from engine.model.checkpoint import Checkpoint
from engine.model.config import ModelConfig
from engine.model.embedding import ImageEmbedding
from engine.model.mglmm import MGLMM
from tests.engine.tiny import FINE, TINY

INDEX = torch.tensor([0, 2, 2, 1, 0, 2, 1])


@pytest.fixture(scope="module")
def fine() -> MGLMM:
    torch.manual_seed(0)
    return MGLMM(FINE).eval()


@torch.inference_mode()
def test_many_prompts_of_many_images_equal_sam_one_by_one(tiny: Checkpoint) -> None:
    head = tiny.model.mask_head
    grid, prompts = torch.randn(3, 32, 8, 8), torch.randn(7, 32)
    together = head(ImageEmbedding(grid), prompts, INDEX)
    for mask, prompt, image in zip(together, prompts, INDEX, strict=True):
        dense = head.prompt_encoder.no_mask_embed.weight.reshape(1, -1, 1, 1).expand(1, -1, 8, 8)
        alone, _ = head.mask_decoder(
            image_embeddings=grid[image][None],
            image_pe=head.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=prompt[None, None],
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        torch.testing.assert_close(mask, alone[0, 0], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_each_prompt_reads_the_finer_maps_of_its_own_image(fine: MGLMM) -> None:
    features = fine.encode_images(torch.randn(3, 3, 96, 96), None)
    assert features.embedding is not None
    assert [tuple(maps.shape) for maps in features.embedding.tensors] == [
        (3, 32, 8, 8),
        (3, 8, 24, 24),
        (3, 4, 48, 48),
    ]
    prompts = torch.randn(7, 32)
    together = fine.mask_head(features.embedding, prompts, INDEX)
    assert together.shape == (7, 48, 48)
    zero = torch.zeros(1, dtype=torch.long)
    for mask, prompt, image in zip(together, prompts, INDEX, strict=True):
        alone = fine.mask_head(features.embedding.split()[image], prompt[None], zero)
        torch.testing.assert_close(mask, alone[0], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize(("changed", "reach"), [(0, 2), (1, 1)])
def test_a_finer_map_changes_the_mask_where_it_lies(fine: MGLMM, changed: int, reach: int) -> None:
    grid, prompt, zero = torch.randn(1, 32, 8, 8), torch.randn(1, 32), torch.zeros(1, dtype=torch.long)
    maps = [torch.randn(1, 8, 24, 24), torch.randn(1, 4, 48, 48)]
    before = fine.mask_head(ImageEmbedding(grid, tuple(maps)), prompt, zero)
    maps[changed][..., 10, 7] += 3
    different = fine.mask_head(ImageEmbedding(grid, tuple(maps)), prompt, zero) != before
    rows, columns = different[0].nonzero(as_tuple=True)
    assert rows.min() == 10 * reach and rows.max() < 11 * reach
    assert columns.min() == 7 * reach and columns.max() < 8 * reach


def test_split_and_join_are_inverse() -> None:
    embedding = ImageEmbedding(torch.randn(3, 4, 2, 2), (torch.randn(3, 2, 6, 6), torch.randn(3, 1, 12, 12)))
    back = ImageEmbedding.join(embedding.split())
    assert all(torch.equal(one, other) for one, other in zip(back.tensors, embedding.tensors, strict=True))


def test_a_decoder_that_wants_maps_of_another_size_is_refused() -> None:
    plain = FINE.model_dump() | {"pixel_encoder": TINY.pixel_encoder.model_dump()}
    with pytest.raises(ValidationError, match="the pixel encoder gives no finer maps"):
        ModelConfig.model_validate(plain)
    doubled = FINE.model_dump() | {"mask_decoder": FINE.mask_decoder.model_dump() | {"upscaling": (2, 2)}}
    with pytest.raises(ValidationError, match=r"upscaling \(2, 2\): the pixel encoder gives maps for \(3, 2\)"):
        ModelConfig.model_validate(doubled)


@torch.inference_mode()
def test_blocks_are_what_the_convolutions_give(fine: MGLMM) -> None:
    head, channels = fine.mask_head, 32
    side = fine.config.pixel_encoder.grid
    first, second = fine.config.mask_decoder.upscaling
    grid, prompts, index = torch.randn(2, channels, side, side), torch.randn(3, channels), torch.tensor([1, 0, 1])
    finer = (
        torch.randn(2, channels // 4, side * first, side * first),
        torch.randn(2, channels // 8, side * first * second, side * first * second),
    )
    decoder = head.mask_decoder
    enlarge, norm, act, enlarge_more, act_more = decoder.output_upscaling
    dense = head.prompt_encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight]).expand(3, -1, -1)
    position = head.prompt_encoder.get_dense_pe().expand(3, -1, -1, -1)
    hidden, source = decoder.transformer((grid + dense)[index], position, torch.cat([own, prompts[:, None]], dim=1))
    x = source.transpose(1, 2).reshape(3, channels, side, side)
    x = act(norm(enlarge(x) + finer[0][index]))
    x = act_more(enlarge_more(x) + finer[1][index])
    expected = torch.einsum("nc,nchw->nhw", decoder.output_hypernetworks_mlps[0](hidden[:, 1]), x)
    torch.testing.assert_close(head(ImageEmbedding(grid, finer), prompts, index), expected, atol=1e-5, rtol=1e-5)
