"""JSON to and from bytes, by the standard library."""

from __future__ import annotations

import json
import math
from typing import Any

loads = json.loads


def dumps(value: object) -> bytes:
    """Compact JSON in UTF-8; numbers that are not finite become `null`.

    Raises:
        TypeError: for what JSON can't hold, and for text that is not UTF-8.
    """
    try:
        return json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise TypeError(str(error)) from error


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
