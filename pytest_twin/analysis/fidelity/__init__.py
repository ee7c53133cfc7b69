"""How faithfully a run replays a recording."""
