"""Fit a schedule to a recording: phases with holds and straight lines, and variants of them."""
