"""A probe and a stressor for pytest-twin, as an example of an extension."""
