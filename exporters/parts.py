"""All parts of a model that ONNX Runtime runs."""

from __future__ import annotations

from pathlib import Path

from exporters.onnx import export
from exporters.onnx_encoder import export_encoder


def export_parts(folder: Path) -> list[Path]:
    """Export them into the model's folder, whose manifest then lists them.

    Returns:
        the files.

    Raises:
        MglmmError: if a file can't be written.
        UsageError: if the folder holds no model.
    """
    encoder = export_encoder(folder)
    return [export(folder), *([encoder] if encoder else [])]
