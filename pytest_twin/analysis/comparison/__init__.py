"""Compare runs with earlier runs."""
