"""By which rules a score is made."""

from __future__ import annotations

from typing import Literal

Rules = Literal["official", "corrected"]
"""`official` gives the numbers of the published scripts, their faults included; `corrected` gives them without."""
