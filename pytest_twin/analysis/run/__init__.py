"""Analyses of one run."""
