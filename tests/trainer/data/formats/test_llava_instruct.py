from __future__ import annotations

from pathlib import Path

from engine.decoding.sequence import Turn
from engine.text.prompts import Task
from tests.trainer.data.formats.made import HEIGHT, WIDTH, photograph, read, write


def _turn(speaker: str, text: str) -> dict[str, str]:
    return {"from": speaker, "value": text}


def test_talks_without_the_place_of_the_image(tmp_path: Path) -> None:
    good = [
        _turn("human", "<image>\nWhat is grey?"),
        _turn("gpt", "All of it."),
        _turn("human", "Why?"),
        _turn("gpt", "It was made so."),
    ]
    write(
        tmp_path / "llava_instruct_150k.json",
        [
            {"id": "000000033471", "image": "000000033471.jpg", "conversations": good},
            {"id": "1", "image": "1.jpg", "conversations": good},
            {"id": "000000033471", "image": "000000033471.jpg", "conversations": [_turn("human", "Hm?\n<image>")]},
            {"id": "000000033471", "image": "000000033471.jpg", "conversations": good[1:3]},
            {"id": "2", "conversations": good},
            {
                "id": "000000033471",
                "image": "000000033471.jpg",
                "conversations": [_turn("human", "What does [SEG] mean?"), good[1]],
            },
        ],
    )
    photograph(tmp_path / "train2017" / "000000033471.jpg")
    records, skipped = read("llava-instruct", tmp_path)
    (record,) = records
    assert (record.image, record.height, record.width) == ("train2017/000000033471.jpg", HEIGHT, WIDTH)
    assert record.task == Task.CONVERSATION
    assert record.turns == (Turn("What is grey?", "All of it."), Turn("Why?", "It was made so."))
    file = "llava_instruct_150k.json"
    assert sorted(skipped.reasons()) == [
        ("its photograph is not there", 1, (f"{file}: entry 1 (train2017/1.jpg)",)),
        ("not an image and a talk of human and gpt in turn", 2, (f"{file}: entry 3", f"{file}: entry 4")),
        ("questions and answers are not in pairs", 1, (f"{file}: entry 2",)),
        ("text that holds a tag of the prompts or answers", 1, (f"{file}: entry 5",)),
    ]
