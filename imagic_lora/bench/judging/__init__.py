"""A judge of edited pictures: a model here or behind an address, what it is asked, and its answers.

Knows nothing of suites, methods or tables.
"""
