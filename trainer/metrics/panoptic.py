"""Panoptic quality: PQ, SQ and RQ of All, Things and Stuff.

A predicted and a true segment match if they are of one class and their IoU is above 0.5. Pixels of the prediction on
void do not count in that IoU. A true crowd matches nothing and is not missed; an unmatched prediction of which more
than half lies on void or on a crowd of its class is not counted.

Legend: an id map is `H x W` segment ids, 0 for void.
Source: the panoptic segmentation paper (arXiv 1801.00868) and the COCO evaluation of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

VOID = 0
_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of an id map.

    Attributes:
        id: its value in the map, not 0.
        category: its class.
        crowd: a group that is not taken apart; only in the truth.
        area: in pixels as the annotation gives it; None to count.
    """

    id: int
    category: int
    crowd: bool = False
    area: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PanopticImage:
    """The true and the predicted segments of one image; a map's ids and its segments must be the same."""

    image_id: str
    gt: NDArray[np.integer]
    gt_segments: tuple[Segment, ...]
    pred: NDArray[np.integer]
    pred_segments: tuple[Segment, ...]


@dataclass(slots=True)
class ClassCount:
    """What was found of one class."""

    tp: int = 0
    fp: int = 0
    fn: int = 0
    iou: float = 0.0

    def add(self, other: ClassCount) -> None:
        """Add the counts of other images."""
        self.tp += other.tp
        self.fp += other.fp
        self.fn += other.fn
        self.iou += other.iou

    @property
    def seen(self) -> bool:
        """Whether the class is in the truth or in the prediction."""
        return self.tp + self.fp + self.fn > 0

    @property
    def pq(self) -> float:
        """Panoptic quality."""
        return self.iou / self._size if self.seen else 0.0

    @property
    def sq(self) -> float:
        """Segmentation quality: mean IoU of the matches."""
        return self.iou / self.tp if self.tp else 0.0

    @property
    def rq(self) -> float:
        """Recognition quality: F1 of the matches."""
        return self.tp / self._size if self.seen else 0.0

    @property
    def _size(self) -> float:
        return self.tp + self.fp / 2 + self.fn / 2


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over classes, as fractions; `classes` is how many are in the truth or the prediction."""

    pq: float
    sq: float
    rq: float
    classes: int


@dataclass(frozen=True, slots=True)
class PanopticScores:
    """Scores of a set of images.

    Attributes:
        per_class: category to its counts.
        things: which categories are things.
        per_image: image id to the counts of its classes.
    """

    per_class: Mapping[int, ClassCount]
    things: frozenset[int]
    per_image: Mapping[str, Mapping[int, ClassCount]] = field(default_factory=dict)

    @property
    def all(self) -> Quality:
        """Over all classes."""
        return quality(self.per_class.values())

    @property
    def of_things(self) -> Quality:
        """Over the classes of things."""
        return quality(count for category, count in self.per_class.items() if category in self.things)

    @property
    def of_stuff(self) -> Quality:
        """Over the other classes."""
        return quality(count for category, count in self.per_class.items() if category not in self.things)


def quality(counts: Iterable[ClassCount]) -> Quality:
    """Means over the classes that were seen; zeros if none was."""
    seen = [count for count in counts if count.seen]
    if not seen:
        return Quality(0.0, 0.0, 0.0, 0)
    means = [float(np.mean([getattr(count, name) for count in seen])) for name in ("pq", "sq", "rq")]
    return Quality(means[0], means[1], means[2], len(seen))


def panoptic_scores(images: Iterable[PanopticImage], things: Mapping[int, bool]) -> PanopticScores:
    """PQ, SQ and RQ over all images.

    Args:
        images: one at a time is enough.
        things: every category, and whether it is a thing.

    Raises:
        ValueError: if a map and its segments don't agree, a category is unknown or an image occurs twice.
    """
    total = {category: ClassCount() for category in things}
    per_image: dict[str, Mapping[int, ClassCount]] = {}
    for image in images:
        if image.image_id in per_image:
            raise ValueError(f"image {image.image_id!r} occurs twice")
        try:
            counts = count_matches(image)
        except ValueError as error:
            raise ValueError(f"image {image.image_id!r}: {error}") from error
        for category, count in counts.items():
            if category not in total:
                raise ValueError(f"image {image.image_id!r}: unknown category {category}")
            total[category].add(count)
        per_image[image.image_id] = counts
    return PanopticScores(total, frozenset(key for key, thing in things.items() if thing), per_image)


def count_matches(image: PanopticImage) -> dict[int, ClassCount]:
    """Category to what was found of it in one image.

    Raises:
        ValueError: if the maps differ in size, or a map and its segments don't agree.
    """
    if image.gt.shape != image.pred.shape:
        raise ValueError(
            "the true map has {} x {} pixels, the predicted one {} x {}".format(*image.gt.shape, *image.pred.shape)
        )
    rows = _indices(image.gt, image.gt_segments, "true")
    columns = _indices(image.pred, image.pred_segments, "predicted")
    shape = len(image.gt_segments) + 1, len(image.pred_segments) + 1
    shared = np.bincount((rows * shape[1] + columns).ravel(), minlength=shape[0] * shape[1]).reshape(shape)
    gt_pixels, pred_pixels = shared.sum(axis=1)[1:], shared.sum(axis=0)[1:]
    _check_present(image.pred_segments, pred_pixels, "predicted")
    gt_areas = np.array(
        [pixels if one.area is None else one.area for one, pixels in zip(image.gt_segments, gt_pixels, strict=True)],
        dtype=np.float64,
    )
    void = shared[0, 1:]
    both = shared[1:, 1:]
    union = gt_areas[:, None] + pred_pixels[None, :] - both - void[None, :]
    gt_classes = np.array([one.category for one in image.gt_segments], dtype=np.int64)
    pred_classes = np.array([one.category for one in image.pred_segments], dtype=np.int64)
    crowd = np.array([one.crowd for one in image.gt_segments], dtype=np.bool_)
    same = gt_classes[:, None] == pred_classes[None, :]
    iou = np.where(same & ~crowd[:, None] & (both > 0), both / np.maximum(union, 1), 0.0)

    counts: dict[int, ClassCount] = {}

    def of(category: int) -> ClassCount:
        return counts.setdefault(int(category), ClassCount())

    matched = iou > _IOU  # at most one in a row or column, as segments do not overlap
    for row, column in np.argwhere(matched):
        of(gt_classes[row]).tp += 1
        of(gt_classes[row]).iou += float(iou[row, column])
    for row in np.flatnonzero(~matched.any(axis=1) & ~crowd):
        of(gt_classes[row]).fn += 1
    last_crowd = {int(gt_classes[row]): int(row) for row in np.flatnonzero(crowd)}  # several of a class: the last one
    for column in np.flatnonzero(~matched.any(axis=0)):
        category = int(pred_classes[column])
        excused = void[column] + (both[last_crowd[category], column] if category in last_crowd else 0)
        if excused / pred_pixels[column] <= 0.5:
            of(category).fp += 1
    return counts


def _indices(ids: NDArray[np.integer], segments: tuple[Segment, ...], whose: str) -> NDArray[np.int64]:
    """The map with 0 for void and 1 + the segment's place in `segments`."""
    known = np.array([VOID, *(segment.id for segment in segments)], dtype=np.int64)
    if len(np.unique(known)) < len(known):
        raise ValueError(f"a {whose} segment has the id 0 or that of another one")
    order = np.argsort(known)
    places = np.searchsorted(known[order], ids)
    index = order[np.minimum(places, len(known) - 1)]
    unknown = known[index] != ids
    if unknown.any():
        raise ValueError(f"the {whose} map has the id {int(np.asarray(ids)[unknown][0])}, which no segment has")
    return index.astype(np.int64, copy=False)


def _check_present(segments: tuple[Segment, ...], pixels: NDArray[np.int64], whose: str) -> None:
    for segment, count in zip(segments, pixels, strict=True):
        if not count:
            raise ValueError(f"the {whose} segment {segment.id} has no pixel in its map")
