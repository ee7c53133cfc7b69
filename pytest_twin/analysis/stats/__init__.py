"""Statistics: quantiles, rank tests, confidence intervals."""
