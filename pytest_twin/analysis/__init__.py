"""Pure analyses of runs: rows in, figures out. No files, no clock, no printing."""
