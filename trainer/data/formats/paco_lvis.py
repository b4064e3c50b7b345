"""`paco-lvis`: parts of common objects, on photographs of LVIS.

    annotations/paco_lvis_v1_train.json    COCO layout; a part's category is `mug:handle`, and `obj_ann_id` of its
                                           annotation is the object; that of an object is its own id
    train2017/NAME.jpg                     COCO's photographs; `file_name` has the folder in it

As in LVIS not everything is annotated: `not_exhaustive_category_ids` of a photograph are classes of which there is more
than annotated, `neg_category_ids` those that are not there for certain. What isn't the only one of its class is asked
for together with its like. The training file is read, or that for validation where it is alone.

Link: https://github.com/facebookresearch/paco
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import UsageError
from engine.records import RLE
from engine.text.prompts import Families, Task
from trainer.data.compose.nouns import capital, noun
from trainer.data.compose.segmentation import MAX_MEMBERS, refusal
from trainer.data.formats.asking import Absent, Questions, Target, left_to_right, listed
from trainer.data.formats.base import Format, Skipped
from trainer.data.formats.coco_file import CocoAnnotation, CocoFile, CocoImage, first_of, read_coco
from trainer.data.formats.ids import ById, Id, identity
from trainer.data.formats.objects import TOO_MANY
from trainer.data.formats.parts import PartName, part_name
from trainer.data.formats.photographs import Photograph, Photographs
from trainer.data.record import Record


@dataclass(frozen=True, slots=True)
class _Object:
    annotation: CocoAnnotation
    mask: RLE
    parts: tuple[tuple[CocoAnnotation, RLE], ...]


def _read(root: Path, families: Families, skipped: Skipped) -> Iterator[Record]:
    name = first_of(root, "annotations/paco_lvis_v1_train.json", "annotations/paco_lvis_v1_val.json")
    file = read_coco(root / name, skipped, named=True)
    reader, photographs = _Reader(file, Questions(families, skipped), skipped), Photographs(root, skipped)
    for image in file.images:
        source = f"{file.name}: image {image.id}"
        if not file.annotations.get(image.id):
            skipped.add(source, "no object")
            continue
        photograph = photographs.find("", image.file_name, source, size=image.size)
        if photograph:
            yield from reader.records(image, photograph, source)


class _Reader:
    def __init__(self, file: CocoFile, questions: Questions, skipped: Skipped) -> None:
        self._file = file
        self._questions = questions
        self._skipped = skipped
        self._absent = Absent()

    def records(self, image: CocoImage, photograph: Photograph, source: str) -> Iterator[Record]:
        classes: dict[str, list[_Object]] = defaultdict(list)
        for found in self._objects(image, photograph):
            classes[found.annotation.category].append(found)
        for objects in classes.values():
            if len(objects) == 1:
                yield from self._only(photograph, objects[0])
            else:
                yield from self._several(photograph, objects, source)
        # Two categories may have one name.
        there = {annotation.category for annotation in self._file.annotations[image.id]}
        yield from self._denied(photograph, self._categories(image, "neg_category_ids") - there, source)

    def _objects(self, image: CocoImage, photograph: Photograph) -> list[_Object]:
        """The objects with their parts, of classes of which all that is in the photograph can be shown."""
        usable = list(self._file.masks(image, photograph, self._skipped))
        counts = Counter(annotation.category for annotation in self._file.annotations[image.id])
        counts.subtract(annotation.category for annotation, _ in usable)
        unsure = {category for category, left in counts.items() if left}
        unsure |= self._categories(image, "not_exhaustive_category_ids")
        wholes: list[tuple[CocoAnnotation, RLE]] = []
        parts: dict[Id, list[tuple[CocoAnnotation, RLE]]] = defaultdict(list)
        known = ById((annotation.id, annotation.id) for annotation in self._file.annotations[image.id])
        for annotation, mask in usable:
            given = annotation.raw.get("obj_ann_id", annotation.id)
            found = known.get(given)
            whole = identity(given) if found is None else found
            if whole is None:
                self._note(annotation, "'obj_ann_id' is not an id")
            elif annotation.category in unsure:
                self._note(annotation, "there is more of its class than can be shown")
            elif whole == annotation.id:
                wholes.append((annotation, mask))
            else:
                parts[whole].append((annotation, mask))
        objects = [_Object(annotation, mask, tuple(parts.pop(annotation.id, ()))) for annotation, mask in wholes]
        for orphan, _ in (pair for group in parts.values() for pair in group):
            self._note(orphan, "its object can't be used")
        return objects

    def _only(self, photograph: Photograph, found: _Object) -> Iterator[Record]:
        """The object by its name, what it consists of, and each of its parts."""
        name = part_name(found.annotation.category)
        yield from self._one(photograph, name, found.annotation, found.mask)
        if found.parts:
            targets = [Target(part_name(part.category).part, (mask,)) for part, mask in found.parts]
            answer = [
                Target(capital(name.definite), (found.mask,)),
                "has these parts:" if len(targets) > 1 else "has this part:",
                *listed(targets, "and"),
                ".",
            ]
            yield from self._questions.ask(
                photograph, Task.FINE_SEGCAP, answer, source=self._source(found.annotation), label=name.definite
            )
        for part, mask in found.parts:
            yield from self._one(photograph, part_name(part.category), part, mask)

    def _one(self, photograph: Photograph, name: PartName, annotation: CocoAnnotation, mask: RLE) -> Iterator[Record]:
        if not name.part:
            self._absent.affirmed(annotation.category)
        target = Target(name.definite, (mask,))
        source = self._source(annotation)
        yield from self._questions.ask(photograph, Task.REFERRING, [target], source=source, label=name.definite)

    def _several(self, photograph: Photograph, objects: Sequence[_Object], source: str) -> Iterator[Record]:
        """All objects of a class, and all parts of them that have the same name."""
        alike: dict[str, list[tuple[CocoAnnotation, RLE]]] = defaultdict(list)
        for found in objects:
            alike[found.annotation.category].append((found.annotation, found.mask))
            for part, mask in found.parts:
                alike[part.category].append((part, mask))
        for category, members in alike.items():
            if len(members) > MAX_MEMBERS:
                for annotation, _ in members:
                    self._note(annotation, TOO_MANY)
                continue
            name = noun(part_name(category).compound).plural
            target = Target(name, left_to_right(mask for _, mask in members))
            yield from self._questions.ask(photograph, Task.MULTIPLE, [target], source=source, label=name)

    def _denied(self, photograph: Photograph, negative: set[str], source: str) -> Iterator[Record]:
        """One of the classes that are known not to be there."""
        category = self._absent.draw_from(negative)
        if category is not None:
            name = part_name(category).definite
            answer = [refusal(name.removeprefix("the "))]
            yield from self._questions.ask(photograph, Task.REFERRING, answer, source=source, label=name)

    def _categories(self, image: CocoImage, key: str) -> set[str]:
        identities = image.raw.get(key, [])
        if not isinstance(identities, list):
            raise UsageError(f"{self._file.name}: image {image.id}: {key!r} is not a list of ids")
        found = [self._file.categories.get(one) for one in identities]
        return {category.name for category in found if category}

    def _note(self, annotation: CocoAnnotation, reason: str) -> None:
        self._skipped.add(self._source(annotation), reason)

    def _source(self, annotation: CocoAnnotation) -> str:
        return f"{self._file.name}: annotation {annotation.id}"


FORMATS: tuple[Format, ...] = (
    Format(
        name="paco-lvis",
        link="https://github.com/facebookresearch/paco",
        layout="annotations/paco_lvis_v1_train.json, and train2017/ and val2017/ of COCO",
        tasks=(Task.FINE_SEGCAP, Task.REFERRING, Task.MULTIPLE),
        read=_read,
    ),
)
