"""A run for Grafana: a dashboard of its metrics, and annotations with the exact borders of its loads."""
