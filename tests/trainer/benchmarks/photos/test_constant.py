import numpy as np

from engine.masks import rle
from engine.text.prompts import Task
from trainer.benchmarks.photos.constant import most_frequent
from trainer.data.compose import Conversation


def _half(upper: bool) -> np.ndarray:
    mask = np.zeros((40, 60), bool)
    mask[:20] = upper
    mask[20:] = not upper
    return mask


def _talk(answer: str, *masks: np.ndarray) -> Conversation:
    return Conversation(Task.PANOPTIC_SEGCAP, "Describe.", answer, masks)


def test_heads_of_more_than_half_the_answers_in_their_usual_wording() -> None:
    up, down = _half(True), _half(False)
    constant = most_frequent(
        [
            _talk("<p> a red car </p> [SEG] and <p> the sky </p> [SEG]", down, up),
            _talk("<p> a red car </p> [SEG]", down),
            _talk("<p> a blue car </p> [SEG] and <p> the sky </p> [SEG]", up, up),
            _talk("<p> a dog </p> [SEG]", up),
        ]
    )
    assert constant.phrases == ("a red car",)  # the sky is in half of the answers, not in more
    (mask,) = constant.masks(80, 30)
    found = rle.decode(mask)
    assert found.shape == (80, 30)
    assert found[45:].all() and not found[:35].any()  # two of three cars were in the lower half


def test_the_most_frequent_head_is_kept_when_none_is_common() -> None:
    constant = most_frequent(
        [_talk(f"<p> a {name} </p> [SEG]", _half(True)) for name in ("cat", "cat", "dog", "bee", "ox")]
    )
    assert constant.phrases == ("a cat",)
    assert constant.caption == "a cat"
