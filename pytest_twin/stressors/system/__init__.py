"""Limits and facts of the machine that the stressors need."""
