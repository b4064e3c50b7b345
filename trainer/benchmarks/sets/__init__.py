"""Held-out parts of published data sets, on their own layouts, as benchmarks."""
