"""The twin of a recorded run: the constraints and the loads that surround tests as they did there."""
