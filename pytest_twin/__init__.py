"""Performance-aware testing: known load around tests, and what the machine and the tests really did."""

from __future__ import annotations

__version__ = "0.1.0"
