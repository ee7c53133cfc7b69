"""``--twin-like``: tests as on the machine of a recording."""

from __future__ import annotations

import os
import re

import pytest
from constraining import need
from inner_runs import WAITS
from made_runs import MadeRun

import pytest_twin.run_folder.recorded_twin  # noqa: F401 - pytester forgets what an inner run imports
from pytest_twin.settings import options

TESTS = f"{WAITS}\ndef test_a(): wait_for_samples(1)\ndef test_other(): wait_for_samples(1)\n"
SERVER = "timestamp,cpu_percent\n" + "".join(f"{second},{5 + second % 3}\n" for second in range(1, 3600))


@pytest.fixture
def ci(pytester):
    """The run folder of a job in which others used 5 % of the CPUs, with one of the two tests."""
    pytester.makepyfile(test_it=TESTS)
    run = MadeRun(pytester.path / "ci").sampled(4, cpu_percent=25.0, tests_cpu_percent=20.0)
    path = run.test("test_it.py::test_a", 1, 2).write()
    cpus = os.cpu_count()
    (path / "fingerprint.json").write_text(f'{{"pytest_twin": "0", "cpu": {{"logical": {cpus}, "allowed": {cpus}}}}}')
    return path


def own_loads(left):
    return {(row["test"], row["target"]) for row in left.events if row["type"] == "cpu" and row["event"] == "start"}


def test_each_test_runs_beside_what_surrounded_it(pytester, left, ci):
    result = pytester.runpytest("--twin-like=ci")
    result.assert_outcomes(passed=2)
    assert own_loads(left) == {("test_it.py::test_a", "ci"), ("test_it.py::test_other", "ci")}
    result.stdout.fnmatch_lines([
        "twin: like ci: the tests may use all of this machine",
        "twin: like ci: 1 test of it has its own stretch of time around it, others the whole (*",
        "twin: like ci: others: reproduced by loads: CPU 5 % (at most 5 %), as the same share of each CPU*",
        "twin: like ci: not reproduced: *inbound network, cache contents, disk latency",
        "twin: --twin-like: 1 of 2 tests are in the recording",
    ])  # fmt: skip


def test_the_tests_may_use_as_much_as_there(pytester, left, ci):
    need(mem="4GiB")
    (ci / "fingerprint.json").write_text('{"cpu": {"logical": 1}, "memory": {"total_GB": 0.5}}')
    result = pytester.runpytest("--twin-like=ci", "-k", "test_a")
    result.assert_outcomes(passed=1, deselected=1)
    (constraint,) = {row["target"] for row in left.events if row["type"] == "constraint"}
    assert "mem=512MiB" in constraint
    result.stdout.fnmatch_lines([f"twin: recording every * tests constrained to {constraint}"])


def test_a_server_surrounds_the_session(pytester, left):
    pytester.makepyfile(f"{WAITS}\ndef test_it(): wait_for_event(event='start', type='cpu')\ndef test_two(): pass\n")
    (pytester.path / "server.csv").write_text(SERVER)
    result = pytester.runpytest("--twin-like=server.csv", "--twin-like-window=from=10m to=20m")
    result.assert_outcomes(passed=2)
    assert own_loads(left) == {("", "server.csv")}
    result.stdout.fnmatch_lines([
        "twin: recording every * server.csv: 1 load over 600.0 s, *",
        "twin: like server.csv: 600 s of 3599 s are played (16.7 %), from *",
    ])  # fmt: skip


def test_a_dry_run_says_what_would_surround_each_test(pytester, ci):
    result = pytester.runpytest("--twin-like=ci", "--twin-dry-run")
    result.stdout.re_match_lines([r"test_it\.py::test_a", r" +0\.000 s .* replay=ci \(at most cpu=5%.*\[others\]"])


def test_each_worker_of_xdist_runs_its_tests_so(pytester, few_plugins, left, ci):
    result = pytester.runpytest("--twin-like=ci", "-n2")
    result.assert_outcomes(passed=2)
    assert own_loads(left) == {("test_it.py::test_a", "ci"), ("test_it.py::test_other", "ci")}


def test_the_marks_of_a_test_are_applied_too(pytester, left, ci):
    (pytester.path / "plan.json").write_text('{"events": [{"id": "mine", "duration": "1h", "mem": "1MiB"}]}')
    mark = "import pytest\n@pytest.mark.twin_schedule('plan.json')\n@pytest.mark.stress(mem='2MiB')\ndef test_a(): pass"
    pytester.makepyfile(test_it=mark)
    pytester.runpytest("--twin-like=ci").assert_outcomes(passed=1)
    assert {target for _, target in left.loads("end")} == {"ci", "1MiB", "2MiB"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--twin-like=nowhere"], r"--twin-like: \S*nowhere: No such file or directory"),
        (["--twin-like=empty"], r"--twin-like: \S*empty: has no system_metrics_dataset.csv; give a run folder, or a f"),
        (["--twin-like=test_it.py"], r"--twin-like: \S*test_it.py: "),
        (["--twin-like=blind"], "--twin-like: blind: has no fingerprint.json that tells its CPUs; give the whole run"),
        (["--twin-like=huge", "--twin-like-scale=cores"], r"--twin-like: huge: scale cores: 9999 CPUs there are more "),
        (
            ["--twin-like=ci", "--twin-like-scale=speed"],
            "--twin-like: ci: scale speed: its fingerprint has no speed; run",
        ),
        (["--twin-like=ci", "--twin-like-scale=big"], "--twin-like-scale: 'big' is not one of share, cores, speed"),
        (["--twin-like=ci", "--twin-constrain=cpu=1"], "--twin-like cannot be combined with --twin-constrain: choose"),
        (
            ["--twin-like=ci", "--twin-schedule=plan.json"],
            "--twin-like cannot be combined with --twin-schedule: choose",
        ),
        (["--twin-like=ci", "--twin-profile"], "--twin-like cannot be combined with --twin-profile: choose one"),
        (["--twin-like=ci", "--twin-flaky"], "--twin-like cannot be combined with --twin-flaky: choose one"),
        (["--twin-like-scale=cores"], "--twin-like-scale: there is no recording; give --twin-like RECORDING too"),
        (["--twin-like-window=busiest=5m"], "--twin-like-window: there is no recording; give --twin-like RECORDING to"),
        (["--twin-like=ci", "--twin-like-window=from=1h"], "--twin-like: ci: from: is not within the recording, which"),
        (["--twin-like=ci", "--twin-like-window=5m"], "--twin-like-window: '5m' is not a part of a recording; write"),
        (["--twin-like=ci", "--twin-like-window=form=5m"], '--twin-like-window: unknown .*"form".* mean "from"'),
        (["--twin-like=ci", "--twin-like-window=busiest=x"], "--twin-like-window: busiest: .x. is not a duration"),
        (["--twin-like=ci", "--twin-like-window=busiest=1 to=2"], "--twin-like-window: has both busiest and from or"),
    ],
)
def test_what_cannot_be_reproduced_is_one_line_before_anything_starts(pytester, ci, flags, message):
    (pytester.path / "empty").mkdir()
    for name, text in (("blind", "{}"), ("huge", '{"cpu": {"logical": 9999}}')):
        MadeRun(pytester.path / name).sampled(1).test("test_it.py::test_a", 0, 1).write()
        (pytester.path / name / "fingerprint.json").write_text(text)
    result = pytester.runpytest(*flags)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.errlines if line.startswith("ERROR: ")]
    assert re.match(f"ERROR: {message}", line), line
    assert not (pytester.path / "twin-report").exists()


def test_the_command_line_wins_over_a_configuration_that_excludes_it(pytester, ci):
    (pytester.path / "pyproject.toml").write_text('[tool.pytest-twin]\nlike = "ci"\nlike_window = {from = "1s"}\n')
    pytester.runpytest("--twin-dry-run").stdout.fnmatch_lines(["twin: like ci: 3 s of 4 s are played*"])
    other = pytester.runpytest("--twin-dry-run", "--twin-stress=cpu=1", "--twin-schedule=nowhere.json")
    other.stderr.fnmatch_lines(["ERROR: *nowhere.json: No such file or directory"])
    (pytester.path / "pyproject.toml").write_text('[tool.pytest-twin]\nschedule = "nowhere.json"\n')
    pytester.runpytest("--twin-dry-run", "--twin-like=ci").stdout.fnmatch_lines(["twin: like ci: *"])


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_what_is_typed_wins_over_addopts(pytester, left, ci, workers):
    pytester.makeini("[pytest]\naddopts = --twin-constrain=cpu=0.5 --twin-profile")
    result = pytester.runpytest_subprocess("--twin-like=ci", "-k", "test_a", *workers)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["twin: like ci: *"])
    assert not [row for row in left.events if row["type"] == "constraint"]
    pytester.makeini("[pytest]\naddopts = --twin-like=ci")
    result = pytester.runpytest_subprocess("--twin-schedule=nowhere.json", *workers)
    result.stderr.fnmatch_lines(["ERROR: *nowhere.json: No such file or directory"])
    pytester.makeini("[pytest]\naddopts = --twin-like=ci --twin-profile")
    result = pytester.runpytest_subprocess(*workers)
    result.stderr.fnmatch_lines(["ERROR: --twin-like cannot be combined with --twin-profile: choose one*"])


def test_two_options_of_a_configuration_exclude_each_other(pytester, ci):
    (pytester.path / "pyproject.toml").write_text('[tool.pytest-twin]\nlike = "ci"\nschedule = "plan.json"\n')
    pytester.runpytest().stderr.fnmatch_lines(["ERROR: twin_like cannot be combined with twin_schedule: choose one*"])


def test_every_scale_has_a_meaning_in_the_help():
    text = options.help_of("like_scale")
    assert all(scale in text for scale in options.LIKE_SCALES)
