"""I/O latency: small synchronous writes at a rate, at random offsets of a small unnamed file."""

import os
import sys

sys.path[0 : not sys.flags.safe_path] = [os.path.dirname(os.path.dirname(os.path.realpath(__file__)))]

from pytest_twin.stressors.kinds.iops import KIND
from pytest_twin.stressors.spec.kind import MAX, OPS
from pytest_twin.stressors.supervisor.standalone import at_least, parser, run_standalone


def main() -> None:
    """Run the stressor from the command line."""
    flags = parser(__doc__)
    flags.add_argument("--rate", type=at_least(0.01), help="writes per second (default: as fast as possible)")
    flags.add_argument("--directory", default=".", help="where the file takes its space (default: here)")
    flags.add_argument("--duration", type=at_least(0), help="seconds (default: until Ctrl-C)")
    given = flags.parse_args()
    unit, value = (MAX, 0) if given.rate is None else (OPS, given.rate)
    options = {"directory": given.directory}
    run_standalone(KIND, unit=unit, profile=[(0, value)], options=options, duration=given.duration)


if __name__ == "__main__":
    main()
