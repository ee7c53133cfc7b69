"""Statistics: quantiles, rank tests, intervals."""
