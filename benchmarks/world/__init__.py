"""A world of drawn portraits in which the ideal edit is known.

`portrait` owns the attributes, `drawing` the pixels, `captions` the words,
`train` the demo model and the judge, `score` the figures about them.
"""
