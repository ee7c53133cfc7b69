"""Options: flags, ini names, the table in pyproject.toml, and what is said of wrong ones."""

from __future__ import annotations

import json
import os
import sys

import pytest

from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.settings import options

PASSING = "def test_one(): pass\ndef test_two(): pass\n"


def test_twin_records_every_test(pytester, left):
    pytester.makepyfile(PASSING)
    result = pytester.runpytest("--twin")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["twin: recording every 0.1 s into twin-report"])
    assert [row["nodeid"].partition("::")[2] for row in left.tests] == ["test_one", "test_two"]
    assert left.samples
    assert json.loads((left.folder / "fingerprint.json").read_text())["python"]
    assert not (left.folder / "tests").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.ini", "[pytest]\ntwin = true\ntwin_interval = 0.02\ntwin_report_dir = elsewhere\n"),
        (
            "pyproject.toml",
            '[tool.pytest.ini_options]\ntwin = true\ntwin_interval = 0.02\ntwin_report_dir = "elsewhere"\n',
        ),
        ("pyproject.toml", '[tool.pytest]\ntwin = true\ntwin_interval = 0.02\ntwin_report_dir = "elsewhere"\n'),
        ("pyproject.toml", '[tool.pytest-twin]\ntwin = true\ninterval = 0.02\nreport_dir = "elsewhere"\n'),
    ],
)
def test_options_can_stand_in_the_configuration(pytester, name, text):
    if name == "pyproject.toml" and "[tool.pytest]" in text and int(pytest.__version__.partition(".")[0]) < 9:
        pytest.skip("this pytest has no native TOML configuration")
    (pytester.path / name).write_text(text)
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(["twin: recording every 0.02 s into elsewhere"])
    assert (pytester.path / "elsewhere" / "tests.csv").exists()


def test_a_flag_wins_over_the_configuration_of_pytest_which_wins_over_our_table(pytester):
    (pytester.path / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\ntwin_interval = 0.2\n[tool.pytest-twin]\ntwin = true\ninterval = 0.3\n"
    )
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest().stdout.fnmatch_lines(["twin: recording every 0.2 s into twin-report"])
    pytester.runpytest("--twin-interval=0.4").stdout.fnmatch_lines(["twin: recording every 0.4 s into twin-report"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--twin-interval=soon"], "--twin-interval: 'soon' is not a number above 0; write one such as 0.1"),
        (["--twin-interval=0"], "--twin-interval: '0' is not a number above 0; write one such as 0.1"),
        (["--twin-interval=1e9"], "--twin-interval: '1e9' is not from 0.001 to 3600 seconds"),
        (["--twin-schedule-speed=-1"], "--twin-schedule-speed: '-1' is not a number above 0; write one such as 0.1"),
        (
            ["--twin-per-test=mark"],
            "--twin-per-test: 'mark' is not one of marked, all, failed, none; did you mean \"marked\"?",
        ),
        (["-o", "twin=maybe"], "*maybe*"),
        (["-o", "twin_report_dir= "], "twin_report_dir: ' ' is not a path"),
        (["--twin-flaky-time=5m"], "--twin-flaky-time: there is no search; give --twin-flaky too"),
        (["--twin-flaky-fail"], "--twin-flaky-fail: there is no search; give --twin-flaky too"),
        (["--twin-flaky-known=a.txt"], "--twin-flaky-known: there is no search; give --twin-flaky too"),
        (["--twin-profile-time=5m"], "--twin-profile-time: no test is profiled; give --twin-profile too"),
        (["--twin-predict=x.csv"], "--twin-predict: no test is profiled; give --twin-profile too"),
        (["--twin-profile", "--twin-predict=x.csv"], "--twin-predict: x.csv: no such file or directory"),
    ],
)
def test_a_wrong_value_is_a_usage_error(pytester, flags, message):
    pytester.makepyfile(PASSING)
    result = pytester.runpytest(*flags)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


def test_an_option_that_needs_another_may_stand_alone_in_the_configuration(pytester):
    pytester.makeini("[pytest]\ntwin_flaky_time = 20m\ntwin_flaky_known = known.txt\ntwin_profile_time = 1m")
    pytester.makepyfile(PASSING)
    assert pytester.runpytest().ret == pytest.ExitCode.OK


def test_an_unknown_key_of_our_table_is_a_usage_error(pytester):
    (pytester.path / "pyproject.toml").write_text("[tool.pytest-twin]\nintervall = 1\n")
    result = pytester.runpytest("--rootdir", str(pytester.path))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ['ERROR: pyproject.toml: [[]tool.pytest-twin[]]: unknown key "intervall"; did you mean "interval"?']
    )


def test_a_report_directory_that_is_a_file_is_a_usage_error(pytester):
    pytester.makepyfile(PASSING)
    (pytester.path / "taken").write_text("")
    result = pytester.runpytest("--twin", "--twin-report-dir=taken")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --twin-report-dir: {pytester.path / 'taken'} is a file; give a directory"])


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("marked", ["test_marked"]),
        ("all", ["test_marked", "test_plain", "test_red"]),
        ("failed", ["test_red"]),
        ("none", []),
    ],
)
def test_per_test_says_which_tests_get_a_folder(pytester, left, which, expected):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.stress(mem=5)
        def test_marked(): pass

        def test_plain(): pass

        def test_red(): assert False
    """)
    pytester.runpytest("--twin", f"--twin-per-test={which}")
    with_folder = [row["nodeid"].partition("::")[2] for row in left.tests if row["folder"]]
    assert with_folder == expected
    assert len(list(left.folder.glob("tests/*/annotations.csv"))) == len(expected)


def test_the_help_of_pytest_has_every_option(pytester, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")  # no line of it is broken
    result = pytester.runpytest("--help")
    assert result.ret == 0
    text = " ".join(result.stdout.str().split())
    for name, option in options.OPTIONS.items():
        assert options.flag(name) in text
        assert option.help in text


def test_a_dry_run_prints_what_would_be_applied_and_applies_nothing(pytester):
    pytester.makefile(".json", plan='{"events": [{"id": "rush", "start": 4, "duration": "8s", "cpu": "50%"}]}')
    pytester.makefile(".json", around='{"anchor": "test", "events": [{"duration": "1s", "mem": "5MiB"}]}')
    pytester.makepyfile("""
        import pytest

        @pytest.mark.stress(cpu=8, ramp="2s")
        def test_marked(): raise SystemExit

        @pytest.mark.twin_schedule("around.json")
        def test_scheduled(): raise SystemExit

        def test_plain(): raise SystemExit
    """)
    result = pytester.runpytest("--twin-dry-run", "--twin-schedule=plan.json", "--twin-schedule-speed=2")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "twin: dry run, no test is run; loads that would be applied:",
            "for the session, 1 event in 6.0 s:",
            "      2.000 s +4.000 s  cpu=50%  [[]rush[]]",
            "*::test_marked: cpu=8 ramp=2s",
            "*::test_scheduled",
            "      0.000 s +1.000 s  mem=5MiB  [[]e1[]]",
        ],
        consecutive=True,
    )
    assert not (pytester.path / "twin-report").exists()


def test_a_dry_run_needs_no_workers(pytester):
    pytest.importorskip("xdist")
    pytester.makepyfile("import pytest\n@pytest.mark.stress(cpu=8)\ndef test_it(): raise SystemExit")
    result = pytester.runpytest("--twin-dry-run", "--twin", "-n2")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["twin: dry run, no test is run; loads that would be applied:", "*::test_it: cpu=8"])


FIXTURES_ONLY = """
    import pytest

    @pytest.fixture
    def broken(): raise RuntimeError("as it should be")

    @pytest.mark.stress(cpu=1)
    def test_loaded(tmp_path): assert False

    def test_broken(broken): pass
"""


def test_a_test_whose_body_is_not_called_is_skipped_and_has_no_load(pytester, left):
    pytester.makepyfile(FIXTURES_ONLY)
    pytester.runpytest("--twin", "--setup-only")
    assert [(row["outcome"], row["call_s"]) for row in left.tests] == [("skipped", ""), ("error", "")]
    assert all(float(row["setup_s"]) > 0 for row in left.tests)
    assert left.loads("start") == []


@pytest.mark.slow
@pytest.mark.parametrize("flags", [["--twin"], [], ["--twin", "-n", "2"], ["-p", "no:setuponly", "--twin"]])
def test_a_plan_of_the_fixtures_records_nothing(pytester, left, flags):
    pytester.makepyfile(FIXTURES_ONLY)
    assert pytester.runpytest("--setup-plan", *flags).ret == 0
    assert not left.folder.exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--twin", "--twin-report=html", "--twin-save=x"],
        ["--twin", "--twin-report=html", "--twin-save=x", "-n", "2"],
        ["--twin-schedule=plan.json", "-n", "2"],
        ["--twin", "--twin-repeat=2", "--twin-stress=cpu=1"],
        ["--twin-schedule=plan.json"],
        pytest.param(["--twin-constrain=mem=1GiB"], marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux")),
        pytest.param(["--twin-flaky"], marks=pytest.mark.skipif(sys.platform == "win32", reason="forks")),
    ],
)
def test_a_session_without_tests_leaves_the_report_of_the_last_one_alone(pytester, left, options):
    pytester.makepyfile(test_it="def test_it(): pass")
    pytester.path.joinpath("plan.json").write_text('{"events": [{"duration": "1s", "cpu": 1}]}')
    pytester.runpytest_subprocess("--twin").assert_outcomes(passed=1)
    before = {path: path.read_bytes() for path in left.folder.rglob("*") if path.is_file()}
    result = pytester.runpytest_subprocess("-k", "nothing", *options)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert {path: path.read_bytes() for path in left.folder.rglob("*") if path.is_file()} == before
    assert "= pytest-twin =" not in result.stdout.str()


TESTS_OF_ONE_WORKER = """
    import os, pytest

    @pytest.mark.parametrize("worker", [os.environ.get("PYTEST_XDIST_WORKER", "")])
    {mark}def test_it(worker): pass
"""


@pytest.mark.slow
@pytest.mark.parametrize("mark", ["", "@pytest.mark.stress(threads=2)\n    "])
@pytest.mark.parametrize("dist", ["load", "loadscope", "worksteal"])
def test_workers_with_different_tests_leave_the_report_of_the_last_run_alone(pytester, left, mark, dist):
    pytest.importorskip("xdist")
    pytester.makepyfile(test_it=TESTS_OF_ONE_WORKER.format(mark=mark))
    pytester.runpytest_subprocess("--twin").assert_outcomes(passed=1)
    before = {path: path.read_bytes() for path in left.folder.rglob("*") if path.is_file()}
    result = pytester.runpytest_subprocess("--twin", "-n2", f"--dist={dist}")
    result.stdout.fnmatch_lines(["*Different tests were collected between gw* and gw*"])
    assert {path: path.read_bytes() for path in left.folder.rglob("*") if path.is_file()} == before
    assert "= pytest-twin =" not in result.stdout.str()


def test_workers_that_run_all_tests_may_have_different_ones(pytester, left):
    pytest.importorskip("xdist")
    pytester.makepyfile(test_it=TESTS_OF_ONE_WORKER.format(mark=""))
    pytester.runpytest_subprocess("--twin", "-n2", "--dist=each").assert_outcomes(passed=2)
    assert {row["nodeid"] for row in left.tests} == {f"test_it.py::test_it[gw{number}]" for number in range(2)}


def test_a_second_run_replaces_the_first_and_touches_nothing_else(pytester, left):
    pytester.makepyfile(PASSING)
    pytester.runpytest("--twin", "--twin-per-test=all")
    (left.folder / "junit.xml").write_text("somebody else's")
    pytester.runpytest("--twin", "-k", "one", "--twin-per-test=all")
    assert [row["nodeid"].partition("::")[2] for row in left.tests] == ["test_one"]
    assert (left.folder / "junit.xml").read_text() == "somebody else's"
    assert len(list(left.folder.glob("tests/*"))) == 1


def test_a_report_directory_within_the_tests_removes_no_test(pytester):
    folder = pytester.mkdir("tests")
    (folder / "test_it.py").write_text("def test_it(): pass")
    for _ in range(2):
        pytester.runpytest("--twin", "--twin-per-test=all", "--twin-report-dir=.").assert_outcomes(passed=1)
    assert (folder / "test_it.py").exists()


@pytest.mark.parametrize("flags", [["--twin"], pytest.param(["-n1"], marks=pytest.mark.slow)])
def test_a_report_directory_that_another_run_has_is_a_usage_error(pytester, left, flags):
    pytester.makepyfile("def test_it(twin_logger): pass")
    folder = RunFolder(left.folder)
    folder.make()
    before = sorted(path.name for path in left.folder.iterdir())
    result = pytester.runpytest_subprocess(*flags)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    words = f"{left.folder} is locked by process {os.getpid()} on *; wait for it to finish or choose another directory"
    (result.stderr if flags == ["--twin"] else result.stdout).fnmatch_lines([f"ERROR: --twin-report-dir: {words}"])
    assert sorted(path.name for path in left.folder.iterdir()) == before
    folder.release()
    pytester.runpytest_subprocess(*flags).assert_outcomes(passed=1)


def test_an_option_of_addopts_may_stand_without_the_one_that_it_belongs_to(pytester):
    pytester.makepyfile("def test_it(): pass")
    pytester.makeini("[pytest]\naddopts = --twin-fail-on=cpu_seconds>10% --twin-flaky-time=5m")
    pytester.runpytest("--twin").assert_outcomes(passed=1)
    result = pytester.runpytest("--twin", "--twin-profile-time=5m")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
