"""Network load: TCP over the loopback interface at a rate, or as fast as possible."""

import os
import sys

sys.path[0 : not sys.flags.safe_path] = [os.path.dirname(os.path.dirname(os.path.realpath(__file__)))]

from pytest_twin.stressors.kinds.net import KIND
from pytest_twin.stressors.spec.kind import MAX, RATE
from pytest_twin.stressors.supervisor.standalone import at_least, parser, run_standalone


def main() -> None:
    """Run the stressor from the command line."""
    flags = parser(__doc__)
    flags.add_argument("--rate_mb", type=at_least(0.001), help="MB per second (default: as fast as possible)")
    flags.add_argument("--duration", type=at_least(0), help="seconds (default: until Ctrl-C)")
    given = flags.parse_args()
    unit, value = (MAX, 0) if given.rate_mb is None else (RATE, given.rate_mb * 1e6)
    run_standalone(KIND, unit=unit, profile=[(0, value)], duration=given.duration)


if __name__ == "__main__":
    main()
