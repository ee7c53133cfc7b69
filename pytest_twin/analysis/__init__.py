"""Readings of a run: rows in, figures out; no files, no clock, no printing."""
