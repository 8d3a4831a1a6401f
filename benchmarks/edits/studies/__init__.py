"""The studies, one file each; `python -m benchmarks.edits NAME` carries one out."""
