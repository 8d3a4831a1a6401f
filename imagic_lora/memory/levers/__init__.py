"""The ways to need less memory, one file a lever.

Knows nothing of plans: what to pull, and when, is decided above.
"""
