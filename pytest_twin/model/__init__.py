"""What things are, as plain values: no files, no clock, no processes, no printing."""
