"""A fitted schedule as a document, and in words."""
