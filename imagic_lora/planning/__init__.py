"""Which plan a job can work by, and what it will need, before anything is loaded.

Owns choosing and forecasting. Pulls no lever itself.
"""
