"""Beside other plugins, and with the options of pytest itself: each attempt has one row, and nothing else changes."""

from __future__ import annotations

import sys

import pytest
from inner_runs import WAITS

posix = pytest.mark.skipif(sys.platform == "win32", reason="fork and signals of POSIX")

SUITE = """
    import pytest

    @pytest.mark.stress(cpu=1)
    def test_passes(): pass

    def test_fails(): assert False

    @pytest.mark.stress(cpu=1)
    def test_is_last(): pass
"""


def attempts(left):
    """(test, attempt, outcome) in the order of time."""
    return [(row["nodeid"].rpartition("::")[2], row["attempt"], row["outcome"]) for row in left.tests]


def each_ended_once(left):
    """Whether everything that started has one end, and ids name one thing each."""
    started = [row["id"] for row in left.events if row["event"] == "start"]
    ended = [row["id"] for row in left.events if row["event"] in {"end", "abort"}]
    return len(set(started)) == len(started) and sorted(started) == sorted(ended)


def test_rerunfailures_has_a_row_and_a_window_for_each_attempt(pytester, left):
    pytest.importorskip("pytest_rerunfailures")
    pytester.makepyfile("""
        import pytest
        tries = []

        @pytest.mark.flaky(reruns=2)
        @pytest.mark.stress(cpu=1)
        def test_is_flaky(twin_logger):
            tries.append(1)
            twin_logger.annotate(f"try {len(tries)}")
            assert len(tries) > 2
    """)
    pytester.runpytest_subprocess("-p", "no:xdist").assert_outcomes(passed=1)
    assert attempts(left) == [("test_is_flaky", "1", "failed"), ("test_is_flaky", "2", "failed"),
                              ("test_is_flaky", "3", "passed")]  # fmt: skip
    assert each_ended_once(left)
    windows = left.spans("test")
    loads = left.spans("cpu")
    assert len(windows) == len(loads) == 3
    assert all(began <= load[0] <= load[1] <= ended for (began, ended), load in zip(windows, loads, strict=True))
    assert len({row["folder"] for row in left.tests}) == 3


@pytest.mark.parametrize(("plugin", "mark"), [("pytest_retry", "flaky(retries=3)"), ("flaky", "flaky(max_runs=4)")])
def test_a_test_that_another_plugin_runs_again_has_a_row_for_each_attempt(pytester, left, plugin, mark):
    if getattr(pytest.importorskip(plugin), "__file__", None) is None:
        pytest.skip(f"{plugin} is a folder of that name here, and not installed")
    pytester.makepyfile(f"""
        import pytest, time
        tries = []

        @pytest.mark.{mark}
        @pytest.mark.twin_budget(cpu_seconds=0.5)
        def test_is_flaky():
            tries.append(1)
            until = time.process_time() + (0.6 if len(tries) == 1 else 0)
            while time.process_time() < until: pass
            assert len(tries) != 2

        def test_is_not(): pass
    """)
    others = {"pytest_retry", "flaky", "rerunfailures", "xdist", "randomly"} - {plugin}
    plugins = [word for each in sorted(others) for word in ("-p", f"no:{each.replace('_', '-')}")]
    pytester.runpytest_subprocess(*plugins).assert_outcomes(passed=2)
    assert attempts(left) == [("test_is_flaky", "1", "failed"), ("test_is_flaky", "2", "failed"),
                              ("test_is_flaky", "3", "passed"), ("test_is_not", "1", "passed")]  # fmt: skip
    assert [row["budget"].partition(" ")[0] for row in left.tests] == ["cpu_seconds", "ok", "ok", ""]
    assert each_ended_once(left)
    for row in left.tests:
        assert sum(float(row[f"{phase}_s"]) for phase in ("setup", "call", "teardown")) <= float(row["duration_s"])


@posix
@pytest.mark.parametrize("method", ["thread", pytest.param("signal", marks=pytest.mark.slow)])
def test_a_test_that_times_out_has_its_row_and_its_load_ends(pytester, left, method):
    pytest.importorskip("pytest_timeout")
    pytester.makepyfile(f"""{WAITS}
import pytest, signal, threading

@pytest.mark.stress(cpu=1)
def test_hangs():
    wait_for_samples(1)
    reach_limit()
    time.sleep(60)

def reach_limit():  # at once; how long a machine takes to come so far nobody knows
    if "{method}" == "signal":
        signal.raise_signal(signal.SIGALRM)
    else:
        [limit] = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
        limit.function(*limit.args, **limit.kwargs)
""")
    pytester.runpytest_subprocess("--timeout=600", f"--timeout-method={method}")
    if method == "signal":
        assert attempts(left) == [("test_hangs", "1", "failed")]
        assert each_ended_once(left)
    else:  # which ends the whole process: what was written until then is there
        assert [(row["event"], row["type"]) for row in left.own_events] == [("start", "test"), ("start", "cpu")]
        assert left.samples


@pytest.mark.slow
@posix
def test_a_repeated_test_that_hangs_times_out_when_it_is_reported_as_well(pytester, left):
    pytest.importorskip("pytest_timeout")
    pytester.makepyfile("""
        import pytest, time

        @pytest.mark.timeout(60)
        @pytest.mark.stress(cpu=1)
        def test_before(): pass  # all that the next one needs is there then

        @pytest.mark.twin_budget(slowdown=2, under="cpu=1", pairs=6)
        def test_hangs(): time.sleep(600)

        @pytest.mark.timeout(60)
        def test_after(): pass
    """)
    result = pytester.runpytest_subprocess("--timeout=2", "--timeout-method=signal", timeout=200)
    result.assert_outcomes(failed=1, passed=2)
    assert each_ended_once(left)


@pytest.mark.slow
@posix
def test_the_limit_of_a_profiled_test_is_not_one_of_the_loads_which_may_start_and_end_slowly(pytester, left):
    pytest.importorskip("pytest_timeout")
    pytester.makeconftest("""
        import signal
        from contextlib import contextmanager
        from pytest_twin.recording.recording import Recording

        under_load = Recording.under_load

        def look(where):
            with open(where, "a") as file: print(signal.getitimer(signal.ITIMER_REAL)[0] > 0, file=file)

        @contextmanager
        def looks(*arguments, **options):
            look("loads")
            with under_load(*arguments, **options) as applied:
                yield applied
                look("loads")

        Recording.under_load = looks
    """)
    pytester.makepyfile("from conftest import look\ndef test_one(): look('tests')\ndef test_two(): look('tests')")
    flags = "--timeout=600", "--timeout-method=signal", "--twin-profile", "--twin-profile-time=1s"
    pytester.runpytest_subprocess(*flags).assert_outcomes(passed=2)
    is_limited = {name: (pytester.path / name).read_text().split() for name in ("loads", "tests")}
    assert set(is_limited["tests"]) == {"True"}
    assert set(is_limited["loads"]) == {"False"}
    assert len(is_limited["loads"]) > 4


@pytest.mark.slow
@posix
def test_a_limit_that_is_reached_as_a_run_ends_is_the_end_of_the_profile_and_not_of_the_session(pytester, left):
    pytest.importorskip("pytest_timeout")
    pytester.makeconftest("""
        import signal
        from pytest_twin.plugin import profiler

        def run_until_the_limit(item):
            profiler_run(item)
            signal.raise_signal(signal.SIGALRM)

        profiler_run, profiler.run_repetition = profiler.run_repetition, run_until_the_limit
    """)
    pytester.makepyfile("def test_one(): pass\ndef test_two(): pass")
    flags = "--timeout=600", "--timeout-method=signal", "--twin-profile", "--twin-profile-time=60s"
    result = pytester.runpytest_subprocess(*flags)
    result.assert_outcomes(passed=2)
    notes = [row["detail"] for row in left.events if row["event"] == "note"]
    assert sum("not profiled" in note and "Timeout" in note for note in notes) == 2
    assert each_ended_once(left)


@pytest.mark.slow
@posix
def test_the_limit_is_for_each_run_of_a_profiled_test_and_to_reach_it_is_a_failure(pytester, left):
    pytest.importorskip("pytest_timeout")
    pytester.makepyfile("""
        import psutil, time

        def test_it():
            busy = [child for child in psutil.Process().children(recursive=True) if child.memory_info().rss > 40 << 20]
            time.sleep(600 if busy else 0.5)
    """)
    pytester.makeconftest("""
        from itertools import count
        from pytest_twin.plugin import profiler

        profiler.monotonic = count().__next__  # a second at each look, however slow the machine is
    """)
    flags = "--timeout=5", "--timeout-method=signal", "--twin-profile", "--twin-profile-time=45s"
    result = pytester.runpytest_subprocess(*flags, timeout=240)
    result.assert_outcomes(passed=1)
    rows = left.rows("profile.csv")
    assert {row["error"] for row in rows if row["failures"] != "0"} == {"Failed: Timeout (>5.0s) from pytest-timeout."}
    assert sum(int(row["runs"]) for row in rows) * 0.5 > 5  # all together took longer than the limit
    assert each_ended_once(left)


FORKS = """
    import os, pytest, signal

    @pytest.mark.stress(cpu=1)
    def test_passes(): pass

    @pytest.mark.stress(cpu=1)
    def test_dies(): os.kill(os.getpid(), signal.SIGSEGV)

    @pytest.mark.stress(cpu=1)
    def test_is_last(twin_logger): twin_logger.annotate("last")
"""


@posix
@pytest.mark.parametrize("more", [["--twin-schedule=plan.json"], pytest.param(["-n1"], marks=pytest.mark.slow)])
def test_forked_tests_have_a_row_each_also_one_that_dies(pytester, left, more):
    pytest.importorskip("pytest_forked")
    pytester.makefile(".json", plan='{"events": [{"duration": "60s", "cpu": 1}]}')
    pytester.makepyfile(FORKS)
    pytester.runpytest_subprocess("--forked", "-p", "no:faulthandler", *more)  # 1.7.5 fails every test of pytest 9.2
    assert attempts(left) == [("test_passes", "1", "passed"), ("test_dies", "1", "crashed"),
                              ("test_is_last", "1", "passed")]  # fmt: skip
    assert each_ended_once(left)
    ends = [row for row in left.loads("end") + left.loads("abort") if row == ("cpu", "1")]
    assert len(ends) == 3 + ("plan" in more[0])


@pytest.mark.slow
@posix
def test_a_forked_test_that_is_interrupted_together_with_pytest_has_a_row_and_an_end(pytester, left):
    pytest.importorskip("pytest_forked")
    pytester.makepyfile("""
        import os, pytest, signal, time

        @pytest.mark.stress(cpu=1)
        def test_it():
            os.kill(os.getppid(), signal.SIGINT)
            raise KeyboardInterrupt
    """)
    result = pytester.runpytest_subprocess("--forked")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert attempts(left) == [("test_it", "1", "interrupted")]
    assert each_ended_once(left)


def test_randomly_shuffles_with_us_as_without_us(pytester, left, monkeypatch):
    pytest.importorskip("pytest_randomly")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")
    pytester.makepyfile("""
        import pytest, random

        @pytest.mark.parametrize("number", range(12))
        def test_it(number): print("drew", number, random.random())
    """)
    orders = []
    for flags in ([], ["--twin"]):
        result = pytester.runpytest_subprocess("-q", "-rP", "-p", "no:xdist", "-p", "no:cacheprovider",
                                               "--randomly-seed=7", *flags)  # fmt: skip
        orders.append([line for line in result.outlines if line.startswith("drew")])
    assert orders[0] == orders[1]
    assert len(orders[0]) == 12
    assert [row["nodeid"].rpartition("[")[2][:-1] for row in left.tests] == [line.split()[1] for line in orders[0]]


def test_subtests_are_within_the_window_of_their_test(pytester, left):
    pytest.importorskip("_pytest.subtests", reason="pytest 9 has subtests of its own")
    pytester.makepyfile("""
        import pytest, unittest

        @pytest.mark.stress(cpu=1)
        def test_parts(subtests):
            for number in range(3):
                with subtests.test(number=number):
                    assert number != 1

        class TestIt(unittest.TestCase):
            @pytest.mark.stress(cpu=1)
            def test_unit(self):
                for number in range(3):
                    with self.subTest(number=number):
                        self.assertNotEqual(number, 1)
    """)
    assert pytester.runpytest().ret == pytest.ExitCode.TESTS_FAILED
    assert attempts(left) == [("test_parts", "1", "failed"), ("test_unit", "1", "failed")]
    assert each_ended_once(left)


def test_fixtures_of_class_and_module_are_within_the_window_of_the_test_that_needs_them_first(pytester, left):
    pytester.makeconftest("""
        def pytest_runtest_logreport(report):
            with open("durations", "a") as file:
                print(report.duration, file=file)
    """)
    pytester.makepyfile("""
        import pytest, time
        pytestmark = pytest.mark.stress(cpu=1)

        @pytest.fixture(scope="module")
        def server():
            time.sleep(0.2)
            yield
            time.sleep(0.2)

        @pytest.fixture(scope="class")
        def client(server): time.sleep(0.1)

        class TestIt:
            def test_first(self, client): pass
            def test_second(self, client): pass

        def test_last(server): pass
    """)
    pytester.runpytest().assert_outcomes(passed=3)
    first, _, last = left.tests
    assert float(first["setup_s"]) > 0.3
    assert float(last["teardown_s"]) > 0.2
    ours = [float(row[f"{phase}_s"]) for row in left.tests for phase in ("setup", "call", "teardown")]
    theirs = list(map(float, (pytester.path / "durations").read_text().split()))  # pytest's, around ours
    assert all(our < their for our, their in zip(ours, theirs, strict=True))
    assert {row["load"] for row in left.tests} == {"cpu=1"}


PYFAKEFS = """
    import os, pytest

    @pytest.mark.stress(cpu=1)
    @pytest.mark.twin_budget(children=0, peak_memory="64GiB")
    def test_load(fs, twin_logger):
        twin_logger.annotate("note")
        fs.create_file("/new/file")

    @pytest.mark.twin_budget(children=0)
    def test_child(fs):
        if (child := os.fork()) == 0:
            os._exit(0)
        os.waitpid(child, 0)

    def test_memory(fs, stress_mem):
        with stress_mem("1MiB") as load:
            assert load.achieved["resident_bytes"] >= 1 << 20

    def test_path(fs, twin_logger):
        assert "test_path" in str(twin_logger.path)
        assert len(twin_logger.events()) > 0

    @pytest.mark.twin_budget(peak_memory="64GiB")
    def test_after(): pass
"""


@posix
def test_under_pyfakefs_loads_rows_and_budgets_are_real(pytester, left):
    pytest.importorskip("pyfakefs")
    pytester.makepyfile(PYFAKEFS)
    result = pytester.runpytest_subprocess("-p", "no:xdist")
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["over budget: children: the test started a child process, but none is allowed"])
    result.stdout.no_fnmatch_line("warning: error in pytest-twin*")
    assert attempts(left) == [(f"test_{name}", "1", "failed" if name == "child" else "passed")
                              for name in ("load", "child", "memory", "path", "after")]  # fmt: skip
    assert [row["budget"] for row in left.tests][::4] == ["ok", "ok"]
    assert left.loads("end") == [("cpu", "1"), ("memory", "1MiB")]
    assert each_ended_once(left)


PLUGINS = {
    "freezegun": ("freezegun", "import freezegun", "with freezegun.freeze_time('2001-01-01'): work()"),
    "time-machine": ("time_machine", "import time_machine", "with time_machine.travel(0): work()"),
    "pytest-subprocess": ("pytest_subprocess", "", "fp.register(['spam']); subprocess.run(['spam']); work()"),
    "pytest-socket": ("pytest_socket", "", "socket_disabled; work()"),
}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_what_a_plugin_replaces_in_a_test_changes_no_row_and_no_load(pytester, left, plugin):
    module, imports, body = PLUGINS[plugin]
    pytest.importorskip(module)
    fixture = {"pytest_subprocess": "fp,", "pytest_socket": "socket_disabled,"}.get(module, "")
    pytester.makepyfile(f"""
        import pytest, subprocess, time
        {imports}

        @pytest.mark.stress(cpu=1)
        @pytest.mark.twin_budget(duration=60, children=0)
        def test_it({fixture} twin_logger, stress_mem):
            def work():
                with stress_mem("1MiB"), twin_logger.phase("phase"):
                    twin_logger.annotate("note")
            {body}
    """)
    result = pytester.runpytest_subprocess("-p", "no:xdist")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("warning: error in pytest-twin*")
    assert [(row["outcome"], row["budget"]) for row in left.tests] == [("passed", "ok")]
    assert 0 < float(left.tests[0]["call_s"]) < 60
    assert sorted(left.loads("end")) == [("cpu", "1"), ("memory", "1MiB")]
    assert len({row["timestamp"][:10] for row in left.events}) < 3
    assert each_ended_once(left)


# Options of pytest


def test_a_run_that_stops_at_the_first_failure_has_the_rows_up_to_it(pytester, left):
    pytester.makepyfile(SUITE)
    pytester.runpytest("-x").assert_outcomes(passed=1, failed=1)
    assert attempts(left) == [("test_passes", "1", "passed"), ("test_fails", "1", "failed")]


@pytest.mark.parametrize("flag", ["--lf", pytest.param("--sw", marks=pytest.mark.slow)])
def test_a_run_of_what_failed_before_has_its_rows_only(pytester, left, flag):
    pytester.makepyfile(SUITE)
    pytester.runpytest("--twin", *(["--sw"] if flag == "--sw" else []))
    pytester.runpytest("--twin", flag).assert_outcomes(failed=1, deselected=1 if flag == "--sw" else 0)
    assert attempts(left) == [("test_fails", "1", "failed")]


def test_a_run_without_the_cache_is_recorded(pytester, left):
    pytester.makepyfile(SUITE)
    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=2, failed=1)
    assert len(left.tests) == 3


@pytest.mark.slow
def test_no_xdist_and_xdist_without_workers_are_recorded_alike(pytester, left):
    pytest.importorskip("xdist")
    pytester.makepyfile(SUITE)
    found = []
    for flags in (["-p", "no:xdist"], ["-p", "xdist", "-n0"]):
        pytester.runpytest_subprocess(*flags).assert_outcomes(passed=2, failed=1)
        assert each_ended_once(left)
        events = [(row["event"] == "start", row["type"], row["id"], row["worker"]) for row in left.own_events]
        found.append((attempts(left), events))
    assert found[0] == found[1]


def test_where_only_fixtures_run_no_load_is_applied(pytester, left):
    pytester.makepyfile(SUITE)
    assert pytester.runpytest("--setup-only").ret == pytest.ExitCode.OK
    assert [row for row in left.events if row["target"]] == []
    assert {row["outcome"] for row in left.tests} == {"skipped"}  # none was called


@posix
@pytest.mark.parametrize(("flag", "words"), [("--pdb", b"continue\n"), ("--trace", b"continue\n" * 3)])
def test_a_run_in_the_debugger_is_recorded_and_its_loads_rest(pytester, left, flag, words):
    pytester.makepyfile(SUITE)
    child = pytester.popen([sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", flag], stdin=-1, stdout=-1,
                           stderr=-2)  # fmt: skip
    said, _ = child.communicate(words, timeout=120)
    assert child.returncode == pytest.ExitCode.TESTS_FAILED, said.decode()
    assert attempts(left) == [("test_passes", "1", "passed"), ("test_fails", "1", "failed"),
                              ("test_is_last", "1", "passed")]  # fmt: skip
    assert each_ended_once(left)


def test_without_the_plugin_marks_and_runs_are_as_pytest_has_them(pytester):
    pytester.makepyfile(SUITE)
    result = pytester.runpytest("-p", "no:twin")
    result.assert_outcomes(passed=2, failed=1)
    assert not (pytester.path / "twin-report").exists()


@pytest.mark.slow
@pytest.mark.parametrize("place", [".", "tests"])
@pytest.mark.parametrize("name", ["stressors.py", "stressors/__init__.py"])
def test_a_project_may_have_a_module_named_stressors(pytester, left, place, name):
    module = pytester.path / place / name
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text("OWN = True\n")
    (pytester.path / place / "test_it.py").write_text(
        "import pytest, stressors\n\n"
        "@pytest.mark.stress(cpu=1)\n"
        "def test_it(stress_mem):\n"
        "    with stress_mem('1MiB'):\n"
        "        assert stressors.OWN\n"
    )
    pytester.runpytest_subprocess("-p", "no:xdist", "--twin").assert_outcomes(passed=1)
    assert left.loads("end") == [("memory", "1MiB"), ("cpu", "1")]


def test_gevent_may_have_replaced_threads_locks_and_sleeping(pytester, left):
    pytest.importorskip("gevent")
    pytester.makeconftest("from gevent import monkey\nmonkey.patch_all()")
    pytester.makepyfile("""
        import time, gevent, pytest

        @pytest.mark.stress(threads=5)
        @pytest.mark.twin_budget(children=0)
        def test_it(twin_logger, stress_mem):
            with stress_mem("1MiB"):
                gevent.joinall([gevent.spawn(time.sleep, 0.1) for _ in range(3)])
            twin_logger.annotate("switched")

        @pytest.mark.stress(threads=5)
        def test_next(): pass
    """)
    pytester.runpytest_subprocess("-p", "no:xdist", "-W", "ignore").assert_outcomes(passed=2)
    assert attempts(left) == [("test_it", "1", "passed"), ("test_next", "1", "passed")]
    assert left.loads("end") == [("memory", "1MiB"), ("threads", "5"), ("threads", "5")]
    assert each_ended_once(left)


REPLACED = [
    'sys, "platform", "win32"',
    'os, "listdir", lambda *_: []',
    'time, "strftime", lambda *_: "spam"',
    'json, "loads", Mock(side_effect=ValueError)',
    'json, "dumps", Mock(side_effect=TypeError)',
    'resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=1024)',
]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="exact figures")
def test_what_a_test_replaces_in_its_body_changes_no_figure_of_it_or_of_the_next(pytester, left):
    pytester.makepyfile(f"""
        import json, os, resource, subprocess, sys, time, pytest
        from types import SimpleNamespace
        from unittest.mock import Mock

        REPLACED = [{", ".join(f"({each})" for each in REPLACED)}]

        @pytest.mark.parametrize("replaced", REPLACED)
        class TestReplaced:
            @pytest.mark.stress(threads=5)
            @pytest.mark.twin_budget(cpu_seconds=60, peak_memory="20GiB")
            def test_replaces(self, monkeypatch, twin_logger, replaced):
                monkeypatch.setattr(*replaced)
                twin_logger.annotate("replaced")

            @pytest.mark.twin_budget(children=0)
            def test_has_a_child(self, monkeypatch, replaced):
                child = subprocess.Popen([sys.executable, "-S", "-c", ""])
                monkeypatch.setattr(*replaced)
                child.wait()
    """)
    count = len(REPLACED)
    pytester.runpytest_subprocess("-p", "no:xdist").assert_outcomes(passed=count, failed=count)
    assert [row["budget"] for row in left.tests if "::test_replaces" in row["nodeid"]] == count * ["ok"]
    assert [row["budget"] for row in left.tests if "::test_has_a_child" in row["nodeid"]] == count * ["children > 0"]
    assert all(float(row[name]) >= 0 for row in left.tests for name in ("cpu_user_s", "cpu_system_s", "children_cpu_s"))
    assert all(row["timestamp"].startswith("20") for row in left.events + left.samples)
    assert left.loads("end") == count * [("threads", "5")]
