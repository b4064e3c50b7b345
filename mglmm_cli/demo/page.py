"""What is seen in the demo: Gradio's components around `asking`.

Whatever a model or a person says is put into components that show text as text.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

# It tells its makers of every start, unless it is told not to.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr
import numpy as np

from engine.errors import MglmmError
from exporters.panel import PALETTE, colour_of
from mglmm_cli.demo.asking import Kind, Look, Models, Step, into, numbered, options_of, picture, pieces

UPLOAD = "100mb"
"""The largest file that is taken; Gradio counts by 1024."""
WORDS = 2000
"""Longest instruction, in characters."""
_KEPT = 3600
"""Seconds that a photograph is kept after it was uploaded."""
_WAITING = 16
"""People who may wait for an answer."""
_COLOURS = {str(number): "#{:02x}{:02x}{:02x}".format(*colour_of(number)) for number in range(1, 10 * len(PALETTE))}
# Those of the system: Gradio's own are fetched from elsewhere.
THEME = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])

_Shown = tuple[Look | None, Any, Any, str, str]


def build(models: Models) -> gr.Blocks:
    """The page."""
    with gr.Blocks(title="mglmm demo", analytics_enabled=False, delete_cache=(_KEPT, _KEPT)) as page:
        look = gr.State(None, time_to_live=_KEPT)
        gr.Markdown("# mglmm\nDrop a photograph; click a phrase to go into what it names.")
        with gr.Row():
            with gr.Column(scale=1, min_width=260):
                file = gr.File(label="Photograph", elem_id="file", height=120)
                model = gr.Dropdown(list(models.names), value=models.names[0], label="Model", elem_id="model")
                kind = gr.Radio(
                    [one.value for one in Kind], value=Kind.SCENE.value, label="What to ask", elem_id="kind"
                )
                text = gr.Textbox(label="Object or instruction", max_length=WORDS, elem_id="text", visible=False)
                ask = gr.Button("Ask", variant="primary", elem_id="ask")
                said = gr.Textbox(label="Messages", interactive=False, elem_id="said", lines=2)
            with gr.Column(scale=3, min_width=320):
                trail = gr.Textbox(label="About", interactive=False, elem_id="trail")
                caption = gr.HighlightedText(label="Answer", elem_id="caption", color_map=_COLOURS, interactive=False)
                image = gr.AnnotatedImage(label="Masks", elem_id="image", height=560)
                back = gr.Button("Back", elem_id="back")
        shown = [look, image, caption, trail, said]

        def put(path: str | None, name: str, asked: str, words: str | None) -> _Shown:
            if not path:
                raise MglmmError("drop a photograph first")
            words = words or ""  # None while the field is hidden
            options = options_of(asked, words)
            title = asked if asked == Kind.SCENE else words.strip()
            return _show(Look(path, (Step(title, models.ask(name, path, options)),)))

        def enter(before: Look | None, name: str, event: gr.SelectData) -> _Shown:
            number = _number(event)
            options = into(before, number) if before and number else None
            if not before or options is None or number is None:
                return _unchanged("")
            segcap = models.ask(name, before.path, options)
            title = dict(numbered(before.steps[-1].segcap))[number]
            return _show(Look(before.path, (*before.steps, Step(title, segcap))))

        def leave(before: Look | None) -> _Shown:
            return _show(before.back()) if before else _unchanged("")

        kind.change(lambda asked: gr.update(visible=asked != Kind.SCENE), kind, text, api_visibility="private")
        queued: dict[str, Any] = {"outputs": shown, "concurrency_limit": 1, "api_visibility": "private"}
        file.upload(_said(put), [file, model, kind, text], **queued)
        ask.click(_said(put), [file, model, kind, text], **queued)
        text.submit(_said(put), [file, model, kind, text], **queued)
        caption.select(_said_of_event(enter), [look, model], **queued)
        image.select(_said_of_event(enter), [look, model], **queued)
        back.click(_said(leave), [look], **queued)
    page.queue(max_size=_WAITING)
    return page


def _show(look: Look) -> _Shown:
    seen, masks = picture(look)
    segcap = look.steps[-1].segcap
    colours = {label: _COLOURS.get(label.partition(" ")[0], "#888888") for _, label in masks}
    cut = "The answer was cut at the length limit." if segcap.truncated else ""
    marked: list[tuple[np.ndarray | tuple[int, int, int, int], str]] = list(masks)
    return look, gr.AnnotatedImage((seen, marked), color_map=colours), pieces(segcap), look.trail, cut


def _unchanged(message: str) -> _Shown:
    return gr.skip(), gr.skip(), gr.skip(), gr.skip(), message


def _number(event: gr.SelectData) -> int | None:
    """The number of the phrase that was clicked: in the caption it stands beside its text, in the picture before it."""
    value = event.value
    label = value[1] if isinstance(value, list | tuple) and len(value) == 2 else value
    head = str(label).partition(" ")[0]
    return int(head) if head.isdecimal() else None


def _said(work: Callable[..., _Shown]) -> Callable[..., _Shown]:
    """The same, with a failure as a line on the page."""

    def said(*given: Any) -> _Shown:
        try:
            return work(*given)
        except MglmmError as error:
            return _unchanged(str(error))

    return said


def _said_of_event(work: Callable[[Look | None, str, gr.SelectData], _Shown]) -> Callable[..., _Shown]:
    """As `_said`, for what is told by the type of its last argument where somebody clicked."""

    def said(before: Look | None, name: str, event: gr.SelectData) -> _Shown:
        return _said(work)(before, name, event)

    # Gradio looks at the type itself.
    said.__annotations__ = {"event": gr.SelectData}
    return said
