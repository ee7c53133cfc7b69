"""A run that goes on, shown in the terminal."""
