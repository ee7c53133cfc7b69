"""Primitives of the operating system: locks, child processes, private files, kernel files, clocks."""
