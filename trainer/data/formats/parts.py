"""Classes that are parts of others, named `mug:handle`: how the sets of parts are spoken of."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.data.compose.nouns import definite


@dataclass(frozen=True, slots=True)
class PartName:
    """A class of a set of parts; `part` is empty for a whole object."""

    whole: str
    part: str

    @property
    def definite(self) -> str:
        """`the handle of the mug`, `the mug`."""
        return f"the {self.part} of {definite(self.whole)}" if self.part else definite(self.whole)

    @property
    def compound(self) -> str:
        """`mug handle`, `mug`."""
        return f"{self.whole} {self.part}".strip()


def part_name(category: str) -> PartName:
    """Read `car_(automobile):wheel`: what stands in brackets only tells homonyms apart."""
    whole, _, part = (_spoken(piece) for piece in category.strip().partition(":"))
    return PartName(whole, part)


def _spoken(piece: str) -> str:
    return piece.split("_(")[0].replace("_", " ").strip()
