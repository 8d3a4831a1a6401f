"""One file a kind of metric: each scores an edited picture beside the item that it was made of.

Knows nothing of methods, files or tables.
"""
