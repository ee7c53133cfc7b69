"""CPU load: workers at full speed, or a share of the usable CPUs kept by the workers' own CPU seconds.

Never steered by the machine's total: in a test run the other load is the test, and backing off before it would be
the opposite of stressing it.
"""

from __future__ import annotations

import math
import random
import sys
import time
import zlib
from functools import partial
from pathlib import Path

if not __package__:  # run as a file: its own folder, if that is on the path, gives way to the one above
    sys.path[0 : not sys.flags.safe_path] = [str(Path(__file__).resolve().parent.parent)]

from stressors.capacity import usable_cpus
from stressors.job import Job
from stressors.kind import COUNT, SHARE, Kind

KIND = Kind(
    keyword="cpu",
    type="cpu",
    module="stressors.cpu_stress",
    units=(COUNT, SHARE),
    bare=(COUNT, 1),
    amounts='a whole number of workers, or a share such as "75%"',
    modifiers=(),
    measure="cpu_s",
)

SLICE_S = 0.005
LARGEST_DEBT_S = 0.1
MOST_A_CPU = 64  # of more, each gets so little that they take minutes to begin


def workers(job: Job) -> int:
    """As many as asked, or one for each usable CPU.

    Raises:
        ValueError: The machine would choke on so many.
    """
    count = math.ceil(job.profile.peak if job.unit == COUNT else usable_cpus())
    most = MOST_A_CPU * math.ceil(usable_cpus())
    if count > most:
        msg = f"{count} workers are too many for {usable_cpus():g} CPUs; give at most {most}"
        raise ValueError(msg)
    return count


def stress(job: Job) -> None:
    """Burn CPU until stopped: a ledger of CPU seconds due and CPU seconds used, settled every few milliseconds.

    The ends of the slices are absolute and dithered, so that no other periodic thing, the kernel's tick among them,
    can fall in step with the load.
    """
    per_worker = (1.0 if job.unit == COUNT else usable_cpus()) / job.workers
    dither = random.Random(job.seed)  # noqa: S311 - repeatable, not secret
    burn = partial(zlib.crc32, bytes(65536))
    burn()
    job.ready()
    then, used, debt = job.began, time.process_time(), 0.0
    deadline = job.now()
    while True:
        now = job.now()
        due = per_worker * job.target() * (now - then)
        then, debt = now, min(debt + due, LARGEST_DEBT_S)
        pay_until = used + debt
        while (spent := time.process_time()) < pay_until and job.now() < now + SLICE_S:
            burn()
        debt, used = debt - (spent - used), spent
        job.tick()
        deadline = max(deadline + SLICE_S * dither.uniform(0.5, 1.5), now)
        if debt <= 0:
            time.sleep(max(0.0, deadline - job.now()))


def main() -> None:
    """Run it by hand, with the flags it always had."""
    from stressors.standalone import at_least, hold, parser

    flags = parser(__doc__)
    flags.add_argument(
        "--procs",
        type=at_least(1, int),
        default=workers(Job({"unit": SHARE, "profile": [(0, 1)]})),
        help="worker processes at full speed (default: the usable CPUs, %(default)s)",
    )
    flags.add_argument("--duration", type=at_least(0), help="seconds (default: until Ctrl-C)")
    given = flags.parse_args()
    hold(KIND, {"unit": COUNT, "profile": [(0, given.procs)], "duration": given.duration})


if __name__ == "__main__":
    main()
