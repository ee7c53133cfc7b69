"""Disk load: a rate held, an amount moved once, or as fast as it goes; written, read or both, past the page cache."""

import os
import sys

sys.path[0 : not sys.flags.safe_path] = [os.path.dirname(os.path.dirname(os.path.realpath(__file__)))]

from pytest_twin.stressors.kinds.disk import KIND
from pytest_twin.stressors.spec.kind import BYTES
from pytest_twin.stressors.supervisor.standalone import at_least, parser, run_standalone
from pytest_twin.stressors.system.capacity import MIB


def main() -> None:
    """Run it by hand, with the flags it always had."""
    flags = parser(__doc__)
    flags.add_argument("--size_mb", type=at_least(1), default=1500, help="MiB to write (default: %(default)s)")
    flags.add_argument("--block_mb", type=at_least(0.01), default=10, help="MiB a block (default: %(default)s)")
    flags.add_argument(
        "--path",
        default="stress_file.bin",
        help="a file that does not exist yet; its name is gone as soon as it is open (default: %(default)s)",
    )
    flags.add_argument("--sleep", type=at_least(0), default=0, help="seconds after each block (default: %(default)s)")
    flags.add_argument("--duration", type=at_least(0), help="seconds to go on writing (default: until it is written)")
    given = flags.parse_args()
    if os.path.lexists(given.path):
        flags.error(f"--path: {given.path} exists; give a name that is free")
    options = {
        "block": given.block_mb * MIB,
        "pause": given.sleep,
        "path": given.path,
        "loop": given.duration is not None,
    }
    run_standalone(KIND, unit=BYTES, profile=[(0, given.size_mb * MIB)], options=options, duration=given.duration)


if __name__ == "__main__":
    main()
