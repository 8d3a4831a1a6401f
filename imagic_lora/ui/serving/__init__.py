"""The page's server and who may reach it.

Knows nothing of what the page shows.
"""
