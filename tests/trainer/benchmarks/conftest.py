"""The reference numbers, as the tests of the metrics find them."""

from tests.trainer.metrics.conftest import load_json, metrics_root

__all__ = ["load_json", "metrics_root"]
