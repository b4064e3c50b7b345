"""The text under a photograph: a heading and a caption, word-wrapped, with coloured phrases and numbered tags.

Fonts are Pillow's own, so that a picture looks the same everywhere.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont

from engine.records import RLE, Answer, SegCap

Colour: TypeAlias = tuple[int, int, int]
Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

# Light enough to read on the dark panel; neighbours differ in lightness as well as in hue, and the numbers
# tell apart what the eye can't. After Okabe and Ito's palette for all kinds of colour vision.
PALETTE: tuple[Colour, ...] = (
    (86, 180, 233),
    (240, 160, 32),
    (38, 190, 140),
    (240, 228, 66),
    (224, 134, 190),
    (255, 107, 61),
    (112, 146, 255),
    (190, 222, 110),
    (94, 220, 220),
    (179, 157, 255),
    (232, 200, 155),
    (255, 150, 150),
)
PANEL: Colour = (22, 24, 29)
TEXT: Colour = (228, 231, 236)
MUTED: Colour = (139, 146, 158)

_MOST_LINES = 12
_MOST_HEADING_LINES = 2
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Style:
    """Fonts, and distances in pixels."""

    body: Font
    small: Font
    size: int
    line: int
    margin: int

    @classmethod
    def for_width(cls, width: int) -> Style:
        """What suits a panel that is `width` pixels wide."""
        size = min(28, max(16, round(width / 26)))
        return cls(
            body=ImageFont.load_default(size),
            small=ImageFont.load_default(round(size * 0.75)),
            size=size,
            line=round(size * 1.5),
            margin=round(size * 1.1),
        )


def colour_of(number: int) -> Colour:
    """The colour of phrase `number`, counted from 1; they repeat after the palette's length."""
    return PALETTE[(number - 1) % len(PALETTE)]


def phrase_numbers(segcap: SegCap) -> dict[int, int]:
    """The numbers of the phrases that have a pixel, from 1, by their index.

    A phrase whose masks are all those of phrases before it has the number of the first of them.
    """
    numbers: dict[int, int] = {}
    taken: dict[RLE, int] = {}
    for index, phrase in enumerate(segcap.answer.phrases):
        masks = [segcap.masks[seg].rle for seg in phrase.segs if segcap.masks[seg].area]
        if masks:
            fresh = any(mask not in taken for mask in masks)
            numbers[index] = max(taken.values(), default=0) + 1 if fresh else taken[masks[0]]
            for mask in masks:
                taken.setdefault(mask, numbers[index])
    return numbers


def draw_panel(heading: str, answer: Answer, numbers: Mapping[int, int], style: Style, width: int) -> Image.Image:
    """Draw the text of an answer.

    Args:
        heading: what the answer is about.
        answer: its caption and phrases; at most 12 lines are shown.
        numbers: the number of each phrase that has a mask to show, by the phrase's index; others stay plain.
        style: fonts and distances.
        width: of the panel in pixels.

    Returns:
        RGB, `width` pixels wide and as high as the text needs.
    """
    room = width - 2 * style.margin
    head = _wrap(_words([_Piece(heading, MUTED, style.small)]), style, room, _MOST_HEADING_LINES)
    body = _wrap(_words(_caption_pieces(answer, numbers, style)), style, room, _MOST_LINES)
    head_line = round(style.line * 0.85)
    height = 2 * style.margin + head_line * len(head) + style.line * len(body)
    panel = Image.new("RGB", (width, height), PANEL)
    pen = ImageDraw.Draw(panel)
    baseline = style.margin + round(style.size * 0.65)
    for lines, step in ((head, head_line), (body, style.line)):
        for line in lines:
            _draw_line(pen, line, style, baseline)
            baseline += step
        baseline += round(style.size * 0.25)
    return panel


def draw_tag(pen: ImageDraw.ImageDraw, number: int, style: Style, left: float, middle: float) -> None:
    """Draw a phrase's number in a small box of its colour; `middle` is the height of its centre."""
    width, height = tag_size(number, style)
    box = (round(left), round(middle - height / 2), round(left) + width - 1, round(middle - height / 2) + height - 1)
    pen.rounded_rectangle(box, radius=height // 4, fill=colour_of(number))
    centre = (round(left) + width / 2, round(middle - height / 2) + height / 2)
    pen.text(centre, str(number), fill=PANEL, font=style.small, anchor="mm")


def tag_size(number: int, style: Style) -> tuple[int, int]:
    """Width and height of a tag in pixels."""
    height = round(style.size * 0.95)
    return max(height, round(style.small.getlength(str(number)) + style.size * 0.5)), height


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text of one colour, or the tag of phrase `tag`."""

    text: str
    colour: Colour
    font: Font
    tag: int = 0

    def width(self, style: Style) -> float:
        if self.tag:
            return tag_size(self.tag, style)[0] + 2 * _tag_gap(style)
        return float(self.font.getlength(self.text))


_Word: TypeAlias = list[_Piece]


def _tag_gap(style: Style) -> int:
    return max(2, style.size // 6)


def _caption_pieces(answer: Answer, numbers: Mapping[int, int], style: Style) -> Iterator[_Piece]:
    at = 0
    for index, phrase in enumerate(answer.phrases):
        start, end = max(at, phrase.span.start), max(at, phrase.span.end)
        yield _Piece(answer.caption[at:start], TEXT, style.body)
        number = numbers.get(index, 0)
        yield _Piece(answer.caption[start:end], colour_of(number) if number else TEXT, style.body)
        if number:
            yield _Piece("", TEXT, style.body, tag=number)
        at = end
    yield _Piece(answer.caption[at:], TEXT, style.body)


def _words(pieces: Iterable[_Piece]) -> list[_Word]:
    """Cut at spaces only, so that a tag stays with its phrase and a comma with its tag."""
    words: list[_Word] = [[]]
    for piece in pieces:
        if piece.tag:
            words[-1].append(piece)
            continue
        # A lone surrogate, as in a name that is no UTF-8, has no glyph.
        text = piece.text.encode("utf-8", "replace").decode("utf-8")
        for index, part in enumerate(re.split(r"\s+", text)):
            if index:
                words.append([])
            if part:
                words[-1].append(_Piece(part, piece.colour, piece.font))
    return [word for word in words if word]


def _wrap(words: list[_Word], style: Style, room: int, most: int) -> list[list[_Word]]:
    lines: list[list[_Word]] = []
    used = 0.0
    for word in itertools.chain.from_iterable(_cut(whole, style, room) for whole in words):
        width = sum(piece.width(style) for piece in word)
        space = word[0].font.getlength(" ")
        if lines and used + space + width <= room:
            lines[-1].append(word)
            used += space + width
        elif len(lines) < most:
            lines.append([word])
            used = width
        else:
            lines[-1].append([_Piece(_ELLIPSIS, MUTED, word[0].font)])
            break
    return lines


def _cut(word: _Word, style: Style, room: int) -> Iterator[_Word]:
    """Cut a word that is wider than a line, as in a language without spaces, where it is full."""
    if sum(piece.width(style) for piece in word) <= room:
        yield word
        return
    line: _Word = []
    used = 0.0
    for piece in word:
        parts = [piece] if piece.tag else [_Piece(letter, piece.colour, piece.font) for letter in piece.text]
        for part in parts:
            width = part.width(style)
            if line and used + width > room:
                yield line
                line, used = [], 0.0
            line.append(part)
            used += width
    yield line


def _draw_line(pen: ImageDraw.ImageDraw, line: list[_Word], style: Style, baseline: int) -> None:
    left = float(style.margin)
    for word in line:
        for piece in word:
            if piece.tag:
                draw_tag(pen, piece.tag, style, left + _tag_gap(style), baseline - style.size * 0.32)
            else:
                pen.text((left, baseline), piece.text, fill=piece.colour, font=piece.font, anchor="ls")
            left += piece.width(style)
        left += word[0].font.getlength(" ")
