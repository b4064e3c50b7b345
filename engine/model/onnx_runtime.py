"""ONNX Runtime, without its telemetry. Nothing else in the project imports it.

By default an import makes a device id and a database of events under the home folder, and the events are sent to
Microsoft. Its own switch for that, `disable_telemetry_events`, comes too late: the id is there by then.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime
import torch

__all__ = ["conflict", "onnxruntime", "session_options"]

_SAME_FILES = ("onnxruntime", "onnxruntime-gpu")
"""Distributions that write the same module: the one that came last has written over the other."""


def session_options() -> onnxruntime.SessionOptions:
    """Those of every session that the engine runs: as many threads as torch has, and no remarks."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # It prints remarks about its own providers, and each error that it raises as well.
    options.log_severity_level = 4
    return options


def conflict() -> str | None:
    """One line if ONNX Runtime is installed twice, which may cost it CUDA, or None."""
    found = []
    for name in _SAME_FILES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    if len(found) < 2:
        return None
    return (
        f"{' and '.join(found)} are both installed and overwrite each other, so CUDA may be missing: "
        f"pip uninstall {' '.join(_SAME_FILES)}, then pip install onnxruntime-gpu"
    )
