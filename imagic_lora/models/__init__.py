"""Base models behind one protocol: what a family is, where its weights lie, how it is called.

Owns everything that knows diffusers or transformers. Knows nothing of fits, edits or adapters.
"""
