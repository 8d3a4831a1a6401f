"""The command line: parse, check, hand over to the library, write.

`main` runs a command; each is a module of commands/, with its flags and its run. What a command
needs is imported when it runs, so that asking for help loads nothing heavy.
"""
