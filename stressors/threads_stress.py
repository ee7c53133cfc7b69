"""Threads: a number of idle threads held, which fills the kernel's tables and its scheduler's lists."""

import os
import sys

sys.path[0 : not sys.flags.safe_path] = [os.path.dirname(os.path.dirname(os.path.realpath(__file__)))]

from pytest_twin.stressors.kinds.threads import KIND
from pytest_twin.stressors.spec.kind import COUNT
from pytest_twin.stressors.supervisor.standalone import at_least, parser, run_standalone


def main() -> None:
    """Run the stressor from the command line."""
    flags = parser(__doc__)
    flags.add_argument("--count", type=at_least(1, int), default=1000, help="idle threads (default: %(default)s)")
    flags.add_argument("--duration", type=at_least(0), help="seconds (default: until Ctrl-C)")
    given = flags.parse_args()
    run_standalone(KIND, unit=COUNT, profile=[(0, given.count)], duration=given.duration)


if __name__ == "__main__":
    main()
