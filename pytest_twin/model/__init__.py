"""Plain values that all rooms share: rows, columns, clock, quantities. No files, no processes, no printing."""
