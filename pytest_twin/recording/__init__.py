"""One run in progress: what it writes about tests, loads and gaps, and how it ends."""
