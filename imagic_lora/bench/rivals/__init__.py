"""What an edit is held against, one file a kind: ways to edit that fit nothing.

Knows nothing of suites, scores or tables.
"""
