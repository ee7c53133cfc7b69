"""The live view of an active run in the terminal."""
