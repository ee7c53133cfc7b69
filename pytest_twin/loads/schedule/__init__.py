"""Schedules: the file, its parser, its schema, the generator, old and replayed forms."""

SESSION, TEST = "session", "test"  # the anchors
