"""A run as OpenTelemetry traces and metrics: built from the files of a run, and sent by a process of its own."""
