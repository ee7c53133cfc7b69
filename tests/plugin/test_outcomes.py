"""How tests went: every row has the outcome that pytest has, whatever ran in the test and whoever ran it again."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import pytest

WORKERS = pytest.param(["-n2"], marks=pytest.mark.slow)  # each starts two processes more

FAILING = """
    import pytest

    @pytest.fixture
    def skips():
        yield
        pytest.skip("in the teardown")

    @pytest.fixture
    def breaks():
        yield
        assert 0
"""
PHASES = f"""{FAILING}
    def test_passes_then_skips(skips): pass

    def test_fails_then_skips(skips): assert 0

    def test_passes_then_breaks(breaks): pass

    def test_fails_then_breaks(breaks): assert 0

    @pytest.mark.xfail
    def test_xfails_then_breaks(breaks): assert 0

    @pytest.mark.xfail
    def test_xpasses_then_skips(skips): pass

    @pytest.mark.xfail(strict=True)
    def test_passes_though_it_should_fail(): pass

    def test_is_skipped(): pytest.skip("here")
"""
SUBTESTS = """
    import pytest, unittest

    def test_fails_then_skips(subtests):
        with subtests.test("a"): assert 0
        with subtests.test("b"): pytest.skip("here")

    def test_passes_with_a_skip(subtests):
        with subtests.test("a"): pass
        with subtests.test("b"): pytest.skip("here")

    def test_passes_with_an_xfail(subtests):
        with subtests.test("a"): pytest.xfail("here")

    def test_skips_after_a_pass(subtests):
        with subtests.test("a"): pass
        pytest.skip("here")

    @pytest.mark.xfail
    def test_xpasses(subtests):
        with subtests.test("a"): assert 0

    class TestUnit(unittest.TestCase):
        def test_unit_fails_then_skips(self):
            with self.subTest("a"): self.assertTrue(False)
            with self.subTest("b"): self.skipTest("here")

        def test_unit_passes_with_a_skip(self):
            with self.subTest("a"): pass
            with self.subTest("b"): self.skipTest("here")
"""
# what plugins do that run a test again within the report of its body; such as pytest-retry
RETRYING = """
    import pytest

    class Scope(pytest.Class): pass

    @pytest.hookimpl(wrapper=True, tryfirst={outermost})
    def pytest_runtest_makereport(item, call):
        report = yield
        tries = 0
        while report.failed and call.when == "call" and tries < 2:
            tries += 1
            item.ihook.pytest_runtest_teardown(item=item, nextitem=Scope.from_parent(item.session, name="none"))
            item._initrequest()
            item.ihook.pytest_runtest_setup(item=item)
            again = pytest.CallInfo.from_call(lambda: item.ihook.pytest_runtest_call(item=item), when="call")
            other = pytest.TestReport.from_item_and_call(item, again)
            report.outcome, report.longrepr = other.outcome, other.longrepr
        return report
"""


def ran(left) -> dict[str, str]:
    """The outcome of each test, by its name."""
    return {row["nodeid"].rpartition("::")[2].removeprefix("test_"): row["outcome"] for row in left.tests}


@pytest.mark.parametrize("options", [[], WORKERS])
def test_a_teardown_that_skips_changes_nothing_and_one_that_breaks_is_an_error_unless_the_test_failed(
    pytester, left, options
):
    pytester.makepyfile(PHASES)
    counted = pytester.runpytest_subprocess("--twin", *options).parseoutcomes()
    assert ran(left) == {
        "passes_then_skips": "passed",
        "fails_then_skips": "failed",
        "passes_then_breaks": "error",
        "fails_then_breaks": "failed",
        "xfails_then_breaks": "xfailed",
        "xpasses_then_skips": "xpassed",
        "passes_though_it_should_fail": "failed",
        "is_skipped": "skipped",
    }
    assert counted == {"passed": 2, "failed": 3, "errors": 2, "xfailed": 2, "xpassed": 1, "skipped": 4}


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], WORKERS])
def test_a_subtest_decides_by_failing_only(pytester, left, options):
    pytester.makepyfile(SUBTESTS)
    pytest.importorskip("_pytest.subtests", reason="pytest 9 has subtests of its own")
    result = pytester.runpytest_subprocess("--twin", "-rA", *options)
    assert ran(left) == {
        "fails_then_skips": "failed",
        "passes_with_a_skip": "passed",
        "passes_with_an_xfail": "passed",
        "skips_after_a_pass": "skipped",
        "xpasses": "xpassed",
        "unit_fails_then_skips": "failed",
        "unit_passes_with_a_skip": "passed",
    }
    for name, outcome in ran(left).items():  # and pytest says so of them
        said = {"failed": "FAILED", "passed": "PASSED", "skipped": "SKIPPED", "xpassed": "XPASS"}[outcome]
        result.stdout.re_match_lines_random([rf"(SUB)?{said}.*({name}|test_a_subtest_decides_.*: here).*"])


@pytest.mark.parametrize("outermost", [True, False])
def test_a_test_that_is_run_again_within_its_report_has_a_row_for_each_attempt(pytester, left, outermost):
    pytester.makeconftest(RETRYING.format(outermost=outermost))
    pytester.makepyfile("""
        import pytest, time
        tries, slow = [], []

        @pytest.fixture
        def resource():
            time.sleep(0.05)
            yield
            time.sleep(0.05)

        def test_passes_in_the_end(resource):
            tries.append(1)
            time.sleep(0.1)
            assert len(tries) > 2

        @pytest.mark.twin_budget(cpu_seconds=0.5)
        def test_is_within_its_budget_in_the_end():
            slow.append(1)
            until = time.process_time() + (0.6 if len(slow) < 2 else 0)
            while time.process_time() < until: pass

        def test_never_passes(): assert 0

        def test_skips_in_the_end():
            tries.append(1)
            assert len(tries) > 4
            pytest.skip("here")
    """)
    pytester.runpytest().assert_outcomes(passed=2, failed=1, skipped=1)
    rows = [(row["nodeid"].rpartition("::test_")[2], row["attempt"], row["outcome"]) for row in left.tests]
    assert rows == [
        ("passes_in_the_end", "1", "failed"),
        ("passes_in_the_end", "2", "failed"),
        ("passes_in_the_end", "3", "passed"),
        ("is_within_its_budget_in_the_end", "1", "failed"),
        ("is_within_its_budget_in_the_end", "2", "passed"),
        ("never_passes", "1", "failed"),
        ("never_passes", "2", "failed"),
        ("never_passes", "3", "failed"),
        ("skips_in_the_end", "1", "failed"),
        ("skips_in_the_end", "2", "skipped"),
    ]
    for row in left.tests:
        phases = sum(float(row[f"{phase}_s"]) for phase in ("setup", "call", "teardown"))
        assert phases <= float(row["duration_s"])
    assert [row["budget"] for row in left.tests if row["budget"]][1:] == ["ok"]
    ended = [row["detail"] for row in left.events if (row["event"], row["type"]) == ("end", "test")]
    assert ended == [outcome for *_, outcome in rows]


@pytest.mark.parametrize("options", [[], WORKERS])
def test_both_junit_test_cases_of_a_test_that_fails_and_then_breaks_have_the_figures(pytester, options):
    pytester.makepyfile(f"""{FAILING}
    @pytest.mark.twin_budget(cpu_seconds=100)
    def test_it(breaks): assert 0
""")
    pytester.runpytest_subprocess("--junitxml=junit.xml", *options).assert_outcomes(failed=1, errors=1)
    cases = ET.parse(pytester.path / "junit.xml").findall(".//testcase")  # noqa: S314 - our own
    assert [[part.tag for part in case if part.tag != "properties"] for case in cases] == [["failure"], ["error"]]
    for case in cases:
        names = {each.get("name") for each in case.iterfind("properties/property")}
        assert names >= {"twin_cpu_s", "twin_children_cpu_s", "twin_peak_memory_MB", "twin_budget"}


@pytest.mark.slow
def test_warnings_as_errors_fail_a_test_that_would_pass_and_leave_other_failures_alone(pytester, left):
    pytester.makepyfile("""
        import pytest, time

        little = pytest.mark.stress(net="9000GB/s")

        @little
        def test_passes(): time.sleep(1.2)

        @little
        def test_fails():
            time.sleep(1.2)
            assert 0, "its own"

        @little
        def test_is_skipped():
            time.sleep(1.2)
            pytest.skip("its own")

        @little
        @pytest.mark.twin_budget(duration=0.1)
        def test_is_over_budget(): time.sleep(1.2)

        @pytest.fixture
        def resource():
            yield
            print("torn down")

        @little
        def test_is_torn_down(resource): time.sleep(1.2)
    """)
    result = pytester.runpytest("-W", "error::pytest_twin.TwinWarning", "-rfs")
    result.assert_outcomes(failed=4, skipped=1)
    raised = [line for line in result.outlines if re.match(r"E +pytest_twin.TwinWarning", line)]
    assert len(raised) == 2
    result.stdout.re_match_lines_random(
        [
            r"E +pytest_twin.TwinWarning: net=9000GB/s: .*",
            r"E +AssertionError: its own",
            r"-+ Captured warning call -+",  # where the other failure stays
            r"over budget: duration .*",
            r"SKIPPED .* its own",
            r"torn down",
        ]
    )


def test_only_tests_that_ask_or_broke_their_budget_have_a_folder_under_a_budget_of_all(pytester, left):
    pytester.makepyprojecttoml('[[tool.pytest-twin.budgets]]\ncpu_seconds = "0.5s"\n')
    pytester.makepyfile("""
        import pytest, time

        @pytest.mark.parametrize("number", range(30))
        def test_plain(number): pass

        def test_is_over():
            until = time.process_time() + 0.6
            while time.process_time() < until: pass

        def test_fails(): assert 0

        def test_is_skipped_before_it_begins(nothing): pass

        @pytest.fixture
        def nothing(): pytest.skip("here")

        @pytest.mark.twin_budget(cpu_seconds=50)
        def test_asks_by_mark(): pass

        def test_asks_by_fixture(twin_logger): pass
    """)
    result = pytester.runpytest()
    result.assert_outcomes(passed=32, failed=2, skipped=1)
    with_folder = {row["nodeid"].rpartition("::")[2] for row in left.tests if row["folder"]}
    assert with_folder == {"test_is_over", "test_asks_by_mark", "test_asks_by_fixture"}
    assert len(list((left.folder / "tests").iterdir())) == 3
    assert all(row["budget"] for row in left.tests if "plain" in row["nodeid"])
    (place,) = {line for line in result.outlines if line.startswith("see twin-report")}  # twice where CI is set
    assert (pytester.path / place.removeprefix("see ")).is_dir()


@pytest.mark.slow
@pytest.mark.parametrize(("choice", "folders"), [("pass", 0), ("fail", 1)])
def test_an_inconclusive_budget_of_all_gives_a_folder_where_it_fails_the_test(pytester, left, choice, folders):
    pytester.makepyprojecttoml('[[tool.pytest-twin.budgets]]\nslowdown = 100\nunder = "net:9000GB/s"\npairs = 6\n')
    pytester.makepyfile("import time\ndef test_it(): time.sleep(0.3)\n")
    pytester.runpytest(f"--twin-inconclusive={choice}")
    assert " ? 100" in left.tests[-1]["budget"]
    assert len([row for row in left.tests if row["folder"]]) == folders


def test_of_two_marks_the_one_that_is_closer_to_the_test_counts_whatever_the_order_of_pytest(pytester):
    pytester.makeconftest("""
        import pytest
        from pytest_twin.plugin.marks import request_of, runs_alone

        def pytest_addoption(parser): parser.addoption("--turned", action="store_true")

        def pytest_collection_modifyitems(items):
            if items[0].config.option.turned:
                for node in dict.fromkeys(node for item in items for node in item.listchain()[2:]):
                    node.own_markers.reverse()
            for item in items:
                asked = request_of(item)
                limit = asked.budget.most["duration"].value
                print("\\nran", item.nodeid.split("::", 1)[1], asked.load, limit, runs_alone(item, None))
    """)
    pytester.makepyfile("""
        import pytest, unittest
        stress, budget = pytest.mark.stress, pytest.mark.twin_budget
        pytestmark = [stress(mem="1MiB", disk="1MB/s"), budget(duration=1)]

        @stress(cpu=1, shared=True)
        @budget(duration=2)
        class Base: pass

        class Between(Base): pass

        @stress(cpu=2, shared=False)
        @budget(duration=3)
        class TestNear(Between):
            def test_of_class(self): pass

            @stress(cpu=3)
            @budget(duration=4)
            def test_of_function(self): pass

            @stress(cpu=3)
            @budget(duration=4)
            @pytest.mark.parametrize("given", [pytest.param(1, marks=[stress(cpu=4), budget(duration=5)])])
            def test_of_parameter(self, given): pass

            @stress(cpu=5)
            class TestNested:
                def test_of_nested(self): pass

        class TestFar(Between):
            def test_of_base(self): pass

        class TestUnit(Between, unittest.TestCase):
            pytestmark = stress(mem="3MiB")

            def test_of_unit(self): pass
    """)
    for options in ([], ["--turned"]):
        result = pytester.runpytest("--collect-only", "-s", *options)
        assert [line for line in result.outlines if line.startswith("ran ")] == [
            "ran TestNear::test_of_class mem=1MiB disk=1MB/s cpu=2 3.0 True",
            "ran TestNear::test_of_function mem=1MiB disk=1MB/s cpu=3 4.0 True",
            "ran TestNear::test_of_parameter[1] mem=1MiB disk=1MB/s cpu=4 5.0 True",
            "ran TestNear::TestNested::test_of_nested mem=1MiB disk=1MB/s cpu=5 3.0 True",
            "ran TestFar::test_of_base mem=1MiB disk=1MB/s cpu=1 2.0 False",
            "ran TestUnit::test_of_unit mem=3MiB disk=1MB/s cpu=1 2.0 False",
        ]


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], WORKERS])
def test_totals_are_those_of_pytest_however_often_a_test_ran(pytester, left, options):
    pytest.importorskip("_pytest.subtests", reason="pytest 9 has subtests of its own")
    pytest.importorskip("pytest_rerunfailures")
    pytester.makepyfile(
        test_phases=PHASES,
        test_subtests=SUBTESTS,
        test_repeated="""
            import pytest

            @pytest.mark.twin_budget(p50=10)
            def test_is_repeated(): pass

            @pytest.mark.flaky(reruns=2)
            def test_is_run_again(): assert 0
        """,
    )
    result = pytester.runpytest_subprocess("--twin", "--twin-report=json,md,html", *options)
    names = {"errors": "error"}
    counted = {names.get(name, name): many for name, many in result.parseoutcomes().items() if name != "warnings"}
    assert counted["rerun"] == 2
    totals = json.loads((left.folder / "run.json").read_text())["totals"]
    assert totals["outcomes"] == counted
    assert (totals["tests"], totals["attempts"]) == (8 + 7 + 2, 8 + 7 + 8 + 3)
    result.stdout.re_match_lines([r"\d+ samples(, \d+ missed)?, 17 tests"])
    said = "17 tests in 26 attempts: " + ", ".join(f"{many} {name}" for name, many in totals["outcomes"].items())
    assert f"## pytest-twin: {said}\n" in (left.folder / "summary.md").read_text()
    assert f">{said}</a></h1>" in (left.folder / "report.html").read_text()


def test_a_test_is_counted_once_by_the_rows_where_pytest_could_not_count(pytester, left):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.twin_budget(p50=10)
        def test_is_repeated(): pass

        def test_fails(): assert 0
    """)
    pytester.runpytest("--twin", "--twin-json=run.json", "-p", "no:terminal")
    assert not (left.folder / "outcomes.json").exists()
    totals = json.loads((pytester.path / "run.json").read_text())["totals"]
    assert (totals["tests"], totals["attempts"], totals["outcomes"]) == (2, 9, {"failed": 1, "passed": 1})


@pytest.mark.slow
def test_where_each_worker_runs_all_tests_all_of_them_count(pytester, left):
    pytester.makepyfile("def test_it(): pass\ndef test_fails(): assert 0\n")
    result = pytester.runpytest_subprocess("--twin", "--dist=each", "--tx=2*popen", "--twin-json=run.json")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.re_match_lines([r"\d+ samples(, \d+ missed)?, 4 tests"])
    totals = json.loads((pytester.path / "run.json").read_text())["totals"]
    assert (totals["tests"], totals["outcomes"]) == (4, {"failed": 2, "passed": 2})
