"""What the machine and the processes of the tests do: the sampler, its probes, process counters, the fingerprint."""
