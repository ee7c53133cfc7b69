"""Under pytest-xdist: one sampler, each worker's events in one table."""

from __future__ import annotations

import pytest
from inner_runs import WAITS
from load_rows import loads_that

from pytest_twin.model.attempt_row import EXACT, MEMORY, PHASES, TREE_PEAK

pytest.importorskip("xdist")
pytestmark = pytest.mark.usefixtures("few_plugins")


SUITE = """
    import time, pytest

    @pytest.mark.stress(threads=5)
    def test_marked(): time.sleep(0.3)

    @pytest.mark.parametrize("number", range(4))
    def test_plain(number, twin_logger):
        twin_logger.annotate(f"note {number}")
        time.sleep(0.1)
"""


OF_PHASES = {f"{phase}{time}" for phase in PHASES for time in ("_s", "_start_s")}
TIMED = {"timestamp", "start", "elapsed_s", "duration_s", "cpu_wait_s"} | OF_PHASES
OF_WORKERS = {"worker", "id"}  # an id begins with the worker's name


def known(rows):
    """Rows without what differs from run to run: times, figures, and who the worker was."""
    left_out = TIMED | OF_WORKERS | {"achieved", "detail"} | {column.name for column in (*EXACT, *MEMORY)} | {TREE_PEAK}
    return sorted(tuple((name, row[name]) for name in row if name not in left_out) for row in rows)


def happened(left):
    """The events, of which a load that others kept from the CPUs has ended as well."""
    starved = {row["id"] for row in loads_that("end", left.events)}
    return [{**row, "event": "end"} if row["event"] == "abort" and row["id"] in starved else row
            for row in left.own_events]  # fmt: skip


def filled(rows):
    """Which columns have values in any row."""
    return {name for row in rows for name in row if row[name]} - {"worker", TREE_PEAK}


@pytest.mark.slow
def test_workers_and_no_workers_give_the_same_tables(pytester, left):
    pytester.makepyfile(SUITE)
    heads, told, found = [], [], []
    for count in ("0", "2"):
        pytester.runpytest_subprocess("-n", count).assert_outcomes(passed=5)
        heads.append([tuple(rows[0]) for rows in (left.samples, left.events, left.tests)])
        told.append([known(left.tests), known(happened(left))])
        found.append([filled(left.tests), filled(left.own_events), sorted(path.name for path in left.folder.iterdir())])
        assert {bool(row["worker"]) for row in left.tests} == {count == "2"}
        assert [row["elapsed_s"] for row in left.events] == sorted((row["elapsed_s"] for row in left.events), key=float)
    assert heads[0] == heads[1]
    assert told[0] == told[1]
    assert found[0] == found[1]
    assert list(left.folder.glob("*.part-*.csv")) == []


MODES = ["load", "loadscope", "loadfile", "worksteal"]
COUNTS_SAMPLERS = """
    import os, psutil, pytest, time

    @pytest.mark.parametrize("number", range(4))
    @pytest.mark.xdist_group("one")
    def test_it(number, twin_logger):
        controller = psutil.Process(int(os.environ["CONTROLLER"]))
        lines = [" ".join(child.cmdline()) for child in controller.children(recursive=True)]
        assert sum("sampler_main.py" in line for line in lines) == 1
        time.sleep(0.1)
"""


@pytest.mark.parametrize(
    "mode",
    ["each", "loadgroup", *(pytest.param(mode, marks=pytest.mark.slow) for mode in MODES)],
)
def test_every_way_to_distribute_has_one_sampler_and_one_row_a_test(pytester, left, mode):
    pytester.makeconftest("""
        import os
        def pytest_configure(config):
            if not hasattr(config, "workerinput"): os.environ["CONTROLLER"] = str(os.getpid())
    """)
    pytester.makepyfile(COUNTS_SAMPLERS)
    times = 2 if mode == "each" else 1
    arguments = ["--dist=each", "--tx=2*popen"] if mode == "each" else ["-n2", f"--dist={mode}"]
    pytester.runpytest_subprocess(*arguments).assert_outcomes(passed=4 * times)
    name = "test_every_way_to_distribute_has_one_sampler_and_one_row_a_test.py::test_it"
    assert sorted(row["nodeid"] for row in left.tests) == sorted([f"{name}[{number}]" for number in range(4)] * times)
    assert {row["test"] for row in left.events if row["test"]} == {row["nodeid"] for row in left.tests}
    assert len({row["id"] for row in left.events if row["event"] == "start"}) == 4 * times


@pytest.mark.slow
def test_a_schedule_is_played_once_by_the_controller(pytester, left):
    pytester.makefile(".json", plan='{"events": [{"duration": "1h", "cpu": 1}]}')
    pytester.makepyfile(f"""{WAITS}
import pytest

@pytest.mark.parametrize("number", range(4))
def test_plain(number): wait_for_event(event="start", type="cpu")
""")
    pytester.runpytest_subprocess("-n", "2", "--twin-schedule=plan.json").assert_outcomes(passed=4)
    assert left.loads("end") == [("cpu", "1")]
    assert [row["worker"] for row in left.events if row["target"]] == ["", ""]


@pytest.mark.slow
def test_workers_that_ask_for_nothing_record_nothing(pytester):
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=1)
    assert not (pytester.path / "twin-report").exists()


@pytest.mark.slow
def test_a_wrong_mark_fails_the_run_with_its_message(pytester):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.stress(cpus=1)
        def test_it(): pass
    """)
    result = pytester.runpytest_subprocess("-n", "2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(['ERROR: *::test_it: stress: "cpus" is a keyword of constraints, not of loads; *'])


def overlaps(left, nodeid: str) -> list[str]:
    """The tests that ran at the same time as this one."""
    spans = {}
    for row in left.tests:
        began = float(row["elapsed_s"])
        spans[row["nodeid"]] = began, began + float(row["duration_s"])
    began, ended = spans.pop(nodeid)
    return [other for other, (begin, end) in spans.items() if begin < ended and end > began]


@pytest.mark.slow
@pytest.mark.parametrize("asks", ["stress(cpu=1)", "twin_schedule('plan.json')"])
def test_a_stressed_test_runs_alone(pytester, left, asks):
    pytester.makefile(".json", plan='{"events": [{"duration": "100ms", "cpu": 1}]}')
    pytester.makepyfile(f"""
        import pytest, time

        @pytest.mark.parametrize("number", range(6))
        def test_plain(number): time.sleep(0.1)

        @pytest.mark.{asks}
        def test_stressed(): time.sleep(0.3)
    """)
    pytester.runpytest_subprocess("-n", "2", "--twin").assert_outcomes(passed=7)
    assert overlaps(left, "test_a_stressed_test_runs_alone.py::test_stressed") == []
    assert list(left.folder.glob(".*.lock")) == []


@pytest.mark.slow
def test_a_shared_stressed_test_does_not_wait(pytester, left):
    pytester.makepyfile(f"""{WAITS}
import pytest

@pytest.mark.stress(cpu=1, shared=True)
@pytest.mark.parametrize("number", range(2))
def test_stressed(number):
    Path(f"there-{{number}}").touch()
    wait_until(Path(f"there-{{1 - number}}").exists)
""")
    pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=2)
    name = "test_a_shared_stressed_test_does_not_wait.py::test_stressed"
    assert overlaps(left, f"{name}[0]") == [f"{name}[1]"]


@pytest.mark.slow
@pytest.mark.fault("xdist")
def test_a_worker_that_dies_alone_in_the_room_holds_up_nobody(pytester):
    pytester.makepyfile("""
        import os, pytest, time

        @pytest.mark.stress(cpu=1)
        def test_dies(): os._exit(3)

        @pytest.mark.stress(cpu=1)
        @pytest.mark.parametrize("number", range(3))
        def test_stressed(number): time.sleep(0.1)
    """)
    result = pytester.runpytest_subprocess("-n", "2")
    result.assert_outcomes(failed=1, passed=3)
