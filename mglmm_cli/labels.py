"""Options that say which masks become labels, and in which form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mglmm_cli.kinds import FilePath, Number, count
from mglmm_cli.text import clean

if TYPE_CHECKING:
    from exporters.labels.dataset import Choice, Dataset
    from exporters.labels.naming import Wanted

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Overlap(Number):
    """An IoU, or `off`."""

    name = "IOU|off"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == "off" else super().convert(value, param, ctx)


_MANY = 2**31 - 1
_FILTERS = (
    click.option("--min-area", type=count(0, _MANY), metavar="PX", help="Leave out masks of fewer pixels."),
    click.option("--min-score", type=Number(0, 1), help="Leave out masks of a lower score."),
    click.option("--min-part", type=count(0, _MANY), metavar="PX", help="Take parts of fewer pixels from a mask."),
    click.option(
        "--nms",
        type=_Overlap(0.01, 1),
        metavar="IOU|off",
        help="Masks of a photograph that overlap so much are one thing: the likeliest stays, with all phrases. "
        "[default: 0.7]",
    ),
    click.option(
        "--groups",
        type=click.Choice(["keep", "crowd", "split", "drop"]),
        help="What becomes of one mask over several things. [default: keep]",
    ),
    click.option(
        "--categories",
        type=FilePath(exists=True, dir_okay=False),
        metavar="FILE",
        help="The categories that there are, with their ids: a COCO JSON, a data.yaml, a CSV of phrase,category, or "
        "text with a name a line. Without it each phrase names its own.",
    ),
    click.option(
        "--unmapped",
        type=click.Choice(["drop", "keep", "fail"]),
        help="What becomes of a mask whose phrase means none of these. [default: drop]",
    ),
    click.option(
        "--text-model",
        type=FilePath(exists=True, file_okay=False),
        metavar="FOLDER",
        help="A text encoder (BERT, MiniLM): a phrase that no rule maps means the nearest of the categories.",
    ),
)
_SIMPLIFY = click.option(
    "--simplify", type=Number(0, 1000), metavar="PX", help="Polygons of fewer points, off by so much at most."
)


def label_options(function: _Function) -> _Function:
    """Add the options that say which masks are labels, and how COCO JSON holds them."""
    return shaped_label_options(("rle", "polygon", "rle-uncompressed"), "segcap.json")(function)


def shaped_label_options(masks: Sequence[str], holder: str) -> Callable[[_Function], _Function]:
    """The options that say which masks are labels, and how something holds them.

    Args:
        masks: the forms to choose among, the default first; a single one is no choice.
        holder: what holds them.
    """
    shapes = []
    if len(masks) > 1:
        about = f"How {holder} holds masks. [default: {masks[0]}]"
        shapes.append(click.option("--masks", type=click.Choice(list(masks)), help=about))
    if "polygon" in masks:
        shapes.append(_SIMPLIFY)

    def add(function: _Function) -> _Function:
        for option in reversed((*_FILTERS, *shapes)):
            function = option(function)
        return function

    return add


def take_choice(options: dict[str, Any], masks: str = "rle") -> Choice:
    """What these options say; they are taken out of `options`.

    Args:
        options: of the command line.
        masks: the form of masks where they don't say it.
    """
    from exporters.labels.dataset import Choice
    from exporters.labels.filters import Filters

    names = ("min_area", "min_score", "min_part", "nms", "groups", "masks", "simplify")
    wanted = _take_wanted(options)
    given = {name: value for name in names if (value := options.pop(name, None)) is not None}
    shapes = {name: given.pop(name) for name in ("masks", "simplify") if name in given}
    shapes.setdefault("masks", masks)
    if shapes.get("simplify") and shapes["masks"] != "polygon":
        raise click.UsageError("--simplify makes polygons simpler: it needs --masks polygon")
    if given.get("nms") == "off":
        given["nms"] = None
    return Choice(Filters(**given), **shapes, wanted=wanted)


def say_unmapped(dataset: Dataset) -> None:
    """Say on stderr which masks the wanted categories leave out."""
    if said := dataset.said_unmapped:
        left = {"drop": "left out (--unmapped keep keeps them)", "keep": "they keep categories of their own"}
        click.echo(f"mglmm: {clean(said)}: {left[dataset.choice.wanted.unmapped]}", err=True)


def _take_wanted(options: dict[str, Any]) -> Wanted:
    from exporters.labels.naming import Wanted

    path, unmapped, text_model = (options.pop(name, None) for name in ("categories", "unmapped", "text_model"))
    if path is None:
        for name, value in (("--unmapped", unmapped), ("--text-model", text_model)):
            if value is not None:
                raise click.UsageError(f"{name} says what becomes of phrases beside a list: it needs --categories FILE")
        return Wanted()
    from exporters.labels.vocabulary_file import read_vocabulary

    vocabulary = read_vocabulary(path)
    if text_model is not None:
        from trainer.metrics.similarity import TextModel

        vocabulary = replace(vocabulary, encoder=TextModel(text_model))
    return Wanted(vocabulary, unmapped or "drop")
