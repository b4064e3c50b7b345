"""Commands: each parses its options, calls a room, prints."""

__version__ = "0.1.0"
