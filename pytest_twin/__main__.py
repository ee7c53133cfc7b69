"""``python -m pytest_twin`` is ``pytest-twin``."""

from __future__ import annotations

from pytest_twin.cli import main

if __name__ == "__main__":
    main()
