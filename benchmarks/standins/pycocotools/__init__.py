"""Run-length masks."""
