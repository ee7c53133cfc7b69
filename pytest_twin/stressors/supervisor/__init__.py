"""The process that starts, watches and stops the workers of every load of a run."""
