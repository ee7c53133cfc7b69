"""Give the tests less machine: a quota of CPU time, fewer CPUs, less memory, a slower disk."""
