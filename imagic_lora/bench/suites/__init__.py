"""One file a benchmark: from a folder in the exact layout of its authors to items.

Knows nothing of methods, models or scores.
"""
