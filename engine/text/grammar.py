r"""USCDF, the one answer language: plain text in which a grounded phrase is `<p> phrase </p> [SEG]`.

`parse` is total: any string that a model can emit gives an `Answer`, and every `[SEG]` gets a phrase
(maybe empty) and a span. `compose` writes the language; on well-formed parts, `parse(compose(parts))`
gives the parts back.

    answer  = { text | phrase | "[SEG]" }
    phrase  = "<p>" text "</p>" { "[SEG]" }

Recovery, in the order in which it is tried:
* `[SEG]` after a phrase belongs to it, also when only spaces, commas or "and" stand between;
* a second `<p>` before `</p>` closes the first; `</p>` without `<p>` is dropped;
* a `[SEG]` inside an open phrase belongs to that phrase;
* a `[SEG]` with no phrase behind it gets an empty phrase at its place.

Source: MGLMM (arXiv 2409.13407), section 3.2; the tags are those of GLaMM (arXiv 2311.03356).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from engine.records import Answer, GroundedPhrase, Span

PHRASE_OPEN = "<p>"
PHRASE_CLOSE = "</p>"
SEG = "[SEG]"

_TOKEN = re.compile(r"<p>|</p>|\[SEG\]")
# Between two [SEG] of one phrase a model may write what a person would write between two nouns.
_JOINER = re.compile(r"(?:\s|,|;|&|\band\b)*\Z")
_SPACE = re.compile(r"\s+")
_NO_SPACE_BEFORE = re.compile(r"[,.;:!?)\]}'’%]")


@dataclass(frozen=True, slots=True)
class Grounded:
    """A phrase to write, with `targets` masks behind it (0 for an empty target)."""

    phrase: str
    targets: int = 1


def compose(parts: Iterable[str | Grounded]) -> str:
    """Write an answer in USCDF.

    Args:
        parts: pieces of plain text and grounded phrases, in order. Pieces are joined by one space, save
            before closing punctuation.

    Raises:
        ValueError: if a text or phrase holds one of the three tags (or two together would), or a phrase is
            blank, or its number of targets is negative.
    """
    text = ""
    tags = 0
    for part in parts:
        plain = part if isinstance(part, str) else part.phrase
        if _TOKEN.search(plain):
            raise ValueError(f"{plain!r} holds a USCDF tag")
        if isinstance(part, Grounded):
            if part.targets < 0 or not plain.strip():
                raise ValueError(f"a grounded phrase needs text and targets >= 0: {part!r}")
            piece = f"{PHRASE_OPEN} {_squeeze(plain)} {PHRASE_CLOSE}" + f" {SEG}" * part.targets
            tags += 2 + part.targets
        else:
            piece = _squeeze(plain)
        if not piece:
            continue
        glue = "" if not text or _NO_SPACE_BEFORE.match(piece) and isinstance(part, str) else " "
        text += glue + piece
    if len(_TOKEN.findall(text)) != tags:
        raise ValueError(f"the parts make up a USCDF tag between them: {text!r}")
    return text


def parse(raw: str, probabilities: Sequence[Sequence[float]] = ()) -> Answer:
    """Parse any string as USCDF; never raises. See the module's text for the rules of recovery.

    Args:
        raw: the text.
        probabilities: of the tokens of the words before, between and behind its tags, a list for each such place. If
            their number is another one, they are of another text and are passed over.
    """
    reader = _Reader()
    position = 0
    tokens = list(_TOKEN.finditer(raw))
    known = probabilities if len(probabilities) == len(tokens) + 1 else [()] * (len(tokens) + 1)
    for token, words in zip(tokens, known, strict=False):
        reader.text(raw[position : token.start()], words)
        reader.token(token.group())
        position = token.end()
    reader.text(raw[position:], known[-1])
    return reader.finish(raw)


def named(answer: Answer, name: str) -> Answer:
    """An answer whose masks without words of their own are called by the name of what was asked for, if it has one."""
    if not name:
        return answer
    phrases = tuple(phrase if phrase.text else replace(phrase, text=name) for phrase in answer.phrases)
    return replace(answer, phrases=phrases)


def _squeeze(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


@dataclass
class _Open:
    start: int
    segs: list[int] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)

    def name_score(self) -> float | None:
        # More digits would say how sums were rounded.
        return round(math.prod(self.probabilities), 4) if self.probabilities else None


class _Reader:
    """Builds the clean caption and the phrases from left to right; one method per kind of token."""

    def __init__(self) -> None:
        self._caption = ""
        self._phrases: list[tuple[int, int, list[int], float | None]] = []  # start, end, segs, name score
        self._open: _Open | None = None
        self._attached = False  # the last thing read is the last phrase, its [SEG]s and joiners
        self._pending = ""  # joiners read since the last [SEG], not yet known to be text
        self._segs = 0

    def text(self, piece: str, probabilities: Sequence[float] = ()) -> None:
        if not piece:
            return
        if self._open is not None:
            self._open.probabilities += probabilities
        if self._attached and self._open is None:
            self._pending += piece
            if _JOINER.match(self._pending):
                return
            self._attached = False
            piece, self._pending = self._pending, ""
        self._append(piece)

    def token(self, token: str) -> None:
        if token == SEG:
            self._seg()
            return
        self._flush()
        if token == PHRASE_OPEN:
            self._close()
            # The space in front of a phrase is not part of it.
            if self._caption and not self._caption.endswith((" ", "(", "[", "{", '"', "“")):
                self._caption += " "
            self._open = _Open(len(self._caption))
        else:
            self._close()

    def finish(self, raw: str) -> Answer:
        self._flush()
        self._close()
        caption = self._caption.rstrip()
        phrases = []
        for start, end, segs, score in self._phrases:
            start, end = min(start, len(caption)), min(end, len(caption))
            phrases.append(GroundedPhrase(caption[start:end], Span(start, end), tuple(segs), score))
        return Answer(raw, caption, tuple(phrases), self._segs)

    def _seg(self) -> None:
        index, self._segs = self._segs, self._segs + 1
        if self._open is not None:
            self._open.segs.append(index)
        elif self._attached:
            self._pending = ""
            self._phrases[-1][2].append(index)
        else:
            at = len(self._caption.rstrip())
            self._phrases.append((at, at, [index], None))
            self._attached = True

    def _close(self) -> None:
        if self._open is None:
            return
        self._caption = self._caption.rstrip() if self._caption[self._open.start :].strip() else self._caption
        end = max(len(self._caption), self._open.start)
        if self._open.segs or end > self._open.start:
            score = self._open.name_score() if end > self._open.start else None
            self._phrases.append((self._open.start, end, self._open.segs, score))
            self._attached = True
        self._open = None

    def _flush(self) -> None:
        """What was held back as a possible joiner is text after all."""
        pending, self._pending = self._pending, ""
        self._attached = False
        self._append(pending)

    def _append(self, piece: str) -> None:
        piece = _SPACE.sub(" ", piece)
        at_phrase_start = self._open is not None and len(self._caption) == self._open.start
        if not self._caption or self._caption.endswith(" ") or at_phrase_start:
            piece = piece.lstrip()
            if self._open is None and _NO_SPACE_BEFORE.match(piece):
                self._caption = self._caption.rstrip()
        elif (
            piece[:1].isalnum() and self._phrases and self._open is None and self._phrases[-1][1] == len(self._caption)
        ):
            piece = " " + piece  # a word right behind a phrase is a word of its own
        elif piece.startswith(" ") and _NO_SPACE_BEFORE.match(piece.lstrip()[:1] or " "):
            piece = piece.lstrip()
        self._caption += piece
