"""Reports of a comparison: one file for each format, with shared wording."""
