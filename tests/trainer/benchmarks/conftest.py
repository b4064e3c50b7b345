"""The reference numbers, as the tests of the metrics find them."""

from tests.trainer.metrics.conftest import caption_metrics, load_json, metrics_root, rle, text_model_folder

__all__ = ["caption_metrics", "load_json", "metrics_root", "rle", "text_model_folder"]
