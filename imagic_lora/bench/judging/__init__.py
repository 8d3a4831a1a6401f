"""A judge of edited pictures: a model behind an OpenAI-style URL, what it is asked, and its answers.

Knows nothing of suites, methods or tables.
"""
