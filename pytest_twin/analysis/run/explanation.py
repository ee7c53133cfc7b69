"""What stood out while a test failed, in one sentence from its counters and the samples in its time.

It states what the machine did, and never that this is why the test failed. A figure from samples that cover too little
of the test is not used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from pytest_twin.analysis.budgets.budget import OVER, verdict_of_cell
from pytest_twin.model.attempt_row import CRASHED, circumstances
from pytest_twin.model.column_figures import LEAST_COVERED, ColumnFigures
from pytest_twin.model.csv_text import parse_number
from pytest_twin.model.duration_text import format_duration

Row = Mapping[str, str]
Figures = Mapping[str, ColumnFigures]

NOTHING_UNUSUAL = "nothing unusual"
BUSY = 90.0  # % of all CPUs: above it, a task that becomes runnable rarely finds a CPU at once
CPU_WAITED = 25.0  # % of the time, by the test or (PSI) by any task: lower shares are those of any two tasks that meet
LEAST_RAN_S = 0.05  # of a shorter test, most of its wait may be that of pytest between its phases
WORTH_NAMING = 10.0  # % of what was busy: a smaller part did not make the machine busy
STOLEN = 10.0  # % of the CPU time; hosts that are not overbooked show a few
THROTTLED = 0.1  # of the time of the test: a smaller wait is within the noise of its duration
IO_WAITED, IO_IDLE = 20.0, 20.0  # % of the time (PSI), or of the CPU time idle for a disk where PSI is missing
MEMORY_WAITED = 5.0  # % of the time (PSI): with enough memory, it is 0
MEMORY_USED = 95.0  # % of the memory: from here on, the kernel takes pages that are in use
SWAP_RISE = 1.0  # % of the swap space in one test
PAGES_READ = 100  # major faults: fewer come from the first use of a module or of a file
FEWEST_PASSES, SLOWER = 3, 1.5  # passes of the same test to compare with, and times as long as their median

COLUMNS = (
    "cpu_percent", "cpu_count_logical", "cpu_iowait_percent", "cpu_steal_percent", "stress_cpu_percent",
    "pressure_cpu_percent", "pressure_io_percent", "pressure_memory_percent", "ram_used_percent", "swap_used_percent",
    "cgroup_throttled_percent", "tests_throttled_percent", "cgroup_oom_kills",
)  # fmt: skip


def explain(test: Row, samples: Figures, passes: Sequence[Row] = ()) -> str:
    """Return the sentence about a failed attempt.

    Args:
        test: Its row of tests.csv.
        samples: The figures of `COLUMNS` in its time; a column that is not known is missing.
        passes: The rows of attempts of the same test that passed in the same run.
    """
    known = {name: each for name, each in samples.items() if each.covered >= LEAST_COVERED}
    found = [*_memory(test, known, samples), *_throttled(test, known), *_cpu(test, known), *_disk(known)]
    over = ["over its budget"] if verdict_of_cell(test.get("budget") or "") == OVER else []
    facts = [*_slower(test, passes), *_own(test, is_busy=_mean(known, "cpu_percent") >= BUSY)]
    if not found:
        nothing = NOTHING_UNUSUAL if known else f"{NOTHING_UNUSUAL} in its counters"
        found = [*([nothing] if not over and (_own_wait(test) or 0.0) < CPU_WAITED else []), *_machine(known)]
    if "cpu_percent" not in known:
        facts.append("too few samples in its time to tell what the machine did then")
        if "cpu_percent" in samples:
            facts[-1] += f", around it the machine was {samples['cpu_percent'].mean:.0f} % busy"
    return _circumstances(test) + "; ".join([*over, *found, *facts])


def _memory(test: Row, known: Figures, samples: Figures) -> Iterator[str]:
    """Yield what stood out about memory; a kill counts even if its sample covers more than the test."""
    kills = samples.get("cgroup_oom_kills")
    if kills is not None and kills.total >= 1:
        yield f"the kernel killed {_count(kills.total, 'process', 'processes')} for lack of memory"
    elif test["outcome"] == CRASHED and "mem=" in (test.get("constraint") or ""):
        yield "its process died, as one does that takes more memory than it is allowed"
    if (waited := _mean(known, "pressure_memory_percent")) >= MEMORY_WAITED:
        yield f"memory was short, {waited:.0f} % of the time some task waited for it"
    elif (used := known.get("ram_used_percent")) is not None and used.highest >= MEMORY_USED:
        yield f"memory was up to {used.highest:.0f} % used"
    if (swap := known.get("swap_used_percent")) is not None and swap.rise >= SWAP_RISE:
        yield f"{swap.rise:.0f} % of the swap space was filled"
    if (faults := _number(test, "major_faults") or 0) >= PAGES_READ:
        yield f"{faults:,.0f} page faults of the test read from disk"


def _throttled(test: Row, known: Figures) -> Iterator[str]:
    lasted, throttled = _lasted_s(test), _number(test, "throttled_s")
    if throttled is not None:
        if lasted and throttled >= lasted:  # it counts once for each CPU on which the test waited
            yield f"throttled nearly all of its {format_duration(lasted)}"
        elif lasted and throttled >= THROTTLED * lasted:
            yield f"throttled {format_duration(throttled)} of {format_duration(lasted)}"
    elif (share := _mean(known, "tests_throttled_percent")) >= 100 * THROTTLED:
        yield f"throttled {share:.0f} % of the time"
    if (share := _mean(known, "cgroup_throttled_percent")) >= 100 * THROTTLED:
        yield f"the CPU quota of its container throttled it {share:.0f} % of the time"


def _cpu(test: Row, known: Figures) -> Iterator[str]:
    busy, waited = _mean(known, "cpu_percent"), _mean(known, "pressure_cpu_percent")
    if busy >= BUSY:
        yield f"machine {busy:.0f} % busy{_shares(test, known, busy)}"
        if waited >= CPU_WAITED > (_own_wait(test) or 0.0):
            yield f"{waited:.0f} % of the time some task waited for a CPU"
    if (stolen := _mean(known, "cpu_steal_percent")) >= STOLEN:
        yield f"the hypervisor gave {stolen:.0f} % of the CPU time to other guests"


def _shares(test: Row, known: Figures, busy: float) -> str:
    """Return which parts of the busy time were not of the test, such as ``, 92 % of it others``."""
    cpus, used, ran = _mean(known, "cpu_count_logical"), _cpu_s(test), _ran_s(test)
    if not cpus or not ran or used is None:
        return ""
    load = min(100 * _mean(known, "stress_cpu_percent") / busy, 100.0)
    own = min(100 * (100 * used / ran / cpus) / busy, 100.0)
    parts = {"the applied load": load, "others": max(100 - load - own, 0.0)}
    named = [f"{share:.0f} % of it {name}" for name, share in parts.items() if share >= WORTH_NAMING]
    return f", {', '.join(named)}" if named else ", nearly all of it the test"


def _disk(known: Figures) -> Iterator[str]:
    if "pressure_io_percent" in known:
        if (waited := _mean(known, "pressure_io_percent")) >= IO_WAITED:
            yield f"the disk was busy, {waited:.0f} % of the time some task waited for it"
    elif (idle := _mean(known, "cpu_iowait_percent")) >= IO_IDLE:
        yield f"the disk was busy, the CPUs were idle for it {idle:.0f} % of the time"


def _slower(test: Row, passes: Sequence[Row]) -> Iterator[str]:
    """Yield how long the test took beside its passes, where that is longer."""
    known, ran = [seconds for each in passes if (seconds := _ran_s(each)) is not None], _ran_s(test)
    if len(known) >= FEWEST_PASSES and ran is not None:
        usual = median(known)
        if ran >= SLOWER * usual > 0:
            yield f"it took {ran / usual:.1f} times as long as the median of its {len(known):,} passes"


def _own(test: Row, *, is_busy: bool) -> Iterator[str]:
    """Yield what the test used, and how long it waited where that is long or where one would expect it to be."""
    used, ran, waited = _cpu_s(test), _ran_s(test), _own_wait(test)
    if used is not None and ran is not None:
        yield f"the test used {format_duration(used)} CPU in {format_duration(ran)}"
    if waited is not None and (is_busy or waited >= CPU_WAITED):
        yield f"its thread waited for a CPU {waited:.0f} % of the time"


def _machine(known: Figures) -> Iterator[str]:
    if "cpu_percent" in known:
        yield f"machine {_mean(known, 'cpu_percent'):.0f} % busy"


def _circumstances(test: Row) -> str:
    words = circumstances(test.get("load") or "", test.get("constraint") or "")
    return f"under {words}: " if words else ""


def _mean(known: Figures, name: str) -> float:
    return known[name].mean if name in known else 0.0


def _ran_s(test: Row) -> float | None:
    """Return the wall time of the phases of a test: without the time in which a load was applied."""
    found = [seconds for name in ("setup_s", "call_s", "teardown_s") if (seconds := _number(test, name)) is not None]
    return sum(found) if found else None


def _own_wait(test: Row) -> float | None:
    """Return the share of its time in which the test waited for a CPU, in %; None where it is not known."""
    waited, ran, lasted = _number(test, "cpu_wait_s"), _ran_s(test), _lasted_s(test)
    if waited is None or ran is None or lasted is None or ran < LEAST_RAN_S:
        return None
    return min(100 * waited / lasted, 100.0)


def _lasted_s(test: Row) -> float | None:
    """Return the wall time in which a test may have waited: that of its phases, and of what pytest does between them.

    Where a load was applied, it is that of the phases: the time to apply it is not counted as a wait.
    """
    lasted = _number(test, "duration_s")
    return _ran_s(test) if lasted is None or test.get("load") else lasted


def _cpu_s(test: Row) -> float | None:
    user, system = _number(test, "cpu_user_s"), _number(test, "cpu_system_s")
    return None if user is None or system is None else user + system + (_number(test, "children_cpu_s") or 0.0)


def _number(test: Row, name: str) -> float | None:
    return parse_number(test.get(name))


def _count(number: float, one: str, many: str) -> str:
    return f"{number:.0f} {one if number == 1 else many}"
