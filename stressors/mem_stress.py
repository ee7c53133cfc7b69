"""Memory load: resident bytes that follow a profile, with a reserve left for other processes."""

import os
import sys

sys.path[0 : not sys.flags.safe_path] = [os.path.dirname(os.path.dirname(os.path.realpath(__file__)))]

from pytest_twin.stressors.kinds.mem import KIND
from pytest_twin.stressors.spec.kind import BYTES
from pytest_twin.stressors.supervisor.standalone import at_least, parser, run_standalone, staircase
from pytest_twin.stressors.system.capacity import MIB


def main() -> None:
    """Run the stressor from the command line, with the flags of its first version."""
    flags = parser(__doc__)
    flags.add_argument("--step_mb", type=at_least(1), default=500, help="MiB added by each step (default: %(default)s)")
    flags.add_argument("--steps", type=at_least(1, int), default=10, help="number of steps (default: %(default)s)")
    flags.add_argument("--sleep", type=at_least(0), default=10, help="seconds each step is held (default: %(default)s)")
    flags.add_argument("--duration", type=at_least(0), help="seconds in all (default: the steps')")
    given = flags.parse_args()
    steps = staircase(given.step_mb * MIB, given.steps, given.sleep)
    duration = given.steps * given.sleep if given.duration is None else given.duration
    run_standalone(KIND, unit=BYTES, profile=steps, duration=duration)


if __name__ == "__main__":
    main()
