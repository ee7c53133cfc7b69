"""CPU load: workers at full speed, or a share of the usable CPUs kept by the workers' own CPU seconds."""

import os
import sys

sys.path[0 : not sys.flags.safe_path] = [os.path.dirname(os.path.dirname(os.path.realpath(__file__)))]

from pytest_twin.stressors.kinds.cpu import KIND, workers
from pytest_twin.stressors.spec.kind import COUNT, SHARE
from pytest_twin.stressors.spec.request import LoadRequest
from pytest_twin.stressors.supervisor.standalone import at_least, parser, run_standalone
from pytest_twin.stressors.worker.job import Job


def main() -> None:
    """Run the stressor from the command line, with the flags of its first version."""
    flags = parser(__doc__)
    flags.add_argument(
        "--procs",
        type=at_least(1, int),
        default=workers(Job(LoadRequest(unit=SHARE, profile=[(0, 1)]))),
        help="worker processes at full speed (default: the usable CPUs, %(default)s)",
    )
    flags.add_argument("--duration", type=at_least(0), help="seconds (default: until Ctrl-C)")
    given = flags.parse_args()
    run_standalone(KIND, unit=COUNT, profile=[(0, given.procs)], duration=given.duration)


if __name__ == "__main__":
    main()
