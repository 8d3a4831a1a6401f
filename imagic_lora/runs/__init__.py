"""Many pictures: a file of jobs, the loop that does them, and the workers of a cluster.

Knows nothing of how a picture is fitted or edited: that is asked of an editor.
"""
