"""Everything that pytest calls: hooks, marks, fixtures."""
