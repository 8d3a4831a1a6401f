"""The commands, one file each: its flags and its run.

A run imports what it needs when it begins, so that help, which needs none of it, is quick.
"""
