"""Campaigns of hostile inputs, kills, threads and shortages against the library; figures for the docs."""
