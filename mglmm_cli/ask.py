"""`mglmm ask`: one question about one photograph."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.errors import PhotographError
from engine.prompts import Box, Task, instruction
from mglmm_cli.codes import Exit
from mglmm_cli.options import MODEL, answering, check_sampling, given
from mglmm_cli.text import clean

if TYPE_CHECKING:
    import numpy as np

    from engine.records import SegCap

_OVERLAY_SUFFIXES = (".jpg", ".jpeg", ".png")
_LONGEST_SLUG = 40


class _PixelBox(click.ParamType):
    """`x,y,w,h` in pixels."""

    name = "x,y,w,h"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float, float, float]:
        try:
            x, y, width, height = (float(number) for number in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not four numbers x,y,w,h", param, ctx)
        return x, y, width, height


@click.command()
@click.argument("image", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("question", required=False)
@click.option("--box", type=_PixelBox(), help="Ask about this region of the upright image, in pixels.")
@click.option("--mask-dir", type=click.Path(file_okay=False, path_type=Path), help="Write a PNG per mask here.")
@click.option(
    "--overlay", type=click.Path(dir_okay=False, path_type=Path), help="Write a picture of the answer (.jpg, .png)."
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer as JSON.")
@MODEL
@answering
def ask(
    image: Path,
    question: str | None,
    box: tuple[float, float, float, float] | None,
    mask_dir: Path | None,
    overlay: Path | None,
    as_json: bool,
    model: str,
    **how: Any,
) -> Exit:
    """Put QUESTION about IMAGE and print the answer, its grounded phrases in colour.

    Without QUESTION, --box asks for a description of that region.
    """
    if question is None and box is None:
        raise click.UsageError("missing argument 'QUESTION' (it may be left out only with --box)")
    if question is not None and not question.strip():
        raise click.UsageError("QUESTION is empty")
    if overlay and overlay.suffix.lower() not in _OVERLAY_SUFFIXES:
        raise click.UsageError(f"--overlay takes a name that ends in {', '.join(_OVERLAY_SUFFIXES)}")
    check_sampling(how["temperature"], how["seed"])

    from engine.images.decode import decode

    try:
        pixels = decode(image)
    except PhotographError as error:
        click.echo(f"mglmm: {clean(str(image))}: {error}", err=True)
        return Exit.PHOTOGRAPHS_FAILED
    if box is not None:
        question = _about(question, box, pixels)
    assert question is not None

    from engine.model.checkpoint import load
    from engine.pipeline import Options, Pipeline

    segcap = Pipeline(load(model), Options(**given(how))).ask(image, question)
    if mask_dir:
        _write_masks(mask_dir, segcap)
    _write_answer(image, pixels, segcap, overlay=overlay, as_json=as_json)
    return Exit.DONE


def _about(question: str | None, box: tuple[float, float, float, float], pixels: np.ndarray) -> str:
    """Word a question about a region of the image, `(H, W, 3)`."""
    x, y, box_width, box_height = box
    height, width = pixels.shape[:2]
    try:
        region = Box(x / width, y / height, (x + box_width) / width, (y + box_height) / height)
    except ValueError:
        sides = ",".join(f"{side:g}" for side in box)
        raise click.UsageError(f"--box {sides} is no box inside the image of {width} x {height} pixels") from None
    return f"{question} {region}" if question else instruction(Task.REGION, box=region)


def _write_masks(folder: Path, segcap: SegCap) -> None:
    """Write each mask as a 1-bit PNG named by its number and phrase, like `0-red-bag.png`."""
    from PIL import Image

    from engine.masks.rle import decode

    folder.mkdir(parents=True, exist_ok=True)
    for phrase in segcap.answer.phrases:
        slug = re.sub(r"[^a-z0-9]+", "-", phrase.text.lower())[:_LONGEST_SLUG].strip("-") or "mask"
        for seg in phrase.segs:
            Image.fromarray(decode(segcap.masks[seg].rle)).save(folder / f"{seg}-{slug}.png")


def _write_answer(image: Path, pixels: np.ndarray, segcap: SegCap, *, overlay: Path | None, as_json: bool) -> None:
    from engine.journal import to_json
    from engine.records import PhotoRecord
    from mglmm_cli.console import print_answer

    height, width = pixels.shape[:2]
    record = PhotoRecord(image.name, width, height, (segcap,))
    if overlay:
        from exporters.overlay import write_overlay

        write_overlay(overlay, pixels, record)
    if as_json:
        click.echo(json.dumps(to_json(record)))
    else:
        print_answer(segcap)
    if segcap.truncated:
        click.echo("mglmm: the answer was cut at the length limit; see --max-new-tokens", err=True)
