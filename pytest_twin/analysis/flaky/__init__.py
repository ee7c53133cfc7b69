"""The search for tests that a busy machine breaks: conditions, choice of the next runs, verdicts."""
