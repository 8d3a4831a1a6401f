"""The commands, one file each.

Knows the library's public names and how a terminal is spoken to.
"""
