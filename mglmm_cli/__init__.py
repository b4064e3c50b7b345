"""Commands: each parses its options, calls a room, prints."""
