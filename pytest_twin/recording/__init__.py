"""The recording of one run in progress: its events and test attempts, the gaps in its samples, and its end."""
