"""CPU usage of the whole host kept at a level: workers burn what all other processes leave of it."""

import os
import sys

sys.path[0 : not sys.flags.safe_path] = [os.path.dirname(os.path.dirname(os.path.realpath(__file__)))]

from pytest_twin.stressors.kinds.cpu_total import KIND
from pytest_twin.stressors.spec.kind import SHARE
from pytest_twin.stressors.supervisor.standalone import at_least, parser, run_standalone


def main() -> None:
    """Run the stressor from the command line."""
    flags = parser(__doc__)
    flags.add_argument("--percent", type=at_least(0), default=75, help="level of the host (default: %(default)s)")
    flags.add_argument("--duration", type=at_least(0), help="seconds (default: until Ctrl-C)")
    given = flags.parse_args()
    if given.percent > 100:
        flags.error(f"argument --percent: {given.percent:g} is over 100")
    run_standalone(KIND, unit=SHARE, profile=[(0, given.percent / 100)], duration=given.duration)


if __name__ == "__main__":
    main()
