"""Give the tests less machine: a quota of CPU time, fewer CPUs, less memory, a slower disk."""

TYPE = "constraint"  # in annotations.csv
KEYWORD = "constrain"
