"""A page of what a model answers, right or wrong: photographs drawn by a seed, and those of scikit-image.

    python -m benchmarks.gallery OUT --data ../shared/data [--model nano] [--seed 0] [--count 24]

OUT is a folder; it gets `gallery.md` and `gallery/`. Nothing is picked or left out but by the seed: the sets have their
turns in the order of their names, as long as they have `val` photographs. Photographs of the sets are not shown: their
masks are drawn on an empty frame. Those of scikit-image are shown as far as they are free; the package has to be there.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from engine.images.decode import decode
from engine.images.sources import find_sources
from engine.model.checkpoint import Checkpoint
from engine.pipeline.pipeline import Pipeline
from engine.records import PhotoRecord, SegCap
from exporters.overlay import paint
from mglmm_cli.options import open_model

WIDTH = 360
QUALITY = 70
PER_ROW = 2
PAGE, PICTURES = "gallery.md", "gallery"
SKIMAGE = {
    "astronaut.png": True, "chelsea.png": True, "coffee.png": True, "hubble_deep_field.jpg": True, "ihc.png": True,
    "motorcycle_left.png": False, "motorcycle_right.png": False, "retina.jpg": True, "rocket.jpg": True,
}  # fmt: skip
"""Its colour photographs, and whether they are free of restrictions."""
_EMPTY = (32, 32, 36)
_COLOURS = 64
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~$&!])")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A photograph of the page.

    Attributes:
        name: how the page calls it.
        path: where it lies.
        shown: its pixels may be.
    """

    name: str
    path: Path
    shown: bool


def drawn(data: Path, count: int, seed: int) -> list[Chosen]:
    """Photographs of the `val` parts below a folder: one of each set by turns, in an order drawn by the seed."""
    rng = np.random.default_rng(seed)
    waiting: dict[str, list[Path]] = {}
    for folder in sorted(data.glob("*/val/images")):
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
        waiting[folder.parents[1].name] = [paths[int(place)] for place in rng.permutation(len(paths))]
    found: list[Chosen] = []
    while len(found) < count and any(waiting.values()):
        for name, paths in waiting.items():
            if paths and len(found) < count:
                path = paths.pop(0)
                found.append(Chosen(f"{name}/val/{path.name}", path, shown=False))
    return sorted(found, key=lambda chosen: chosen.name)


def of_skimage() -> list[Chosen]:
    """The colour photographs that scikit-image ships; none where it is not installed."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(spec.submodule_search_locations[0]) / "data"
    return [
        Chosen(f"skimage.data/{name}", folder / name, shown)
        for name, shown in SKIMAGE.items()
        if (folder / name).is_file()
    ]


def write_page(out: Path, photographs: Sequence[Chosen], checkpoint: Checkpoint, how: str) -> None:
    """Ask about the photographs and write the page.

    Args:
        out: folder that gets it.
        photographs: in the order of the page.
        checkpoint: the model.
        how: the photographs were drawn, in a sentence.
    """
    pictures = out / PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    lines = [
        "# What the model answers",
        "",
        f"`{checkpoint.name}` ({checkpoint.sha256[:12]}), its answers as they are. {how} Behind a phrase stand its",
        "number in the picture, the score of each of its masks, and the name score. Where a photograph may not be",
        "shown, its masks are.",
        "",
    ]
    for chosen, record in zip(photographs, _answered(photographs, checkpoint), strict=True):
        lines += [f"## {chosen.name}", ""]
        if record is None:
            lines += ["It could not be read.", ""]
            continue
        stem = re.sub(r"[^\w.-]+", "-", chosen.name.rpartition(".")[0])
        shown = decode(chosen.path) if chosen.shown else None
        files = _write_pictures(pictures, stem, record, shown)
        lines += [" ".join(f"![{stem}]({PICTURES}/{name})" for name in files), ""]
        lines += [f"- {answer_text(segcap)}" for segcap in record.segcaps]
        lines.append("")
    (out / PAGE).write_text("\n".join(lines), encoding="utf-8")


def answer_text(segcap: SegCap) -> str:
    """An answer in Markdown: its caption, numbers and scores behind the phrases that have masks."""
    caption, text, at, number = segcap.answer.caption, "", 0, 0
    for phrase in segcap.answer.phrases:
        masks = [segcap.masks[seg] for seg in phrase.segs]
        text += _escaped(caption[at : phrase.span.start])
        at = phrase.span.end
        if not masks:
            text += _escaped(phrase.text)
            continue
        visible = any(mask.area for mask in masks)
        number += visible
        scores = " ".join(f"{mask.score:.2f}" for mask in masks)
        name = "" if phrase.name_score is None else f"; {phrase.name_score:.2f}"
        bold = f"**{_escaped(phrase.text)}** " if phrase.text else ""
        text += f"{bold}({number if visible else 'no pixel'}: {scores}{name})"
    return f"{segcap.granularity}: {text}{_escaped(caption[at:])}{' (cut)' if segcap.truncated else ''}"


def _answered(photographs: Sequence[Chosen], checkpoint: Checkpoint) -> Iterator[PhotoRecord | None]:
    pipeline = Pipeline(checkpoint)
    for chosen in photographs:
        ((_, outcome),) = pipeline.run(find_sources([str(chosen.path)], None))
        yield outcome if isinstance(outcome, PhotoRecord) else None


def _write_pictures(folder: Path, stem: str, record: PhotoRecord, pixels: np.ndarray | None) -> list[str]:
    """The panoptic answer, and in a second picture the others beside each other; their names."""
    first, *others = record.segcaps
    pictures = {f"{stem}{_suffix(pixels)}": _painted(record, first, pixels, WIDTH)}
    if others:
        cells = [_painted(record, segcap, pixels, WIDTH // PER_ROW) for segcap in others]
        height = cells[0].height
        sheet = Image.new("RGB", (WIDTH, height * -(-len(cells) // PER_ROW)), "white")
        for place, cell in enumerate(cells):
            sheet.paste(cell, (place % PER_ROW * (WIDTH // PER_ROW), place // PER_ROW * height))
        pictures[f"{stem}-fine{_suffix(pixels)}"] = sheet
    for name, picture in pictures.items():
        if pixels is None:
            picture.quantize(_COLOURS).save(folder / name, optimize=True)
        else:
            picture.save(folder / name, quality=QUALITY, optimize=True)
    return list(pictures)


def _suffix(pixels: np.ndarray | None) -> str:
    return ".png" if pixels is None else ".jpg"


def _painted(record: PhotoRecord, segcap: SegCap, pixels: np.ndarray | None, width: int) -> Image.Image:
    size = width, max(1, round(record.height * width / record.width))
    if pixels is None:
        return paint(Image.new("RGB", size, _EMPTY), segcap)
    return paint(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS), segcap)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text.replace("\n", " "))


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="gets the page and its pictures")
    parser.add_argument("--data", type=Path, required=True, help="holds the sets, each with val/images")
    parser.add_argument("--model", default="nano", help="a model's name or folder")
    parser.add_argument("--count", type=int, default=24, help="photographs of the sets")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    options = parser.parse_args()
    photographs = drawn(options.data, options.count, options.seed)
    free = of_skimage()
    if not free:
        print("scikit-image is not installed: without its photographs", flush=True)
    how = f"{len(photographs)} photographs are drawn with the seed {options.seed} from the `val` parts of the sets" + (
        f"; {len(free)} more are all the colour photographs that scikit-image ships." if free else "."
    )
    write_page(options.out, photographs + free, open_model(options.model, "float32", "cpu"), how)
    print(f"wrote {options.out / PAGE}", flush=True)


if __name__ == "__main__":
    main()
