"""What the page is made of: every photograph once, masks in its frame, ids of `segcap.json`, and a whole folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.errors import MglmmError, UsageError
from engine.journal import Index
from engine.masks import rle
from engine.records import RLE, Failure, Mask
from exporters.coco import write_coco
from exporters.report.pictures import LARGE, Frame, in_frame
from exporters.report.verdicts import Verdict, read_verdicts
from tests.exporters.report import made


def shard(folder: Path, kind: str, number: int = 0) -> Any:
    """The value of a file of data/."""
    text = (folder / "data" / f"{kind}-{number}.js").read_text(encoding="ascii")
    head = f'mglmm("{kind}",{number},'
    assert text.startswith(head) and text.endswith(");\n")
    return json.loads(text[len(head) : -3])


def test_annotations_have_the_ids_of_segcap_json(tmp_path: Path) -> None:
    out = made.write_journal(
        tmp_path / "out", [made.scene("a.jpg"), Failure("x", "open", "no"), made.odd("b.jpg"), made.scene("c.jpg")]
    )
    index = Index(out / "journal.jsonl")
    write_coco(index, out / "segcap.json", made.INFO)
    index.close()
    coco = json.loads((out / "segcap.json").read_bytes())
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    wanted = {entry["id"]: (names[entry["image_id"]], entry["phrase"], entry["area"]) for entry in coco["annotations"]}
    made.report(tmp_path / "report", out)
    found = {}
    for row, photograph in zip(
        shard(tmp_path / "report", "list"), shard(tmp_path / "report", "photographs"), strict=True
    ):
        for answer in photograph["runs"][0].get("answers", []):
            for phrase in answer["phrases"]:
                for seg in phrase["segs"]:
                    mask = answer["masks"][seg]
                    found[mask["id"]] = (row[0], phrase["text"], mask["area"])
    # The page has all masks, the file those that are labels.
    assert wanted and wanted.items() <= found.items()


def test_captions_come_in_pieces_that_make_them_up(tmp_path: Path) -> None:
    records = [made.scene("a.jpg"), made.odd("b.jpg"), made.hostile("c.jpg")]
    made.report(tmp_path / "report", made.write_journal(tmp_path / "out", records))
    for record, photograph in zip(records, shard(tmp_path / "report", "photographs"), strict=True):
        for segcap, answer in zip(record.segcaps, photograph["runs"][0]["answers"], strict=True):
            assert "".join(text for text, _ in answer["pieces"]) == segcap.answer.caption
            named = {place: text for text, place in answer["pieces"] if place >= 0}
            assert named == {place: phrase.text for place, phrase in enumerate(segcap.answer.phrases)}


def test_several_runs_side_by_side(tmp_path: Path) -> None:
    first = made.write_journal(tmp_path / "first", [made.scene("a.jpg"), made.scene("b.jpg")])
    second = made.write_journal(
        tmp_path / "second", [made.scene("b.jpg"), Failure("a.jpg", "open", "gone"), made.odd("c.jpg")]
    )
    third = made.write_journal(tmp_path / "third", [made.odd("c.jpg"), made.odd("d.jpg")])
    assert made.report(tmp_path / "report", first, second, third).photographs == 4
    rows = shard(tmp_path / "report", "list")
    assert [row[0] for row in rows] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    runs = [[run and next(iter(run)) for run in one["runs"]] for one in shard(tmp_path / "report", "photographs")]
    assert runs == [
        ["answers", "failure", None],
        ["answers", "answers", None],
        [None, "answers", "answers"],
        [None, None, "answers"],
    ]
    # Only what the first one says is marked, and so has ids.
    ids = [
        [answer["masks"][0]["id"] for answer in run["answers"] if answer["masks"]]
        for run in shard(tmp_path / "report", "photographs")[1]["runs"][:2]
    ]
    assert ids == [[2_000_100, 2_000_400], [None, None]]
    assert [run["title"] for run in shard(tmp_path / "report", "overview")["runs"]] == ["first", "second", "third"]


def test_a_large_photograph_and_its_masks_are_made_smaller(tmp_path: Path) -> None:
    height, width = 1500, 3000
    pixels = np.zeros((height, width), bool)
    pixels[300:900, 600:1200] = True
    dot = np.zeros((height, width), bool)
    dot[1499, 2999] = True
    record = made.scene("a.jpg")
    masks = [Mask(coded, rle.area(coded), rle.bbox(coded), 0.9) for coded in rle.encode(np.stack([pixels, dot, dot]))]
    record = replace(record, height=height, width=width, segcaps=(replace(record.segcaps[0], masks=tuple(masks)),))
    out = made.write_journal(tmp_path / "out", [record])
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (width, height), (200, 30, 30)).save(tmp_path / "photos" / "0.png")
    assert made.report(tmp_path / "report", out).unseen == 0
    with Image.open(tmp_path / "report" / "photographs" / "0" / "0.jpg") as large:
        assert large.size == (LARGE, LARGE // 2)
    with Image.open(tmp_path / "report" / "thumbnails" / "0" / "0.jpg") as small:
        assert small.size == (240, 120)
    photograph = shard(tmp_path / "report", "photographs")[0]
    assert (photograph["full"], photograph["frame"]) == ([width, height], [LARGE, LARGE // 2])
    block, one, _ = (
        rle.decode(RLE(512, 1024, mask["counts"])) for mask in photograph["runs"][0]["answers"][0]["masks"]
    )
    assert block.mean() == pytest.approx(pixels.mean(), rel=0.01)
    assert np.argwhere(one).tolist() == [[511, 1023]]


def test_masks_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="end before they fill"):
        in_frame(RLE(4, 4, "1"), Frame(4, 4))


def test_a_run_that_is_not_finished_says_so(tmp_path: Path) -> None:
    out = made.write_journal(tmp_path / "out", [made.scene("a.jpg")], finished=False)
    with (out / "journal.jsonl").open("ab") as file:
        file.write(b'{"crc":"00000000","torn')
    made.report(tmp_path / "report", out)
    assert shard(tmp_path / "report", "overview")["runs"][0]["notes"] == [
        "the run is not finished; photographs so far: 1"
    ]


def test_damaged_lines_are_told_and_the_others_shown(tmp_path: Path) -> None:
    out = made.write_journal(tmp_path / "out", [made.scene("a.jpg"), made.scene("b.jpg")])
    lines = (out / "journal.jsonl").read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"walks", b"talks")
    (out / "journal.jsonl").write_bytes(b"".join(lines))
    made.report(tmp_path / "report", out)
    assert [row[0] for row in shard(tmp_path / "report", "list")] == ["b.jpg"]
    assert (
        "damaged lines of its journal: 1, the first is line 2; "
        in shard(tmp_path / "report", "overview")["runs"][0]["notes"][0]
    )


def test_photographs_that_have_moved_or_changed(tmp_path: Path) -> None:
    out = made.write_journal(
        tmp_path / "out", [made.scene("a.png"), made.scene("deep/b.png"), Failure("c.png", "decode", "x")]
    )
    made.write_photographs(tmp_path, 1)
    Image.new("RGB", (10, 20)).save(tmp_path / "photos" / "1.png")
    assert made.report(tmp_path / "report", out).unseen == 1
    reasons = [photograph["unseen"] for photograph in shard(tmp_path / "report", "photographs")]
    assert reasons[:2] == ["", "its file has 10 x 20 pixels, it had 80 x 60"]
    assert shard(tmp_path / "report", "overview")["unseen"] == 1
    (tmp_path / "photos").rename(tmp_path / "moved")
    assert made.report(tmp_path / "report", out).unseen == 2
    (tmp_path / "new" / "deep").mkdir(parents=True)
    for name in ("a.png", "deep/b.png"):
        Image.new("RGB", (made.WIDTH, made.HEIGHT)).save(tmp_path / "new" / name)
    assert made.report(tmp_path / "report", out, photos=tmp_path / "new").unseen == 0


def test_a_name_that_leads_out_of_the_photographs_folder_is_refused(tmp_path: Path) -> None:
    out = made.write_journal(tmp_path / "out", [made.scene("../secret.png")])
    with pytest.raises(UsageError, match="not a name below the folder"):
        made.report(tmp_path / "report", out, photos=tmp_path)


def test_an_older_page_goes_and_other_files_stay_safe(tmp_path: Path) -> None:
    two = made.write_journal(tmp_path / "two", [made.scene("a.png"), made.scene("b.png")])
    one = made.write_journal(tmp_path / "one", [made.scene("a.png")])
    made.write_photographs(tmp_path, 2)
    made.report(tmp_path / "report", two)
    (tmp_path / "report" / "notes.txt").write_text("mine")
    made.report(tmp_path / "report", one)
    assert [path.name for path in (tmp_path / "report" / "photographs" / "0").iterdir()] == ["0.jpg"]
    assert (tmp_path / "report" / "notes.txt").read_text() == "mine"
    with pytest.raises(UsageError, match="is not empty and holds no report"):
        made.report(tmp_path / "photos", one)
    (tmp_path / "report" / "data").rename(tmp_path / "elsewhere")
    (tmp_path / "report" / "data").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is a link"):
        made.report(tmp_path / "report", one)
    assert (tmp_path / "elsewhere" / "overview-0.js").exists()


def test_a_journal_with_masks_that_are_none(tmp_path: Path) -> None:
    record = made.scene("a.png")
    first, *others = record.segcaps[0].masks
    lying = replace(first, rle=replace(first.rle, counts="5"))
    record = replace(record, segcaps=(replace(record.segcaps[0], masks=(lying, *others)),))
    out = made.write_journal(tmp_path / "out", [record])
    with pytest.raises(MglmmError, match="a.png: the journal has counts that end before they fill the mask"):
        made.report(tmp_path / "report", out)
    assert not (tmp_path / "report" / "index.html").exists()


LINE = {"file_name": "a", "annotation_id": 3, "segcap": 0, "seg": 1, "phrase": "a cup", "verdict": "wrong", "note": "n"}


def test_verdicts_are_read_and_the_last_counts(tmp_path: Path) -> None:
    whole = {"file_name": "a", "segcap": None, "seg": None, "verdict": None, "note": "look"}
    lines = [LINE, whole, LINE | {"verdict": "right", "note": ""}]
    path = tmp_path / "verdicts.jsonl"
    path.write_text("\n\n".join(map(json.dumps, lines)))
    assert read_verdicts(path) == {
        ("a", 0, 1): Verdict(True, "", "a cup", 3),
        ("a", None, None): Verdict(None, "look", None, None),
    }


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1]", "not an object with a file_name"),
        ("{", "not JSON|Expecting"),
        (json.dumps(LINE | {"file_name": 1}), "not an object with a file_name"),
        (json.dumps(LINE | {"seg": None}), "neither both numbers"),
        (json.dumps(LINE | {"seg": -1}), "neither both numbers"),
        (json.dumps(LINE | {"seg": True}), "neither both numbers"),
        (json.dumps(LINE | {"verdict": "perhaps"}), "'perhaps' is none of right, wrong, null"),
        (json.dumps(LINE | {"note": 3}), "no text"),
        (json.dumps(LINE | {"annotation_id": "3"}), "annotation_id is no number"),
    ],
)
def test_lines_that_are_no_verdicts_are_named(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "verdicts.jsonl"
    path.write_text(f"{json.dumps(LINE)}\n{line}\n")
    with pytest.raises(UsageError, match=reason) as error:
        read_verdicts(path)
    assert "verdicts.jsonl: line 2: " in str(error.value) and "mglmm report saved" in str(error.value)
