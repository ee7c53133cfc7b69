"""The tables of a run are read once at its end, piece by piece, and once more for all that reports on them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

TESTS = """
def test_one():
    pass

def test_two():
    pass
"""

PROGRAM = """
import json, os, sys

opened = []

def watch(event, args):
    if event == "open" and isinstance(args[0], (str, bytes, os.PathLike)):
        folder, name = os.path.split(os.path.abspath(os.fsdecode(args[0])))
        is_read = args[1] in ("r", "rb") if args[1] else not args[2] & (os.O_WRONLY | os.O_RDWR)
        if os.path.basename(folder) == "twin-report" and name in ("tests.csv", "annotations.csv") and is_read:
            opened.append(name)

sys.addaudithook(watch)
import pytest

class Plugin:
    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self):
        opened.clear()

status = pytest.main(sys.argv[1:], plugins=[Plugin()])
print("opened", json.dumps(opened))
sys.exit(status)
"""


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--twin-compare=last"]])
def test_each_table_is_read_once_at_the_end_of_a_session_and_for_all_reports_together(tmp_path, more):
    (tmp_path / "test_it.py").write_text(TESTS)
    options = ["--twin", "--twin-interval=0.05", "-p", "no:cacheprovider"]

    def run(*others: str) -> list[str]:
        command = [sys.executable, "-c", PROGRAM, *options, *others]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "warning" not in done.stdout
        return sorted(json.loads(done.stdout.rpartition("opened ")[2]))

    assert run() == ["annotations.csv", "tests.csv"]
    if more:
        run("--twin-save=main")
    frames_and_failures = ["annotations.csv", "tests.csv", "tests.csv"]  # whatever the number of reports
    assert run("--twin-report=html,md,json", *more) == sorted(["annotations.csv", "tests.csv", *frames_and_failures])
