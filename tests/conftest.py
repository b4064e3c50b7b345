"""What all tests share."""

from __future__ import annotations

import os

# Weights and tokenizers come with packages; a test that would fetch one must fail at once.
os.environ["HF_HUB_OFFLINE"] = "1"
