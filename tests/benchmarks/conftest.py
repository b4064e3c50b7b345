"""The tiny model for what is measured."""

from __future__ import annotations

from tests.engine.conftest import tiny_folder

__all__ = ["tiny_folder"]
