"""Text that XML can hold."""

from __future__ import annotations

import re

_NOT_ALLOWED = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def allowed(text: str) -> str:
    """A text with U+FFFD for what XML 1.0 (section 2.2) can't hold, such as control characters."""
    return _NOT_ALLOWED.sub("\ufffd", text)
