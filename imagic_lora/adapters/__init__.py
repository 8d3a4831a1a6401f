"""The result of a fit as a value and as a file, and its way to and from other tools.

Owns the file format, the names of LoRA weights and their checks. Of the models it knows the families' data only.
"""
