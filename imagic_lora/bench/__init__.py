"""The field's benchmarks: published sets of photos and prompts, edited, scored and reported.

Owns how the sets are read (suites), what pictures are worth (metrics, judging), what ours are held
against (rivals), and the report. Knows nothing of how a picture is edited: that is a run's.
"""
