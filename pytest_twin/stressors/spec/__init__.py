"""The data of a load: its kind, its units, its profile over time."""
