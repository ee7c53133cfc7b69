"""An error of ours while a test runs: pytest goes on as without us, it is reported once, and the next test is whole."""

from __future__ import annotations

import pytest

PLACES = {
    "telemetry.process_counters.ProcessCounters.begin_test": [],
    "telemetry.process_counters.ProcessCounters.end_test": [],
    "telemetry.process_counters.ProcessCounters.usage": [],
    "telemetry.process_counters.ProcessCounters.peak_bytes": [],
    "telemetry.process_counters.ProcessCounters.reset_peak": [],
    "telemetry.process_counters.ProcessCounters.read_child_starts": [],
    "recording.attempt.RecordedAttempt.begin_phase": ["call_s"],
    "recording.attempt.RecordedAttempt.start_usage": ["budget"],
    "recording.attempt.RecordedAttempt.judge": ["budget"],
    "recording.attempt.RecordedAttempt.finish": [],
    "recording.recording.Recording.emit": [],
    "recording.recording.Recording.reopen_files": [],
    "recording.recording.Recording.elapsed": [],
    "plugin.session.RecordedSession.attempt_in": [],
    "recording.recording.Recording.under_load": ["call_s"],
    "plugin.session.RecordedSession.begin_attempt": [],
    "plugin.session.RecordedSession.publish_events": [],
    "plugin.runtest_hooks.request_of": ["budget"],
    "model.attempt_row.exact_figures": [],
    "model.columns.CellFormatter.line": [],
    "run_folder.tables.Table.append_between_tests": [],
    "_system.descriptor.DescriptorGroup.reopen_lost": [],
}
BREAKS = """
    import importlib, pytest

    PLACES = {places}

    def refuse(*_, **__): raise ZeroDivisionError("spam")

    @pytest.fixture
    def broken(place, monkeypatch):
        module, _, rest = place.partition("/")
        *outer, name = rest.split(".")
        owner = importlib.import_module(module)
        for each in outer:
            owner = getattr(owner, each)
        monkeypatch.setattr(owner, name, refuse)

    @pytest.mark.twin_budget(duration=60, cpu_seconds=60, children=0, peak_memory="64GiB")
    @pytest.mark.stress(cpu=1)
    @pytest.mark.parametrize("place", PLACES)
    class TestIt:
        def test_broken(self, broken): pass
        def test_after(self, place): pass
"""


def _in_module(place: str) -> str:
    module, _, rest = place.rpartition(".")
    if module.rpartition(".")[2][0].isupper():
        module, _, owner = module.rpartition(".")
        rest = f"{owner}.{rest}"
    return f"pytest_twin.{module}/{rest}"


@pytest.mark.slow
def test_an_error_of_ours_fails_no_test_and_the_next_one_is_whole(pytester, left):
    pytester.makepyfile(BREAKS.format(places=[_in_module(place) for place in PLACES]))
    result = pytester.runpytest_subprocess("-p", "no:xdist")
    result.assert_outcomes(passed=2 * len(PLACES))
    result.stdout.fnmatch_lines([
        "warning: error in pytest-twin at *.py:*: ZeroDivisionError: spam*; figures that depend on it are missing; *",
        "warning: … and * more errors in pytest-twin",
    ])  # fmt: skip
    assert "spam" in " ".join(row["detail"] for row in left.events if row["event"] == "note")
    rows = {row["nodeid"].rpartition("::")[2]: row for row in left.tests}
    for place, missing in PLACES.items():
        after = rows[f"test_after[{_in_module(place)}]"]
        assert (after["outcome"], after["load"], after["budget"]) == ("passed", "cpu=1", "ok"), place
        assert all(after[name] for name in ("setup_s", "call_s", "teardown_s", "cpu_user_s", "children_cpu_s"))
        broken = rows.get(f"test_broken[{_in_module(place)}]")
        assert broken is not None or place == "rows.Rows.append"
        assert [name for name in missing if broken is not None and broken[name]] == [], place
    loaded = [row["test"].rpartition("::")[2] for row in left.load_rows("end") if row["type"] == "cpu"]
    assert {name for name in loaded if "after" in name} == {name for name in rows if "after" in name}
    assert "test_broken[pytest_twin.telemetry.process_counters/ProcessCounters.usage]" in loaded
    assert left.loads("abort") == []


FAILS = """
    import pytest
    from pytest_twin.recording.attempt import RecordedAttempt

    undone = []

    @pytest.fixture
    def replaced(monkeypatch):
        monkeypatch.setattr(RecordedAttempt, "begin_phase", None)
        yield
        undone.append(1)

    @pytest.fixture
    def fails(replaced): assert not "set up"

    def test_fails_in_its_body(replaced): assert not "its own"
    def test_fails_in_its_set_up(fails): pass
    def test_is_skipped(replaced): pytest.skip("for a reason")
    def test_fixtures_were_torn_down(): assert len(undone) == 3
"""


def test_a_failure_of_the_test_is_told_and_not_one_of_ours(pytester, left):
    pytester.makepyfile(FAILS)
    result = pytester.runpytest("--twin", "-rs")
    result.assert_outcomes(passed=1, failed=1, errors=1, skipped=1)
    result.stdout.fnmatch_lines(["E *assert not 'set up'", "E *assert not 'its own'", "SKIPPED *for a reason"])
    assert [row["outcome"] for row in left.tests] == ["failed", "error", "skipped", "passed"]


@pytest.mark.slow
def test_an_error_in_a_worker_is_reported_too(pytester, few_plugins):
    pytest.importorskip("xdist")
    pytester.makepyfile("""
        import pytest
        from pytest_twin.recording.attempt import RecordedAttempt

        @pytest.mark.parametrize("number", range(4))
        def test_it(number, monkeypatch): monkeypatch.setattr(RecordedAttempt, "begin_phase", None)
    """)
    result = pytester.runpytest_subprocess("--twin", "-n2")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["warning: error in pytest-twin at plugin/session.py:*: TypeError: *"])
