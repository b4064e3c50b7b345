"""RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO: the splits that are not for training.

    refcoco/instances.json, refcoco/refs(unc).p          splits val, testA, testB
    refcoco+/instances.json, refcoco+/refs(unc).p        splits val, testA, testB
    refcocog/instances.json, refcocog/refs(umd).p        splits val, test
    grefcoco/instances.json, grefcoco/grefs(unc).json    splits val, testA, testB

Every sentence of a reference is a question. The photographs lie in `images/mscoco/images/train2014`, in
`images/train2014`, or where `--images` says. The pickle is read without running it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.json_file import read_json, whole
from engine.records import RLE
from engine.text.prompts import Task
from trainer.benchmarks.benchmark import Question
from trainer.benchmarks.entries import WORDLESS, identity, photograph, text
from trainer.benchmarks.masks import Expressions, Target
from trainer.data.formats.base import Skipped
from trainer.data.formats.coco_file import CocoAnnotation, CocoImage, first_of, mask_of, read_coco
from trainer.data.formats.photographs import Names
from trainer.data.formats.reading import field, flag
from trainer.data.formats.refer import TRAIN2014
from trainer.data.formats.safe_pickle import read_pickle

FILES = {
    "refcoco": ("refs(unc).p", "refs(google).p"),
    "refcoco+": ("refs(unc).p",),
    "refcocog": ("refs(umd).p", "refs(google).p"),
    "grefcoco": ("grefs(unc).json",),
}
_NOTHING = -1


def open_expressions(
    data: Path, name: str, split: str, images: Path | None, limit: int | None, skipped: Skipped
) -> Expressions:
    """A split of a set.

    Args:
        data: holds the folder of the set.
        name: a key of `FILES`.
        split: which.
        images: folder of the photographs.
        limit: only the first so many questions.
        skipped: gets the references whose image or mask can't be used.

    Raises:
        UsageError: if a file is missing or malformed, or the split is not in it; names the reference.
    """
    file = first_of(data, *(f"{name}/{one}" for one in FILES[name]))
    refs = read_pickle(data / file) if file.endswith(".p") else read_json(data / file)
    instances = read_coco(data / name / "instances.json", Skipped())
    known, annotations = instances.images_by_id(), instances.annotations_by_id()
    names = Names(images or data / next((one for one in TRAIN2014 if (data / one).is_dir()), TRAIN2014[0]))
    questions: list[Question] = []
    targets: dict[str, Target] = {}
    for ref in _of_split(refs, split, file):
        where = f"{file}: ref {ref.get('ref_id')}"
        try:
            ids = _ids(ref)
            asked = [(identity(one, "sent_id"), text(one, "sent").strip()) for one in field(ref, "sentences", list)]
        except ValueError as error:
            raise UsageError(f"{where}: {error}") from None
        try:
            image = known.get(ref.get("image_id"))
            if image is None:
                raise ValueError("its image is not in instances.json, or can't be used")
            path = photograph(names, {"file_name": image.file_name}, "file_name")
            target = Target(tuple(_mask(annotations.get(one), image) for one in ids))
        except ValueError as error:
            skipped.add(where, str(error))
            continue
        for sentence_id, said in asked:
            if sentence_id in targets:
                raise UsageError(f"{where}: sentence {sentence_id} for the second time")
            if not said:
                skipped.add(f"{where}, sentence {sentence_id}", WORDLESS)
                continue
            questions.append(Question(sentence_id, path, Task.REFERRING, said))
            targets[sentence_id] = target
    kept = questions[:limit]
    return Expressions(kept, {one.id: targets[one.id] for one in kept}, empty_targets=name == "grefcoco")


def _of_split(refs: Any, split: str, file: str) -> list[dict[str, Any]]:
    if not isinstance(refs, list) or not all(isinstance(ref, dict) and "split" in ref for ref in refs):
        raise UsageError(f"{file}: not a list of references with a split")
    chosen = [ref for ref in refs if ref["split"] == split]
    if not chosen:
        there = ", ".join(sorted({str(ref["split"]) for ref in refs}))
        raise UsageError(f"{file}: no split {split!r}; it has {there or 'none'}")
    return chosen


def _ids(ref: Mapping[str, Any]) -> list[Any]:
    """Of all objects that an expression means; none for an empty target.

    Raises:
        ValueError: if it says neither.
    """
    given = field(ref, "ann_id", object)
    ids = given if isinstance(given, list) else [given]
    if flag(ref, "no_target") or [whole(one) for one in ids] == [_NOTHING]:
        return []
    if not ids:
        raise ValueError("no object, and not said to have none")
    return ids


def _mask(annotation: CocoAnnotation | None, image: CocoImage) -> RLE:
    if annotation is None or annotation.image != image.id:
        raise ValueError("its object is not in instances.json, or not under an id of its own")
    return mask_of(annotation, image)
