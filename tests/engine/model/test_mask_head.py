import torch

from engine.model.checkpoint import Checkpoint


@torch.inference_mode()
def test_many_prompts_of_many_images_equal_sam_one_by_one(tiny: Checkpoint) -> None:
    head = tiny.model.mask_head
    embeddings, prompts = torch.randn(3, 32, 8, 8), torch.randn(7, 32)
    image_index = torch.tensor([0, 2, 2, 1, 0, 2, 1])
    together = head(embeddings, prompts, image_index)
    for mask, prompt, image in zip(together, prompts, image_index, strict=True):
        dense = head.prompt_encoder.no_mask_embed.weight.reshape(1, -1, 1, 1).expand(1, -1, 8, 8)
        alone, _ = head.mask_decoder(
            image_embeddings=embeddings[image][None],
            image_pe=head.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=prompt[None, None],
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        torch.testing.assert_close(mask, alone[0, 0], atol=1e-5, rtol=1e-5)
