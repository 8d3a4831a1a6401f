"""The edits benchmark: every method edits the same portraits, and is scored against the truth."""
