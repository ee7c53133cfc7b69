"""Measure the cost of the installed, unused plugin: 1,000 trivial tests with and without it.

    python benchmarks/unused_plugin.py --rounds 15

No other plugin is loaded, so that nothing hides the difference.
"""

from __future__ import annotations

import argparse

from trivial_tests import PLAIN, Run, compare

UNUSED = Run("with pytest-twin, unused", "pytest_twin.plugin")


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="number of rounds")
    given = parser.parse_args()
    compare([PLAIN, UNUSED], given.rounds)


if __name__ == "__main__":
    main()
