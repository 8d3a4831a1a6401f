"""Where the data of the sets come from: a folder, or the Hub; and what is packed is unpacked.

Knows nothing of what the items of a set are.
"""
