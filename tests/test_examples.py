"""The examples, as the README has them typed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from made_runs import MadeRun

ROOT = Path(__file__).parent.parent


@pytest.fixture
def examples(tmp_path):
    """A copy of the examples, so that what they write stays out of the project."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.slow
def test_the_examples_pass_under_their_schedule_and_can_be_analysed(examples):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [typed] = re.findall(r"<!-- setup -->\n```sh\n.*&& pytest (.*)\n```", readme)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--strict-markers", "--rootdir=examples",
               *typed.split()]  # fmt: skip
    done = subprocess.run(command, cwd=examples, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 passed" in done.stdout
    pytest.importorskip("matplotlib")
    analyse = [sys.executable, "examples/analyse.py", "twin-report"]
    done = subprocess.run(analyse, cwd=examples, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "correlations" in done.stdout
    assert (examples / "twin-report" / "timeline.png").stat().st_size > 10_000


EXECUTE = """
import sys
import nbclient, nbformat
notebook = nbformat.read("analysis.ipynb", 4)
nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[1])
"""


@pytest.mark.slow
def test_the_notebook_can_be_executed(examples):
    for module in ("matplotlib", "nbclient", "ipykernel", "scipy"):
        pytest.importorskip(module)
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PYTEST_"))}
    own = {name: str(examples / name) for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")}
    command = [sys.executable, "-c", EXECUTE, str(examples / "executed.ipynb")]
    done = subprocess.run(
        command, cwd=examples / "examples", env={**bare, **own}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    outputs = [
        output
        for cell in json.loads((examples / "executed.ipynb").read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", [])
    ]
    images = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(images) == 5
    assert any("as a replay of" in str(output.get("text")) for output in outputs)


def test_the_notebook_is_kept_without_outputs():
    cells = json.loads((ROOT / "examples" / "analysis.ipynb").read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 10
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)


@pytest.mark.slow
def test_a_run_is_plotted_whatever_is_missing(tmp_path):
    """A dataset of the old scripts alone, and a run that was killed under a load."""
    pytest.importorskip("matplotlib")
    killed = MadeRun(tmp_path / "killed").sampled(2, ram_used_percent=30.0, disk_read_MB=0.0, disk_write_MB=0.0)
    killed.happened(0.5, "start", "net", id="l1", target="5MB/s").happened(1.0, "start", "test", id="t1", test="a::b")
    killed.write()
    (tmp_path / "old").mkdir()
    shutil.copy(ROOT / "benchmarks" / "recordings" / "web.csv", tmp_path / "old" / "system_metrics_dataset.csv")
    for name in ("killed", "old"):
        command = [sys.executable, str(ROOT / "examples" / "analyse.py"), name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (tmp_path / name / "timeline.png").stat().st_size > 10_000


def test_a_path_that_is_no_run_is_told_in_one_line(tmp_path):
    command = [sys.executable, str(ROOT / "examples" / "analyse.py"), "none"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "none: No such file or directory\n")


def test_the_examples_do_without_the_plugin_where_they_use_nothing_of_it(examples):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:twin", "--rootdir=examples",
               "examples/test_bottlenecks.py"]  # fmt: skip
    done = subprocess.run(command, cwd=examples, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


FLAKY = ["test_thumbnail_after_a_sleep", "test_thumbnail_after_its_event", "test_thumbnails_of_an_album",
         "test_program_starts"]  # fmt: skip


@pytest.fixture
def flaky_outcome(examples):
    """Runs the examples of flaky tests: the names of those with an outcome, and all that was said."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir=examples", "examples/flaky", "-rA"]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}  # it starts slowly

    def flaky_outcome(outcome: str, *options: str) -> tuple[list[str], str]:
        done = subprocess.run([*command, *options], cwd=examples, capture_output=True, text=True, check=False, env=bare)
        if done.returncode == pytest.ExitCode.USAGE_ERROR:
            pytest.skip(done.stderr)
        return re.findall(rf"^{outcome} .*::(\w+)", done.stdout, re.MULTILINE), done.stdout + done.stderr

    return flaky_outcome


@pytest.mark.slow
def test_the_examples_of_flaky_tests_pass_where_there_is_enough_of_the_machine(flaky_outcome):
    passed, said = set(), ""
    for _ in range(20):  # each at last: these very tests break on a busy machine
        now, said = flaky_outcome("PASSED")
        passed.update(now)
        if len(passed) == len(FLAKY):
            break
    assert passed == set(FLAKY), said


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="constraints need Linux")
def test_the_examples_of_flaky_tests_break_with_little_of_the_machine_except_the_mended_one(flaky_outcome):
    broken, said = set(), ""
    for _ in range(5):  # where the thread of a test stands still for a while, the one that it waits for goes on
        now, said = flaky_outcome("FAILED", "--twin-constrain=cpu=0.05")
        broken.update(now)
        if len(broken) >= len(FLAKY) - 1:
            break
    assert broken == {*FLAKY} - {"test_thumbnail_after_its_event"}, said


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a test that fails, in an environment like that of a job of CI."""
    (tmp_path / "test_shop.py").write_text("def test_good(): pass\ndef test_bad(): assert 0\n")
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text('#!/bin/sh\necho "gh $*"\n')
    gh.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join((str(gh.parent), str(Path(sys.executable).parent), os.environ["PATH"])))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))
    return tmp_path


def shell(script, folder, **environment):
    """A script as CI runs it: what it printed, and its exit status."""
    done = subprocess.run(["bash", "-e", "-c", script], cwd=folder, capture_output=True, text=True, check=False,
                          env=os.environ | environment)  # fmt: skip
    return done.stdout, done.returncode


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for a POSIX shell")
@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_the_command_of_a_workflow_leaves_what_the_workflow_hands_on(name, project):
    workflow = (ROOT / "examples" / name).read_text()
    (command,) = re.findall(r"- (?:run: )?(pytest .*)", workflow)
    output, status = shell(command, project)
    assert (status, "1 failed, 1 passed" in output) == (1, True)
    assert (project / "twin-report" / "report.html").exists()
    assert (project / "junit.xml").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for a POSIX shell")
def test_the_workflow_comments_with_the_summary_and_where_the_report_is(project):
    workflow = (ROOT / "examples" / "github-actions.yml").read_text()
    comment = textwrap.dedent(workflow.rpartition("run: |\n")[2])
    where = {"NUMBER": "7", "REPORT": "https://example.invalid/1", "GITHUB_REPOSITORY": "a/b"}
    assert shell(comment, project, **where) == ("", 0)  # nothing was recorded
    shell("pytest --twin --twin-report=md", project)
    output, status = shell(comment, project, **where)
    assert (output.startswith("gh pr comment 7 --repo a/b --body-file comment.md "), status) == (True, 0)
    text = (project / "comment.md").read_text()
    assert text.startswith("## pytest-twin: 1 failed, 1 passed")
    assert text.endswith("\n[Full report](https://example.invalid/1)\n")
    assert (project / "step.md").read_text().startswith("## pytest-twin: 1 failed, 1 passed")


@pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for a POSIX shell")
@pytest.mark.parametrize(
    ("runs", "ref", "options"),
    [
        (0, "refs/pull/7/merge", ""),
        (0, "refs/heads/main", " --twin-save=main"),
        (12, "refs/pull/7/merge", "--twin-compare=main"),
        (12, "refs/heads/main", "--twin-compare=main --twin-save=main"),
    ],
)
def test_the_workflow_compares_with_the_last_runs_of_main_where_there_are_some(tmp_path, runs, ref, options):
    workflow = (ROOT / "examples" / "github-actions.yml").read_text()
    script = textwrap.dedent(workflow.partition("run: |\n")[2].partition("      #")[0])
    for number in range(1, runs + 1):
        (tmp_path / ".twin-baselines" / "main" / f"{number:04}").mkdir(parents=True)
    found = shell(script, tmp_path, GITHUB_REF=ref, GITHUB_ENV=str(tmp_path / "env"))
    assert found == ("", 0)
    assert (tmp_path / "env").read_text() == f"PYTEST_ADDOPTS={options}\n"
    kept = sorted(path.name for path in tmp_path.glob(".twin-baselines/main/*"))
    assert kept == [f"{number:04}" for number in range(3, runs + 1)]
