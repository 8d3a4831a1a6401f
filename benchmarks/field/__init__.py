"""The field's benchmarks: published sets of photos and prompts, scored as their authors score them.

Owns the loaders, the metrics, and the report. What methods do, how a run goes on where it was
stopped and how pictures are kept is `benchmarks.edits`: a field benchmark is one more suite there.
"""
