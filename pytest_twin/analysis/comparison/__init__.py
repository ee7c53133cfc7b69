"""Runs compared with earlier runs."""
