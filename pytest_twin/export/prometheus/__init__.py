"""A run as Prometheus metrics: an endpoint, a file for node_exporter, a push, and its history in OpenMetrics."""
