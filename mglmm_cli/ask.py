"""`mglmm ask`: questions about one photograph."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.errors import PhotographError
from engine.text.prompts import Box
from mglmm_cli.codes import Exit
from mglmm_cli.kinds import TEXT, FilePath, PixelBox
from mglmm_cli.options import answering, check_sampling, given, model_options, open_model
from mglmm_cli.text import clean

if TYPE_CHECKING:
    import numpy as np

    from engine.records import SegCap

_OVERLAY_SUFFIXES = (".jpg", ".jpeg", ".png")
_LONGEST_SLUG = 40


@click.command()
@click.argument("image", type=FilePath(exists=True, dir_okay=False))
@click.argument("questions", nargs=-1, metavar="QUESTION...", type=TEXT)
@click.option("--box", type=PixelBox(), help="Ask about this region of the upright image, in pixels.")
@click.option("--mask-dir", type=FilePath(file_okay=False), help="Write a PNG per mask here.")
@click.option("--overlay", type=FilePath(dir_okay=False), help="Write a picture of the answer (.jpg, .png).")
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer as JSON.")
@model_options
@answering
def ask(
    image: Path,
    questions: tuple[str, ...],
    box: tuple[float, float, float, float] | None,
    mask_dir: Path | None,
    overlay: Path | None,
    as_json: bool,
    model: str,
    precision: str,
    device: str,
    **how: Any,
) -> Exit:
    """Put QUESTION about IMAGE and print the answer, its grounded phrases in colour.

    Several QUESTIONs are a conversation: each is put with the questions and answers before it. Without QUESTION, --box
    asks for a description of that region; with it, the first QUESTION is about the region.
    """
    if not questions and box is None:
        raise click.UsageError("missing argument 'QUESTION' (it may be left out only with --box)")
    if not all(question.strip() for question in questions):
        raise click.UsageError("QUESTION is empty")
    if overlay and overlay.suffix.lower() not in _OVERLAY_SUFFIXES:
        raise click.UsageError(f"--overlay takes a name that ends in {', '.join(_OVERLAY_SUFFIXES)}")
    check_sampling(how["temperature"], how["seed"])

    from engine.images.decode import MAX_PIXELS, decode

    try:
        pixels = decode(image, max_pixels=how["max_pixels"] or MAX_PIXELS)
    except PhotographError as error:
        click.echo(f"mglmm: {clean(str(image))}: {error}", err=True)
        return Exit.PHOTOGRAPHS_FAILED
    region = _region(box, pixels) if box is not None else None

    from engine.pipeline.pipeline import Options, Pipeline

    segcaps = Pipeline(open_model(model, precision, device), Options(**given(how))).ask(pixels, questions, region)
    if mask_dir:
        _write_masks(mask_dir, segcaps)
    _write_answers(image, pixels, segcaps, overlay=overlay, as_json=as_json)
    return Exit.DONE


def _region(box: tuple[float, float, float, float], pixels: np.ndarray) -> Box:
    """A region of the image, `(H, W, 3)`."""
    height, width = pixels.shape[:2]
    try:
        return Box.of_pixels(box, height, width)
    except ValueError:
        sides = ",".join(f"{side:g}" for side in box)
        raise click.UsageError(f"--box {sides} is no box inside the image of {width} x {height} pixels") from None


def _write_masks(folder: Path, segcaps: Sequence[SegCap]) -> None:
    """Write each mask as a 1-bit PNG named by number and phrase: `0-red-bag.png`, in the next turn `1-0-bag.png`."""
    from PIL import Image

    from engine.masks.rle import decode

    folder.mkdir(parents=True, exist_ok=True)
    for turn, segcap in enumerate(segcaps):
        for phrase in segcap.answer.phrases:
            slug = re.sub(r"[^a-z0-9]+", "-", phrase.text.lower())[:_LONGEST_SLUG].strip("-") or "mask"
            for seg in phrase.segs:
                name = f"{turn}-{seg}-{slug}.png" if turn else f"{seg}-{slug}.png"
                Image.fromarray(decode(segcap.masks[seg].rle)).save(folder / name)


def _write_answers(
    image: Path, pixels: np.ndarray, segcaps: tuple[SegCap, ...], *, overlay: Path | None, as_json: bool
) -> None:
    from engine.journal import to_json
    from engine.records import PhotoRecord
    from engine.text.names import to_text
    from mglmm_cli.console import print_answer

    height, width = pixels.shape[:2]
    record = PhotoRecord(to_text(image.name), width, height, segcaps)
    if overlay:
        from exporters.overlay import write_overlay

        write_overlay(overlay, pixels, record)
    if as_json:
        click.echo(json.dumps(to_json(record, str(image))))
    for segcap in segcaps:
        if not as_json:
            print_answer(segcap)
        if segcap.truncated:
            click.echo("mglmm: the answer was cut at the length limit; see --max-new-tokens", err=True)
