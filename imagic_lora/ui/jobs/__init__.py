"""The work that the page gives out, and the queue that it waits in.

Knows no widget and no gradio.
"""
