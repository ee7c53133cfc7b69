"""The marker ``constrain``, ``--twin-constrain``, and constraints in schedules and budgets."""

from __future__ import annotations

import json
import sys
from fnmatch import fnmatch

import pytest
from constraining import BURN, NO_BACKEND, need

from pytest_twin.stressors.system import capacity

CPUS = capacity.allowed_cpus()


@pytest.fixture
def suite(pytester, few_plugins):
    """Writes the tests of an inner run, which may burn CPU time, and runs it in a process of its own."""
    need(cpu="0.5")

    def run(text, *options):
        pytester.makepyfile(burning=BURN)
        pytester.makepyfile(f"import pytest, time\nfrom burning import burn, is_within\n{text}")
        return pytester.runpytest_subprocess(*options)

    return run


def used_cpus(row):
    """The CPUs that the tests had under a constraint."""
    number, unit = row["achieved"].split()
    assert unit == "CPUs"
    return float(number)


def ends(left):
    """The last rows of the constraints, by their texts."""
    rows = [row for row in left.events if row["type"] == "constraint"]
    return {row["target"]: row for row in rows if row["event"] != "start"}


SLOW = """
@pytest.mark.constrain(cpu=0.25)
def test_slow():
    assert is_within(0.25, 0.3)

def test_free():
    burn(0.1)
"""


@pytest.mark.slow
def test_a_marked_test_has_no_more_cpu_time_than_it_may(suite, left):
    suite(SLOW, "--strict-markers", "--twin").assert_outcomes(passed=2)
    [(target, row)] = ends(left).items()
    assert (target, row["event"], row["test"].rpartition("::")[2]) == ("cpu=0.25", "end", "test_slow")
    assert used_cpus(row) <= 0.35
    figures = json.loads(row["detail"])
    assert figures["backend"]
    assert figures["largest_cpu_s"] >= figures["median_cpu_s"] > 0
    assert "stat" not in figures
    slow, free = left.tests
    assert (slow["constraint"], slow["load"], free["constraint"], free["throttled_s"]) == ("cpu=0.25", "", "", "")
    assert float(slow["throttled_s"]) >= 0
    assert float(slow["throttled_s"]) == pytest.approx(figures["throttled_s"], abs=0.01)
    assert sorted(path.name for path in left.folder.iterdir() if path.name.startswith(".")) == [".gitignore"]


def test_of_two_marks_the_closer_one_counts_for_each_keyword(suite, left):
    suite("""
@pytest.mark.constrain(cpu=0.5, period="50ms")
class TestIt:
    @pytest.mark.constrain(cpu=0.25)
    def test_it(self): pass
""").assert_outcomes(passed=1)
    assert [row["constraint"] for row in left.tests] == ["cpu=0.25 period=50ms"]


def test_a_load_and_a_constraint_stand_around_the_same_test(suite, left):
    suite("""
@pytest.mark.stress(threads=5)
@pytest.mark.constrain(cpu=0.5)
def test_it(): pass
""").assert_outcomes(passed=1)
    [row] = left.tests
    assert (row["load"], row["constraint"]) == ("threads=5", "cpu=0.5")
    began = {row["type"]: float(row["elapsed_s"]) for row in left.events if row["event"] == "start"}
    assert began["threads"] < began["constraint"]


PLACES = """
from pathlib import Path

@pytest.fixture(autouse=True)
def place(record_property):
    yield
    with open("places", "a") as file:
        print(Path("/proc/self/cgroup").read_text().replace("\\n", " "), file=file)

@pytest.mark.constrain(cpu=0.5)
def test_first(): burn(0.2)

@pytest.mark.constrain(cpu=0.5)
def test_second(): time.sleep(0.2)

def test_free(): pass

@pytest.mark.constrain(cpu=0.5)
def test_third(): pass

@pytest.mark.stress(threads=5)
def test_beside_a_load(): pass

@pytest.mark.constrain(cpu=0.6)
def test_other(): pass
"""


def test_marks_with_the_same_constraint_share_an_enforcer_until_another_load_starts(suite, left, pytester):
    suite(PLACES, "--twin").assert_outcomes(passed=6)
    first, second, free, third, beside, other = (pytester.path / "places").read_text().splitlines()
    assert first == second == free == third
    if "pytest-twin" in first:  # a control group
        assert "pytest-twin" not in beside
        assert other not in {first, beside}
    by_test = {row["nodeid"].rpartition("::")[2]: row for row in left.tests}
    cells = [by_test[f"test_{name}"]["constraint"] for name in ("first", "second", "free", "third", "beside_a_load")]
    assert cells == ["cpu=0.5", "cpu=0.5", "", "cpu=0.5", ""]
    assert float(by_test["test_second"]["throttled_s"]) <= 0.1
    rows = {
        row["test"].rpartition("::")[2]: row
        for row in left.events
        if (row["type"], row["event"]) == ("constraint", "end")
    }
    used = {name: json.loads(row["detail"])["tests_cpu_s"] for name, row in rows.items()}
    assert used["test_first"] >= 0.19
    assert used["test_second"] < 0.19


def test_mistakes_are_one_line_each(pytester):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.constrain
        def test_bare(): pass

        @pytest.mark.constrain("0.5")
        def test_argument(): pass

        @pytest.mark.constrain(cpu="much", mem="1MiB", cores=2)
        def test_values(): pass
    """)
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    advice = "has no keyword; write constrain(cpu=...), constrain(cpus=...), constrain(mem=...), constrain(io=...)"
    suitable = 'give a number of CPUs such as 0.5, or a share such as "25%"'
    place = "test_mistakes_are_one_line_each.py::test_"
    assert [line.removeprefix("ERROR: ") for line in result.errlines if place in line] == [
        f"{place}bare: constrain: {advice}",
        f"{place}argument: constrain(0.5): {advice}",
        f"{place}values: constrain(cpu): 'much' is not an amount; {suitable}",
        f"{place}values: constrain(mem): '1MiB' is less than 16.0MiB",
        f'{place}values: constrain: unknown keyword "cores"; known are cpu, cpus, io, mem, period',
    ]


def test_a_test_whose_constraint_cannot_be_enforced_fails_with_the_reason(suite, pytester):
    pytester.makeconftest(NO_BACKEND)
    result = suite(
        """
@pytest.mark.constrain(cpu=0.5)
def test_it(): print("in the body")

def test_other(): pass
""",
        "-rP",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["constrain cpu=0.5: cannot constrain cpu: *no backend*"])
    result.stdout.no_fnmatch_line("*in the body*")


def test_without_a_way_to_constrain_it_is_a_usage_error(pytester):
    pytester.makeconftest("from pytest_twin.loads import validation\nvalidation.CAN_CONSTRAIN = False")
    pytester.makepyfile("import pytest\n@pytest.mark.constrain(cpu=0.5)\ndef test_it(): pass")
    result = pytester.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*::test_it: constrain: constraints need Linux; use loads, such as *"])


@pytest.mark.slow
def test_the_session_is_constrained_from_its_first_test_to_its_last(suite, left):
    result = suite(SLOW, "--twin-constrain=cpu=0.5")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["twin: recording every *, tests constrained to cpu=0.5"])
    assert [row["constraint"] for row in left.tests] == ["cpu=0.5, cpu=0.25", "cpu=0.5"]
    assert all(row["throttled_s"] for row in left.tests)
    row = ends(left)["cpu=0.5"]
    assert (row["event"], row["test"]) == ("end", "")
    assert used_cpus(row) <= 0.6
    began, ended = ((float(row["elapsed_s"]) for row in left.events if (row["type"], row["event"]) == ("test", event))
                    for event in ("start", "end"))  # fmt: skip
    [(start, end)] = [span for span in left.spans("constraint") if span[1] == float(row["elapsed_s"])]
    assert start < min(began) < max(ended) < end
    assert any(row["tests_throttled_percent"] for row in left.samples)


@pytest.mark.parametrize(
    "text",
    ["[tool.pytest.ini_options]\ntwin_constrain = 'cpu=0.5'", "[tool.pytest-twin]\nconstrain = {cpu = 0.5}"],
)
def test_it_can_stand_in_the_configuration(suite, pytester, left, text):
    pytester.makepyprojecttoml(text)
    suite("def test_it(): pass").assert_outcomes(passed=1)
    assert [row["constraint"] for row in left.tests] == ["cpu=0.5"]


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("cpu=much", "cpu: 'much' is not an amount; give a number of CPUs such as 0.5, or a share such as \"25%\""),
        ("half", "'half' is not a constraint; write one such as cpu=0.5 cpus=1 mem=512MiB"),
        ("cpu=0.5,mem=1GiB", "'cpu=0.5,mem=1GiB' has commas between its keywords; write spaces: cpu=0.5 mem=1GiB"),
        ("disk=max", '"disk" is a keyword of loads, not of constraints; use --twin-stress disk=max or the mark stress'),
        (f"cpu={CPUS}.5", f"cpu: {CPUS}.5 is more than the {CPUS} CPUs that may be used here; give 0.01 to {CPUS}"),
        (f"cpus={CPUS + 1}", f"cpus: {CPUS + 1} is more than the {CPUS} CPUs that may be used here; give 1 to {CPUS}"),
    ],
)
def test_a_mistake_in_the_option_is_an_error_before_anything_starts(pytester, written, error):
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest(f"--twin-constrain={written}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: --twin-constrain: {error}" in result.errlines
    assert not (pytester.path / "twin-report").exists()


NOTE = "twin: constrain cpu=5000* takes nothing away: 5000 is more than the * CPUs that may be used here; *"


def test_the_notes_on_marks_come_from_workers_too(suite):
    result = suite("@pytest.mark.constrain(cpu=5000)\ndef test_it(): pass", "-n2")
    result.assert_outcomes(passed=1)
    assert sum(fnmatch(line, NOTE) for line in result.outlines) == 1


@pytest.mark.parametrize("cpu", ["5000", "50%"])
def test_more_than_this_machine_has_is_a_note_where_it_was_written_for_any_machine(suite, pytester, cpu):
    """A mark, a schedule, and the configuration are the same on a small machine and on a large one."""
    result = suite(f"@pytest.mark.constrain(cpu='{cpu}', cpus=4000)\ndef test_it(): pass", "-q")
    result.assert_outcomes(passed=1)
    assert any(fnmatch(line, NOTE) for line in result.outlines) == (cpu == "5000")
    pytester.makepyprojecttoml(f"[tool.pytest.ini_options]\naddopts = '--twin-constrain=cpu={cpu}'")
    result = suite("def test_it(): pass")
    result.assert_outcomes(passed=1)
    assert any(fnmatch(line, NOTE) for line in result.outlines) == (cpu == "5000")


def test_a_schedule_with_more_than_this_machine_has_is_a_note(suite, pytester):
    plan = {"version": 1, "events": [{"start": 0, "duration": "1s", "constrain": "cpu=5000"}]}
    (pytester.path / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    result = suite("def test_it(): pass", "--twin-schedule=plan.json")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([NOTE.replace("twin: ", "twin: plan.json: ")])


def test_an_empty_option_is_none(suite, left):
    suite("def test_it(): pass", "--twin-constrain=", "--twin-stress=", "--twin-limit=").assert_outcomes(passed=1)
    assert not left.folder.exists()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [[], ["-n1"]])
def test_a_session_that_cannot_be_constrained_is_a_usage_error(suite, pytester, workers):
    if workers:
        pytest.importorskip("xdist")
    pytester.makeconftest(NO_BACKEND)
    result = suite("def test_it(): print('in the body')", "--twin-constrain=cpu=0.5", "-rP", *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in (*result.outlines, *result.errlines) if line.startswith("ERROR: ")]
    assert len(lines) == 1
    assert lines[0].startswith("ERROR: --twin-constrain: cannot constrain cpu: ")
    result.stdout.no_fnmatch_line("*in the body*")


def test_a_dry_run_shows_constraints_and_enforces_none(pytester):
    pytester.makepyfile("import pytest\n@pytest.mark.constrain(cpu=0.5, mem='1GiB')\ndef test_it(): pass")
    result = pytester.runpytest("--twin-dry-run", "--twin-constrain=cpus=1")
    result.stdout.fnmatch_lines(
        ["each process that runs tests: constrain cpus=1", "*::test_it: constrain cpu=0.5 mem=1GiB"]
    )


@pytest.mark.slow
def test_each_worker_is_constrained_by_itself(suite, left):
    pytest.importorskip("xdist")
    suite(
        """
@pytest.mark.parametrize("number", range(4))
def test_it(number):
    assert is_within(0.4, 0.2)
""",
        "-n2",
        "--twin-constrain=cpu=0.4",
    ).assert_outcomes(passed=4)
    rows = [row for row in left.events if (row["type"], row["event"]) == ("constraint", "end")]
    assert {row["worker"] for row in rows} == {"gw0", "gw1"}
    assert all(used_cpus(row) <= 0.5 for row in rows)
    assert {row["constraint"] for row in left.tests} == {"cpu=0.4"}


@pytest.mark.slow
def test_constrained_tests_of_several_workers_run_beside_each_other(suite):
    """Each waits for the other."""
    pytest.importorskip("xdist")
    suite(
        """
from pathlib import Path

@pytest.mark.constrain(cpu=0.5)
@pytest.mark.parametrize(("own", "other"), ["ab", "ba"])
def test_it(own, other, request):
    (request.config.rootpath / own).touch()
    until = time.monotonic() + 60
    while not (request.config.rootpath / other).exists():
        assert time.monotonic() < until
        time.sleep(0.01)
""",
        "-n2",
    ).assert_outcomes(passed=2)


@pytest.mark.slow
def test_forked_tests_are_constrained_too(suite, left):
    pytest.importorskip("pytest_forked")
    suite(SLOW, "--forked", "--twin-constrain=cpu=0.8")  # 1.7.5 fails every test of pytest 9.2
    assert [(row["outcome"], row["constraint"]) for row in left.tests] == [
        ("passed", "cpu=0.8, cpu=0.25"),
        ("passed", "cpu=0.8"),
    ]
    assert used_cpus(ends(left)["cpu=0.25"]) <= 0.35


@pytest.mark.slow
def test_the_stressors_of_a_forked_test_are_not_constrained(suite, left):
    pytest.importorskip("pytest_forked")
    suite(
        """
import os, psutil

def groups(pid):
    with open(f"/proc/{pid}/cgroup") as file:
        return file.read()

@pytest.mark.stress(threads=2)
def test_it():
    [supervisor] = [each for each in psutil.Process().children() if each.name() == "twin-stressors"]
    until = time.monotonic() + 60
    while "pytest-twin-" in groups(supervisor.pid):
        assert time.monotonic() < until
        time.sleep(0.05)
""",
        "--forked",
        "--twin-constrain=cpu=0.8",
    )
    assert [row["outcome"] for row in left.tests] == ["passed"]


@pytest.mark.slow
def test_an_async_test_is_constrained(suite, left):
    pytest.importorskip("pytest_asyncio")
    suite(
        """
import asyncio

@pytest.mark.asyncio
@pytest.mark.constrain(cpu=0.25)
async def test_it():
    await asyncio.sleep(0.01)
    assert is_within(0.25, 0.3)
    child = await asyncio.create_subprocess_exec("true")
    assert await child.wait() == 0
""",
        "-pasyncio",
    ).assert_outcomes(passed=1)
    assert used_cpus(ends(left)["cpu=0.25"]) <= 0.35


def write_schedule(pytester, *events, **top):
    (pytester.path / "plan.json").write_text(json.dumps({**top, "events": events}))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [[], ["-n2"]])
def test_a_schedule_constrains_each_process_with_tests(suite, pytester, left, workers):
    if workers:
        pytest.importorskip("xdist")
    write_schedule(
        pytester,
        {"id": "quota", "duration": "1h", "constrain": {"cpu": 0.25}, "threads": 3},
        {"id": "one", "duration": "1h", "tests": "*[[]1]", "constrain": "cpu=0.2"},
        {"id": "late", "start": "1h", "duration": "1m", "constrain": {"cpu": 0.1}},
    )
    suite(
        """
@pytest.mark.parametrize("number", range(2))
def test_it(number):
    assert is_within(0.25, 0.2)
""",
        "--twin-schedule=plan.json",
        *workers,
    ).assert_outcomes(passed=2)
    count = 2 if workers else 1
    rows = [row for row in left.events if row["target"] == "cpu=0.25" and row["event"] == "end"]
    assert len({row["worker"] for row in rows}) == count
    assert all(used_cpus(row) <= 0.35 for row in rows)
    assert len([row for row in left.events if row["type"] == "threads" and row["event"] == "start"]) == 1
    assert len([row for row in left.events if row["target"] == "cpu=0.1" and row["event"] == "skip"]) == count
    constraints = {row["nodeid"].rpartition("[")[2]: row["constraint"] for row in left.tests}
    assert constraints == {"0]": "cpu=0.25", "1]": "cpu=0.25, cpu=0.2"}


@pytest.mark.slow
def test_a_schedule_around_each_test_constrains_it(suite, pytester, left):
    write_schedule(pytester, {"duration": "1h", "tests": "*slow", "constrain": {"cpu": 0.25}}, anchor="test")
    suite(SLOW.replace("@pytest.mark.constrain(cpu=0.25)", ""), "--twin-schedule=plan.json").assert_outcomes(passed=2)
    assert [row["constraint"] for row in left.tests] == ["cpu=0.25", ""]


def test_a_scheduled_constraint_that_cannot_be_enforced_fails_the_run(suite, pytester):
    pytester.makeconftest(NO_BACKEND)
    write_schedule(pytester, {"duration": "1m", "constrain": {"cpu": 0.25}})
    result = suite("def test_it(): pass", "--twin-schedule=plan.json")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR: constrain cpu=0.25: cannot constrain cpu: *"])


@pytest.mark.slow
def test_a_slowdown_under_a_constraint_is_judged(suite):
    result = suite("""
@pytest.mark.twin_budget(slowdown=1.3, under="constrain cpu=0.03 period=50ms", pairs=12)
def test_it(): burn(0.02)  # of twelve pairs one may be anything; others may leave it less than all of a CPU
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["over budget: slowdown *under constrain cpu=0.03 period=50ms (achieved *CPUs*"])


HUNGRY = """
def test_hungry():
    bytearray(400 << 20)

def test_modest():
    bytearray(1 << 20)
"""


def test_a_test_that_takes_more_memory_than_it_may_fails_and_the_run_goes_on(suite, left):
    need(mem="200MiB")
    result = suite(HUNGRY, "--twin-constrain=mem=200MiB")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*MemoryError*"])
    assert [(row["outcome"], row["constraint"]) for row in left.tests] == [
        ("failed", "mem=200MiB"),
        ("passed", "mem=200MiB"),
    ]
    row = ends(left)["mem=200MiB"]
    assert row["achieved"].endswith("MiB")
    assert 0 < float(row["achieved"].removesuffix("MiB")) <= 200
    assert json.loads(row["detail"])["peak_bytes"] > 0


@pytest.mark.slow
def test_a_worker_that_is_killed_crashes_its_test_with_the_constraint_as_a_reason(suite, left):
    pytest.importorskip("xdist")
    result = suite(
        """
import os, signal

@pytest.mark.constrain(cpu=0.5)
def test_dies():
    os.kill(os.getpid(), signal.SIGKILL)

def test_other(): pass
""",
        "-n1",
        "--twin-constrain=mem=1GiB",
        "--max-worker-restart=1",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*it ran under constrain mem=1GiB, cpu=0.5*"])
    outcomes = {row["nodeid"].rpartition("::")[2]: (row["outcome"], row["constraint"]) for row in left.tests}
    assert outcomes == {"test_dies": ("crashed", "mem=1GiB, cpu=0.5"), "test_other": ("passed", "mem=1GiB")}
    assert {row["event"] for row in left.events if row["type"] == "constraint"} == {"start", "abort", "end"}


@pytest.mark.slow
def test_a_constraint_is_lifted_while_somebody_debugs(suite, pytester, left):
    """Otherwise the quota would make the burning in the debugger take 20 times as long."""
    suite(
        """
@pytest.mark.constrain(cpu=0.05)
def test_it():
    breakpoint()
""",
        "--collect-only",
    )
    child = pytester.popen([sys.executable, "-m", "pytest", "-s"], stdin=-1, stdout=-1, stderr=-2)
    words = b"open('is_fast', 'w').write(str(any(burn(0.1) < 1.5 for _ in range(20))))\ncontinue\n"
    child.communicate(words, timeout=120)
    assert child.returncode == 0
    assert (pytester.path / "is_fast").read_text() == "True"  # under the constraint each would take 2 s
    assert [row["event"] for row in left.events if row["detail"] == "loads paused: debugger"] == ["start", "end"]
    assert left.tests[0]["constraint"] == "cpu=0.05"
