"""What people marked wrong is no label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exporters.labels.select import Place
from exporters.report.verdicts import Place as Marked
from exporters.report.verdicts import Verdict


class Reviewed:
    """Verdicts, as the labels of a run are read.

    A verdict goes by its photograph and the mask's place in it; one whose phrase is another by now, as the photograph
    was answered anew, counts for nothing.

    Args:
        verdicts: see `read_verdicts`.
    """

    def __init__(self, verdicts: Mapping[Marked, Verdict]) -> None:
        self._of: dict[str, dict[Place | None, Verdict]] = {}
        for (name, segcap, seg), verdict in verdicts.items():
            place = None if segcap is None or seg is None else (segcap, seg)
            self._of.setdefault(name, {})[place] = verdict

    def wrong(self, photograph: Mapping[str, Any]) -> frozenset[Place] | None:
        """The masks of a photograph that are wrong; None if the whole photograph is.

        Args:
            photograph: its public form.
        """
        said = self._of.get(photograph["file_name"], {})
        if None in said and said[None].right is False:
            return None
        current = _phrases(photograph)
        return frozenset(
            place
            for place, verdict in said.items()
            if place is not None and verdict.right is False and current.get(place) == (verdict.phrase or "")
        )

    def unmet(self, photograph: Mapping[str, Any]) -> int:
        """How many verdicts about a photograph's masks count for nothing."""
        current = _phrases(photograph)
        said = self._of.get(photograph["file_name"], {})
        return sum(place is not None and current.get(place) != (said[place].phrase or "") for place in said)

    @property
    def file_names(self) -> frozenset[str]:
        """Of the photographs that somebody marked."""
        return frozenset(self._of)


def _phrases(photograph: Mapping[str, Any]) -> dict[Place, str]:
    return {
        (answer, seg): phrase["text"]
        for answer, segcap in enumerate(photograph["segcaps"])
        for phrase in segcap["phrases"]
        for seg in phrase["segs"]
    }
