"""Parse what other tools recorded of a machine: each format, recognized by its content, into a `MachineRecording`."""
