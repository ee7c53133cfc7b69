"""What it costs to have the plugin installed, used by no test: 1,000 trivial tests with it and without it, in turn.

    python benchmarks/unused_plugin.py --rounds 15

No other plugin is loaded in either, so that nothing hides the difference.
"""

from __future__ import annotations

import argparse

from trivial_tests import PLAIN, Run, compare

UNUSED = Run("with pytest-twin, unused", "pytest_twin.plugin")


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="turns of each")
    given = parser.parse_args()
    compare([PLAIN, UNUSED], given.rounds)


if __name__ == "__main__":
    main()
