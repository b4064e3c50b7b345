"""The reference numbers, as the tests of the metrics find them."""

from tests.trainer.metrics.conftest import (
    caption_metrics,
    kept_meteor,
    load_json,
    metrics_root,
    one_meteor,
    rle,
    text_model_folder,
)

__all__ = [
    "caption_metrics",
    "kept_meteor",
    "load_json",
    "metrics_root",
    "one_meteor",
    "rle",
    "text_model_folder",
]
