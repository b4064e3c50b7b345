"""Options that say which masks become labels, and in which form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mglmm_cli.kinds import Number, count

if TYPE_CHECKING:
    from exporters.labels.dataset import Choice

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
    given = {name: value for name in names if (value := options.pop(name, None)) is not None}
    shapes = {name: given.pop(name) for name in ("masks", "simplify") if name in given}
    shapes.setdefault("masks", masks)
    if shapes.get("simplify") and shapes["masks"] != "polygon":
        raise click.UsageError("--simplify makes polygons simpler: it needs --masks polygon")
    if given.get("nms") == "off":
        given["nms"] = None
    return Choice(Filters(**given), **shapes)
