"""Readings of one run."""
