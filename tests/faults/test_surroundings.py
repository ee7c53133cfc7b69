"""What is around a run: its locale, and who listens to it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from runs import seconds_until_gone

pytestmark = [
    pytest.mark.fault("surroundings"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc"),
]

PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
FOREIGN = """import pytest

@pytest.mark.stress(cpu=1)
@pytest.mark.parametrize("x", ["größe ☃"])
def test_it(x, twin_logger):
    print("☃")
    twin_logger.annotate("é", x=x)
"""
LOADED = """import pytest, time

@pytest.mark.stress(cpu=1)
@pytest.mark.parametrize("number", range(2000))
def test_it(number): time.sleep(0.02)
"""
CLOSED = {"stdin": "<&-", "stdout": ">&-", "stderr": "2>&-", "all": "<&- >&- 2>&-"}


def test_in_the_locale_c_every_sign_is_recorded(run):
    done, status, said = run(FOREIGN, env={**os.environ, **PLAIN})
    assert status == 0, said
    (note,) = [row["detail"] for row in done.events if row["type"] == "note"]
    assert note == '{"text": "é", "x": "größe ☃"}'
    assert done.loads("end") == [("cpu", "1")]


def without(which: str) -> list[str]:
    """What is to be put before a command, to have it begin without these descriptors."""
    return ["sh", "-c", f'exec "$@" {CLOSED[which]}', "sh"]


def test_a_run_without_stdin_is_recorded(run):
    done, status, said = run(
        "import pytest\n@pytest.mark.stress(cpu=1)\ndef test_it(): pass\n", before=without("stdin")
    )
    assert status == 0, said
    assert done.loads("end") == [("cpu", "1")]
    assert [row["outcome"] for row in done.tests] == ["passed"]


@pytest.mark.parametrize("which", ["stdout", pytest.param("stderr", marks=pytest.mark.slow)])
def test_where_pytest_itself_does_not_begin_nothing_is_left(run, which):
    left, status, _ = run("def test_it(): pass\n", "--twin", before=without(which))
    assert status == 1  # as without us
    assert not left.report.exists()
    seconds_until_gone(left)


@pytest.mark.parametrize("which", ["stdout", pytest.param("all", marks=pytest.mark.slow)])
def test_a_machine_is_recorded_though_nobody_can_be_told_of_it(tmp_path, which):
    flags = ["--interval=0.05", "--duration=150ms", "--report-dir=report"]
    command = [*without(which), sys.executable, "-m", "pytest_twin", "record", *flags]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "report" / "system_metrics_dataset.csv").read_text().count("\n") > 1


def test_a_pipe_that_breaks_ends_the_run_with_its_load_and_keeps_its_rows(start):
    run = start(LOADED, "-v", stdout=subprocess.PIPE)
    heard = 0
    while heard < 3:
        line = run.process.stdout.readline()
        assert line
        heard += b"PASSED" in line
    run.process.stdout.close()
    run.process.wait(120)
    seconds_until_gone(run)
    assert run.process.returncode != 0
    assert heard <= len(run.tests) < 2000
    assert len(run.loads("end")) >= heard
