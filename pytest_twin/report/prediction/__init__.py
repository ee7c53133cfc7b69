"""The prediction of the slowdown of tests, in each format."""
