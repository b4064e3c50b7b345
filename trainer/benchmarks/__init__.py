"""Scores of a model on annotated photographs: run the engine, compare with composed ground truth."""
