"""The markers ``stress`` and ``twin_schedule``."""

from __future__ import annotations

import pytest


def test_a_marked_test_runs_within_its_load(pytester, left):
    pytester.makepyfile("""
        import pytest, time

        @pytest.mark.stress(cpu=1, mem="20MiB")
        def test_it(twin_logger):
            twin_logger.annotate("in the body")
    """)
    pytester.runpytest("--strict-markers").assert_outcomes(passed=1)
    note = next(float(row["elapsed_s"]) for row in left.events if row["event"] == "note")
    for kind in ("cpu", "memory"):
        [(began, ended)] = left.spans(kind)
        assert began < note < ended


def test_the_load_starts_after_the_set_up_and_ends_before_the_teardown(pytester, left):
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def around(twin_logger):
            twin_logger.annotate("set-up")
            yield
            twin_logger.annotate("teardown")

        @pytest.mark.stress(cpu=1)
        def test_it(around): pass
    """)
    pytester.runpytest().assert_outcomes(passed=1)
    before, after = (float(row["elapsed_s"]) for row in left.events if row["event"] == "note")
    [(began, ended)] = left.spans("cpu")
    assert before < began < ended < after


def test_a_bare_mark_applies_nothing_and_records_nothing(pytester):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.stress
        def test_it(): pass
    """)
    result = pytester.runpytest("--strict-markers", "-m", "stress")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*pytest-twin ===*")
    assert not (pytester.path / "twin-report").exists()


def test_marks_of_module_class_and_function_add_up_and_the_closest_wins(pytester, left):
    pytester.makepyfile("""
        import pytest
        pytestmark = pytest.mark.stress(cpu=1, mem="10MiB")

        @pytest.mark.stress(mem="20MiB")
        class TestIt:
            @pytest.mark.stress(mem="30MiB")
            def test_it(self): pass
    """)
    pytester.runpytest().assert_outcomes(passed=1)
    assert sorted(left.loads("end")) == [("cpu", "1"), ("memory", "30MiB")]


def test_each_parameter_can_have_a_load_of_its_own(pytester, left):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("size", [
            pytest.param(1, marks=pytest.mark.stress(mem="10MiB")),
            pytest.param(2, marks=pytest.mark.stress(mem="20MiB")),
            3,
        ])
        def test_it(size): pass
    """)
    pytester.runpytest().assert_outcomes(passed=3)
    assert left.loads("end") == [("memory", "10MiB"), ("memory", "20MiB")]
    assert [row["load"] for row in left.tests] == ["mem=10MiB", "mem=20MiB", ""]


def test_a_unittest_case_can_be_marked(pytester, left):
    pytester.makepyfile("""
        import pytest, unittest

        @pytest.mark.stress(cpu=1)
        class TestIt(unittest.TestCase):
            def test_it(self): self.assertTrue(True)
    """)
    pytester.runpytest().assert_outcomes(passed=1)
    assert left.loads("end") == [("cpu", "1")]


@pytest.mark.parametrize("mark", ["pytest.mark.asyncio", "pytest.mark.anyio"])
def test_an_async_test_runs_within_its_load(pytester, left, mark):
    pytester.makepyfile(f"""
        import asyncio, pytest

        @pytest.fixture
        def anyio_backend(): return "asyncio"

        @{mark}
        @pytest.mark.stress(cpu=1)
        async def test_it(twin_logger):
            await asyncio.sleep(0.01)
            twin_logger.annotate("in the body")
            await asyncio.sleep(0.01)
    """)
    pytester.runpytest().assert_outcomes(passed=1)
    note = next(float(row["elapsed_s"]) for row in left.events if row["event"] == "note")
    [(began, ended)] = left.spans("cpu")
    assert began < note < ended


def test_a_failing_async_test_still_fails(pytester):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.asyncio
        @pytest.mark.stress(cpu=1)
        async def test_it(): assert False
    """)
    pytester.runpytest().assert_outcomes(failed=1)


def test_a_doctest_runs_within_the_load_of_its_module(pytester, left):
    pytester.makepyfile(
        shop="""
        import pytest
        pytestmark = pytest.mark.stress(mem="10MiB")

        def double(number):
            '''
            >>> getfixture("twin_logger").annotate("in the doctest")
            >>> double(2)
            4
            '''
            return 2 * number
    """
    )
    pytester.runpytest("--doctest-modules").assert_outcomes(passed=1)
    note = next(float(row["elapsed_s"]) for row in left.events if row["event"] == "note")
    [(began, ended)] = left.spans("memory")
    assert began < note < ended


def test_a_doctest_can_be_the_first_to_ask_for_anything(pytester, left):
    pytester.makepyfile(
        shop="""
        def double(number):
            '''
            >>> getfixture("twin_logger").annotate("asked late")
            >>> double(2)
            4
            '''
            return 2 * number
    """
    )
    pytester.runpytest("--doctest-modules").assert_outcomes(passed=1)
    assert [row["detail"] for row in left.events if row["event"] == "note"] == ["asked late"]
    assert [row["outcome"] for row in left.tests] == ["passed"]


def test_every_wrong_mark_is_told_before_any_test_runs(pytester):
    pytester.makepyfile("""
        import pytest

        def test_first():
            open("it-ran", "w").close()

        @pytest.mark.stress(cpus=8)
        def test_unknown(): pass

        @pytest.mark.stress(cpu="150%", ramp="soon")
        def test_wrong(): pass

        @pytest.mark.stress(mem="900TiB")
        def test_huge(): pass

        @pytest.mark.stress(8)
        def test_positional(): pass

        @pytest.mark.stress(ramp="5s")
        def test_only_how(): pass

        @pytest.mark.twin_schedule
        def test_no_path(): pass
    """)
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            'ERROR: *::test_unknown: stress: "cpus" is a keyword of constraints, not of loads; use --twin-constrain *',
            '*::test_wrong: stress(cpu): "150%" is over 100%; give 0-100%',
            "*::test_wrong: stress(ramp): 'soon' is not a duration; write seconds, or text such as *",
            "*::test_huge: stress(mem): 921600.0GiB is more than this machine has (*",
            "*::test_positional: stress(8): has no keyword; write stress(cpu=...), stress(mem=...) or stress(disk=...)",
            "*::test_only_how: stress(ramp): applies no load; give cpu, *, mem, *",
            "*::test_no_path: twin_schedule takes one path; write twin_schedule('schedule.json')",
        ]
    )
    assert not (pytester.path / "it-ran").exists()
    assert not (pytester.path / "twin-report").exists()


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("assert False", "failed"),
        ("pytest.skip('no')", "skipped"),
        ("pytest.xfail('so')", "xfailed"),
        ("pass", "passed"),
    ],
)
def test_however_a_test_ends_its_load_ends_with_it(pytester, left, body, outcome):
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.stress(cpu=1)
        def test_it(): {body}

        def test_after(twin_logger): pass
    """)
    pytester.runpytest()
    tests = left.spans("test")
    [(_, ended)] = left.spans("cpu")
    assert ended < tests[1][0]
    assert [row["outcome"] for row in left.tests] == [outcome, "passed"]


def test_a_skipped_test_starts_no_load(pytester, left):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.skip
        @pytest.mark.stress(cpu=1)
        def test_it(): pass
    """)
    pytester.runpytest().assert_outcomes(skipped=1)
    assert left.loads("start") == []


def test_a_test_whose_set_up_fails_starts_no_load(pytester, left):
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def broken(): raise RuntimeError

        @pytest.mark.stress(cpu=1)
        def test_it(broken): pass
    """)
    pytester.runpytest().assert_outcomes(errors=1)
    assert left.loads("start") == []
    assert [row["outcome"] for row in left.tests] == ["error"]


def test_a_load_that_cannot_be_applied_is_a_warning_and_an_abort(pytester, left, categories):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.stress(disk="1MB/s", directory="/no/such/place")
        def test_it(): pass
    """)
    result = pytester.runpytest("-W", "default")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*disk=1MB/s: /no/such/place is not a directory"])
    assert categories(result) == ["TwinWarning"]
    assert left.loads("start") == left.loads("abort") == [("disk", "1MB/s")]


def test_a_schedule_is_played_around_a_marked_test(pytester, left):
    pytester.makefile(
        ".json", plan='{"events": [{"duration": "2h", "cpu": 1}, {"start": "1h", "duration": 1, "mem": 5}]}'
    )
    pytester.makepyfile("""
        import pytest

        @pytest.mark.twin_schedule("plan.json")
        def test_it(twin_logger):
            twin_logger.annotate("in the body")
    """)
    pytester.runpytest().assert_outcomes(passed=1)
    note = next(float(row["elapsed_s"]) for row in left.events if row["event"] == "note")
    [(began, ended)] = left.spans("cpu")
    assert began < note < ended
    assert left.loads("skip") == [("memory", "5")]


def test_a_wrong_schedule_of_a_mark_is_told_before_any_test_runs(pytester):
    pytester.makefile(".json", plan='{"events": [{"duration": "10s", "cpu": -1}]}')
    pytester.makepyfile("""
        import pytest

        @pytest.mark.twin_schedule("plan.json")
        def test_it(): pass

        @pytest.mark.twin_schedule("none.json")
        def test_other(): pass
    """)
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: *::test_it: plan.json: events[[]0[]].cpu: -1 is below 0",
            "*::test_other: *none.json: No such file or directory",
        ]
    )
