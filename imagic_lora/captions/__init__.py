"""What is true of a picture in words: the part of a prompt that a model already sees in it.

Owns comparing prompts and asking a model for likelihoods. Knows no adapter.
"""
