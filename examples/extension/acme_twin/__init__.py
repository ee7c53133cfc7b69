"""A probe and a stressor for pytest-twin."""
