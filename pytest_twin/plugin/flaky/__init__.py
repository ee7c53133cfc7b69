"""The search for tests that a busy machine breaks: the loop, and the runs of single tests in forks."""
