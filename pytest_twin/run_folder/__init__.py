"""The files of a run: names, writing, reading, completing, merging, converting."""
