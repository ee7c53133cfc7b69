"""The fixtures ``twin_logger``, ``stress_cpu``, ``stress_mem`` and ``stress_disk``."""

from __future__ import annotations

import csv

import pytest
from inner_runs import WAITS


def test_the_logger_knows_the_samples_of_its_test(pytester, left):
    pytester.makepyfile(f"""{WAITS}
def test_first(twin_logger): wait_for_samples(3)

def test_it(twin_logger):
    until = time.monotonic() + 60
    while len(samples := twin_logger.samples()) < 5: assert time.monotonic() < until
    assert str(samples.index.tz) == "UTC"
    assert samples.attrs["units"]["cpu_percent"] == "%"
    assert twin_logger.peak("tests_cpu_percent") >= samples["tests_cpu_percent"].max() > 0  # one more came
    assert 0 < twin_logger.mean("cpu_percent") <= 100
    Path("first").write_text(str(samples["elapsed_s"].iloc[0]))
""")
    pytester.runpytest("--twin-interval=0.05").assert_outcomes(passed=2)
    began = float(left.tests[1]["elapsed_s"])
    of_test = [row["elapsed_s"] for row in left.samples if float(row["elapsed_s"]) >= began]
    assert float((pytester.path / "first").read_text()) == float(of_test[0])


def test_a_test_shorter_than_the_interval_waits_for_its_first_sample(pytester):
    pytester.makepyfile("""
        def test_it(twin_logger):
            # it does not wait for ever, and the machine may stand still for longer
            assert any(len(twin_logger.samples()) >= 1 for _ in range(5))
    """)
    pytester.runpytest("--twin-interval=0.3").assert_outcomes(passed=1)


BURNED = """
    import os, threading, time

    def burn(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end: pass

    def sleep_until_writes_are_known(twin_logger):  # they are not read for each sample
        until = time.monotonic() + 60
        while not twin_logger.peak("tests_write_MB") >= 0 and time.monotonic() < until: time.sleep(0.1)
"""


@pytest.mark.slow
@pytest.mark.parametrize("interval", ["0.1", "0.3"])
def test_a_test_that_sleeps_has_nothing_of_its_neighbours(pytester, left, interval):
    pytester.makepyfile(
        BURNED
        + f"""
    INTERVAL = {interval}
"""
        + """
    def test_burns(tmp_path):
        with open(tmp_path / "written", "wb") as file:
            for _ in range(32):
                file.write(bytes(1 << 20))
            file.flush()
            os.fsync(file.fileno())
        burn(0.7)

    def test_sleeps(twin_logger):
        began = time.process_time()
        time.sleep(1.6)
        sleep_until_writes_are_known(twin_logger)
        peak, mean = twin_logger.peak("tests_cpu_percent"), twin_logger.mean("tests_cpu_percent")
        own = time.process_time() - began  # of reading, and of other threads
        # a neighbour fills a row
        assert peak / 100 * INTERVAL < own + INTERVAL / 3
        assert mean / 100 * 1.6 < own + INTERVAL / 3
        assert twin_logger.peak("tests_write_MB") < 4

    def test_burns_after(): burn(0.3)

    def test_reads_frames(twin_logger):
        began = time.process_time()
        time.sleep(1.2)
        sleep_until_writes_are_known(twin_logger)
        samples = twin_logger.samples()
        own = time.process_time() - began
        assert samples["tests_cpu_percent"].max() / 100 * INTERVAL < own + INTERVAL / 3
        assert samples["tests_write_MB"].notna().any()
    """
    )
    pytester.runpytest("--twin", f"--twin-interval={interval}").assert_outcomes(passed=4)
    sleeps = next(row for row in left.tests if row["nodeid"].endswith("test_sleeps"))
    with (left.folder / sleeps["folder"] / "system_metrics_dataset.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 1
    own = float(sleeps["cpu_user_s"]) + float(sleeps["cpu_system_s"])  # the test reads its own samples
    most = max(float(row["tests_cpu_percent"] or 0) for row in rows)
    assert most / 100 * float(interval) < own + float(interval) / 3  # a neighbour fills a whole row
    assert sum(float(row["tests_write_MB"] or 0) for row in rows) < 4


def test_peak_and_mean_need_no_pandas_and_break_no_budget(pytester, left):
    pytester.makepyfile("""
        import sys
        import pytest

        @pytest.mark.twin_budget(cpu_seconds=5, memory_growth="30MiB", duration="60s")  # pandas takes more memory
        def test_first(twin_logger):
            assert twin_logger.peak("tests_resident_MB") > 1
            assert twin_logger.mean("tests_process_count") >= 1
            assert "pandas" not in sys.modules

        def test_after(twin_logger): pass
    """)
    pytester.runpytest_subprocess("-p", "no:hypothesispytest").assert_outcomes(passed=2)
    first, after = left.tests
    assert abs(float(first["peak_memory_MB"]) - float(after["peak_memory_MB"])) < 20


WAYS = {
    "in the test": ("", "frame = twin_logger.samples()"),
    "in a helper": ("def check(logger): return logger.samples()", "frame = check(twin_logger)"),
    "in a helper of a helper": (
        "def look(logger): return logger.events()\ndef check(logger): return look(logger)",
        "frame = check(twin_logger)",
    ),
    "in a fixture": ("@pytest.fixture\ndef frame(twin_logger): return twin_logger.samples()", "frame"),
    "in a class": (
        "class Check:\n    def it(self, logger): return logger.samples()",
        "frame = Check().it(twin_logger)",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_pandas_is_imported_outside_the_account_of_the_test_that_asks_for_frames(pytester, left, way):
    before, body = WAYS[way]
    fixtures = "twin_logger, frame" if way == "in a fixture" else "twin_logger"
    pytester.makepyfile(
        f"import pytest\n{before}\n"
        "@pytest.mark.twin_budget(cpu_seconds=5, memory_growth='40MiB')\n"  # pandas takes more memory
        f"def test_it({fixtures}):\n    {body}\n    assert len(frame)\n"
    )
    pytester.runpytest_subprocess("--twin-interval=0.05").assert_outcomes(passed=1)
    [row] = left.tests
    assert float(row["memory_growth_MB"]) < 40


def test_a_clock_that_stands_still_is_no_trouble_for_the_logger(pytester):
    pytest.importorskip("freezegun")
    pytester.makepyfile("""
        from freezegun import freeze_time

        @freeze_time("2020-02-02")
        def test_it(twin_logger):
            assert twin_logger.peak("tests_resident_MB") > 1
            assert twin_logger.mean("cpu_percent") >= 0
            assert twin_logger.samples().index.min().year > 2020
            assert list(twin_logger.events()["event"]) == ["start"]
    """)
    pytester.runpytest_subprocess("--twin-interval=0.05").assert_outcomes(passed=1)


def test_a_column_that_is_none_is_an_error_that_names_what_was_meant_or_all_there_are(pytester):
    pytester.makepyfile("""
        import pytest

        def test_it(twin_logger):
            with pytest.raises(KeyError, match='unknown column "cpu_pct"; did you mean "cpu_percent"'):
                twin_logger.peak("cpu_pct")
            with pytest.raises(KeyError, match='unknown column "x"; known are .*cpu_percent, '):
                twin_logger.peak("x")
    """)
    pytester.runpytest().assert_outcomes(passed=1)


def test_notes_and_phases_are_events_of_the_test(pytester, left):
    pytester.makepyfile("""
        def test_it(twin_logger):
            twin_logger.annotate("plain, with a comma")
            with twin_logger.phase("warm-up"):
                twin_logger.annotate("with fields", rows=3)
            events = twin_logger.events()
            assert list(events["event"]) == ["start", "note", "start", "note", "end"]
            assert list(events["type"]) == ["test", "note", "phase", "note", "phase"]
            assert set(events["test"]) == {"test_notes_and_phases_are_events_of_the_test.py::test_it"}
    """)
    pytester.runpytest().assert_outcomes(passed=1)
    details = [row["detail"] for row in left.events if row["event"] == "note"]
    assert details == ["plain, with a comma", '{"text": "with fields", "rows": 3}']


def test_the_folder_of_a_test_is_there_while_it_runs_and_complete_afterwards(pytester, left):
    pytester.makepyfile(f"""{WAITS}
def test_it(twin_logger):
    (twin_logger.path / "mine.txt").write_text("kept")
    wait_for_samples(4)
""")
    pytester.runpytest("--twin-interval=0.05").assert_outcomes(passed=1)
    [row] = left.tests
    folder = left.folder / row["folder"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "annotations.csv",
        "mine.txt",
        "system_metrics_dataset.csv",
    ]
    began, span = float(row["elapsed_s"]), float(row["duration_s"])
    inside = [sample for sample in left.samples if began <= float(sample["elapsed_s"]) < began + span]
    text = (folder / "system_metrics_dataset.csv").read_text().splitlines()
    assert len(inside) >= 3
    assert len(inside) <= len(text) - 1 <= len(inside) + 2


def test_a_load_is_there_in_its_block_and_gone_behind_it(pytester, left):
    pytester.makepyfile("""
        def test_it(stress_cpu, twin_logger):
            with stress_cpu(1) as load:
                twin_logger.annotate("inside")
                assert load.achieved["cpu_s"] >= 0
            twin_logger.annotate("behind")
            assert load.achieved["cpu_s"] > 0
            load.stop()
    """)
    pytester.runpytest().assert_outcomes(passed=1)
    inside, behind = (float(row["elapsed_s"]) for row in left.events if row["event"] == "note")
    [(began, ended)] = left.spans("cpu")
    assert began < inside < ended < behind


def test_what_a_test_leaves_running_is_stopped_when_it_ends(pytester, left):
    pytester.makepyfile("""
        def test_it(stress_cpu, stress_mem, stress_disk):
            stress_cpu("10%"); stress_mem(8); stress_disk("1MB/s")

        def test_after(twin_logger): pass
    """)
    pytester.runpytest().assert_outcomes(passed=2)
    after = left.spans("test")[1][0]
    assert sorted(left.loads("end")) == [("cpu", "10%"), ("disk", "1MB/s"), ("memory", "8")]
    assert all(ended < after for kind in ("cpu", "memory", "disk") for _, ended in left.spans(kind))


def test_amounts_can_come_from_indirect_parametrisation(pytester, left):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("stress_cpu", [0, 1, "50%"], indirect=True)
        @pytest.mark.parametrize("stress_mem", ["10MiB"], indirect=True)
        def test_it(stress_cpu, stress_mem):
            assert stress_mem.achieved["resident_bytes"] == 10 << 20
    """)
    pytester.runpytest().assert_outcomes(passed=3)
    assert [load for load in left.loads("end") if load[0] == "cpu"] == [("cpu", "1"), ("cpu", "50%")]


def test_memory_is_really_resident(pytester):
    pytester.makepyfile("""
        import psutil

        def test_it(stress_mem):
            before = {child.pid for child in psutil.Process().children(recursive=True)}
            with stress_mem("100MiB"):
                children = psutil.Process().children(recursive=True)
                most = max(child.memory_info().rss for child in children)
                assert 100 << 20 <= most < 130 << 20
    """)
    pytester.runpytest().assert_outcomes(passed=1)


def test_a_load_of_no_kind_is_an_error_and_one_of_none_is_not(pytester):
    pytester.makepyfile("""
        import pytest
        def test_it(stress_load):
            stress_load(cpu=0)
            with pytest.raises(ValueError, match="applies no load; give cpu, "):
                stress_load(ramp="1s")
    """)
    pytester.runpytest().assert_outcomes(passed=1)


def test_a_wrong_amount_fails_the_test_with_one_line(pytester):
    pytester.makepyfile("""
        def test_it(stress_cpu): stress_cpu("200%")
    """)
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(['E *LoadError: cpu: "200%" is over 100%; give 0-100%'])


@pytest.mark.slow
def test_a_cpu_load_slows_the_test_that_it_competes_with(pytester):
    """In a session of its own it would not: the kernel shares the CPU out between sessions first."""
    pytester.makepyfile("""
        import os, time

        def spin():
            began, until = time.perf_counter(), time.process_time() + 0.15
            while time.process_time() < until: pass
            return time.perf_counter() - began

        def test_it(stress_cpu):
            quiet = min(spin() for _ in range(3))
            with stress_cpu(8 * os.cpu_count()):
                assert spin() > 2 * quiet
    """)
    pytester.runpytest().assert_outcomes(passed=1)
