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
from engine.records import RLE
from engine.text.prompts import Task
from trainer.benchmarks.benchmark import Question
from trainer.benchmarks.masks import Expressions, Target
from trainer.data.formats.base import Skipped
from trainer.data.formats.coco_file import CocoAnnotation, CocoImage, first_of, mask_of, read_coco
from trainer.data.formats.reading import field, read_json
from trainer.data.formats.refer import TRAIN2014
from trainer.data.formats.safe_pickle import read_pickle

FILES = {
    "refcoco": ("refs(unc).p", "refs(google).p"),
    "refcoco+": ("refs(unc).p",),
    "refcocog": ("refs(umd).p", "refs(google).p"),
    "grefcoco": ("grefs(unc).json",),
}
_NOTHING = -1


def open_expressions(data: Path, name: str, split: str, images: Path | None, limit: int | None) -> Expressions:
    """A split of a set.

    Args:
        data: holds the folder of the set.
        name: a key of `FILES`.
        split: which.
        images: folder of the photographs.
        limit: only the first so many questions.

    Raises:
        UsageError: if a file is missing or malformed, the split is not in it, or an object has no mask.
    """
    file = first_of(data, *(f"{name}/{one}" for one in FILES[name]))
    refs = read_pickle(data / file) if file.endswith(".p") else read_json(data / file)
    chosen = _of_split(refs, split, file)
    skipped = Skipped()
    instances = read_coco(data / name / "instances.json", skipped)
    known = {image.id: image for image in instances.images}
    annotations = {one.id: one for group in instances.annotations.values() for one in group}
    root = images or data / next((one for one in TRAIN2014 if (data / one).is_dir()), TRAIN2014[0])
    questions: list[Question] = []
    targets: dict[str, Target] = {}
    for ref in chosen:
        where = f"{file}: ref {ref['ref_id']}"
        try:
            image = known[ref["image_id"]]
            target = Target(_masks(ref, image, annotations))
            texts = [(one["sent_id"], one["sent"].strip()) for one in field(ref, "sentences", list)]
        except KeyError as error:
            raise UsageError(f"{where}: no {error.args[0]!r} in instances.json or in the reference") from None
        except (TypeError, ValueError) as error:
            raise UsageError(f"{where}: {error}") from None
        for sentence_id, text in texts:
            question = Question(str(sentence_id), root / image.file_name, Task.REFERRING, text)
            if question.id in targets:
                raise UsageError(f"{where}: sentence {sentence_id} for the second time")
            questions.append(question)
            targets[question.id] = target
    kept = questions[:limit]
    return Expressions(kept, {one.id: targets[one.id] for one in kept}, empty_targets=name == "grefcoco")


def _of_split(refs: Any, split: str, file: str) -> list[dict[str, Any]]:
    if not isinstance(refs, list) or not all(isinstance(ref, dict) and "split" in ref for ref in refs):
        raise UsageError(f"{file}: not a list of references with a split")
    chosen = [ref for ref in refs if ref["split"] == split]
    if not chosen:
        there = ", ".join(sorted({str(ref["split"]) for ref in refs}))
        raise UsageError(f"{file}: no split {split!r}; it has {there}")
    return chosen


def _masks(ref: Mapping[str, Any], image: CocoImage, annotations: Mapping[Any, CocoAnnotation]) -> tuple[RLE, ...]:
    """All that an expression means; none for an empty target."""
    ids = ref["ann_id"] if isinstance(ref["ann_id"], list) else [ref["ann_id"]]
    if ref.get("no_target") or ids == [_NOTHING]:
        return ()
    if not ids:
        raise ValueError("no object, and not said to have none")
    return tuple(mask_of(annotations[one], image) for one in ids)
