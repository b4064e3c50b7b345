import pytest
import torch

from trainer.data.scene import IGNORE
from trainer.learning.losses import alignment_losses, full_mask_losses, low_res_mask_losses, text_loss
from trainer.learning.semantic_head import SemanticHead


def test_sure_and_right_costs_nothing_and_sure_and_wrong_much() -> None:
    target = torch.zeros(1, 4, 4)
    target[:, :2] = 1
    valid = torch.ones(1, 4, 4)
    logits = (target * 2 - 1) * 20
    bce, dice = low_res_mask_losses(logits, target, valid)
    assert float(bce) < 1e-6 and float(dice) < 1e-6
    bce, dice = low_res_mask_losses(-logits, target, valid)
    assert float(bce) == pytest.approx(20, abs=1e-3)
    assert float(dice) == pytest.approx(1 - 1 / 17, abs=1e-3)  # (0 + 1) / (8 + 8 + 1)


def test_padding_does_not_count() -> None:
    target, valid = torch.zeros(1, 4, 4), torch.ones(1, 4, 4)
    valid[:, 2:] = 0
    logits = torch.full((1, 4, 4), -20.0)
    logits[:, 2:] = 20
    bce, dice = low_res_mask_losses(logits, target, valid)
    assert float(bce) < 1e-6 and float(dice) < 1e-6


def test_no_masks_cost_nothing_and_keep_the_graph() -> None:
    logits = torch.zeros(0, 4, 4, requires_grad=True)
    bce, dice = low_res_mask_losses(logits, torch.zeros(0, 4, 4), torch.zeros(0, 4, 4))
    (bce + dice).backward()
    assert bce.item() == dice.item() == 0


def test_full_size_losses_are_one_number_a_mask_and_near_zero_for_the_right_one() -> None:
    target = torch.zeros(2, 6, 5)
    target[:, :2] = 1
    logits = (target * 2 - 1) * 20
    logits[1] *= -1
    bce, dice = full_mask_losses(logits, target)
    assert float(bce[0]) < 1e-6 and float(dice[0]) < 1e-6
    assert float(bce[1]) == pytest.approx(20, abs=1e-3)
    assert float(dice[1]) == pytest.approx(1 - 1e-6 / 30e-3, abs=1e-4)  # no overlap; 10 and 20 cells, in thousands


def test_alignment_is_low_where_prompt_and_embedding_agree() -> None:
    embedding = torch.full((1, 2, 2, 2), -40.0)
    embedding[:, :, 0] = 40
    target = torch.zeros(1, 8, 8)
    target[:, :4] = 1
    agree = alignment_losses(torch.ones(1, 2), embedding, target, torch.ones(1, 8, 8))
    differ = alignment_losses(-torch.ones(1, 2), embedding, target, torch.ones(1, 8, 8))
    assert float(agree) < 1e-3 < 1 < float(differ)


def test_text_loss_is_the_mean_negative_log_likelihood() -> None:
    logits = torch.log(torch.tensor([[0.25, 0.75], [0.5, 0.5]]))
    assert float(text_loss(logits, torch.tensor([1, 0]))) == pytest.approx(
        -float(torch.log(torch.tensor([0.75, 0.5])).mean())
    )


def test_semantic_head_ignores_other_sets_and_unknown_cells() -> None:
    torch.manual_seed(0)
    head = SemanticHead(4, {"a": 3})
    embedding = torch.randn(2, 4, 2, 2)
    labels = torch.full((2, 4, 4), IGNORE)
    labels[0, 0, 0] = 1
    changed = labels.clone()
    changed[1] = 2  # an image of another set
    one, two = head(embedding, ("a", "b"), labels), head(embedding, ("a", "b"), changed)
    assert one.item() > 0
    assert torch.equal(one, two)
    assert head(embedding, ("b", "b"), labels).item() == 0
