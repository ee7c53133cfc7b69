"""Disk load: a rate, an amount moved once, or as fast as possible; written, read or both, bypassing the page cache."""

import os
import sys

sys.path[0 : not sys.flags.safe_path] = [os.path.dirname(os.path.dirname(os.path.realpath(__file__)))]

from pytest_twin.stressors.kinds.disk import KIND
from pytest_twin.stressors.spec.kind import BYTES
from pytest_twin.stressors.supervisor.standalone import at_least, parser, run_standalone
from pytest_twin.stressors.system.capacity import MIB


def main() -> None:
    """Run the stressor from the command line, with the flags of its first version."""
    flags = parser(__doc__)
    flags.add_argument("--size_mb", type=at_least(1), default=1500, help="MiB to write (default: %(default)s)")
    flags.add_argument("--block_mb", type=at_least(0.01), default=10, help="MiB per block (default: %(default)s)")
    flags.add_argument(
        "--path",
        default="stress_file.bin",
        help="a path that does not exist; the file is unlinked as soon as it is open (default: %(default)s)",
    )
    flags.add_argument("--sleep", type=at_least(0), default=0, help="seconds after each block (default: %(default)s)")
    flags.add_argument("--duration", type=at_least(0), help="seconds to repeat writing (default: write once)")
    given = flags.parse_args()
    if os.path.lexists(given.path):
        flags.error(f"--path: {given.path} exists; give a path that does not exist")
    options = {
        "block": given.block_mb * MIB,
        "pause": given.sleep,
        "path": given.path,
        "loop": given.duration is not None,
    }
    run_standalone(KIND, unit=BYTES, profile=[(0, given.size_mb * MIB)], options=options, duration=given.duration)


if __name__ == "__main__":
    main()
