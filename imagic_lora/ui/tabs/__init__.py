"""What the page shows, one file a tab.

Owns widgets and their events. Does no work itself: that is in jobs.
"""
