"""The first minutes of a newcomer, who reads README.md, types what it shows and nothing else."""

from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from documentation_pages import LINK, README, ROOT, blocks_of

LONGEST_S = 840  # of the whole; a quiet machine takes a third of it
PIP = {"PIP_RETRIES": "10", "PIP_DEFAULT_TIMEOUT": "60", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
ADDRESS = "<address of this repository>"
UNAVAILABLE = ("No matching distribution", "Failed to establish", "Could not fetch")
# what is told of a machine that others use too, and not of the examples
BUSY = re.compile(r"TwinWarning: .*(starved|has not reported for|has made no progress for|is inconclusive)")

SUBJECTS = {
    "which test is heavy": "Which test is heavy",
    "reproduce a flake": "Make a flaky test fail on your laptop",
    "guard in CI": "First budget in CI",
    "replay a server": "Replay a production server",
    "Prometheus": "A run in Prometheus",
}


def linked_pages(page):
    """The pages that a page links to."""
    targets = {target for target, _ in LINK.findall(page.read_text(encoding="utf-8")) if target.endswith(".md")}
    return {(page.parent / target).resolve() for target in targets}


@pytest.mark.parametrize(("words", "heading"), SUBJECTS.items(), ids=SUBJECTS)
def test_a_newcomer_is_two_clicks_from_a_page_about_it(words, heading):
    near = linked_pages(README)
    near |= {page for one in near for page in linked_pages(one)}
    about = {page for page in near if re.search(rf"^#+ {heading}$", page.read_text(encoding="utf-8"), re.MULTILINE)}
    assert about
    lines = [line for line in README.read_text(encoding="utf-8").splitlines() if words.lower() in line.lower()]
    shown = {(README.parent / target).resolve() for line in lines for target, _ in LINK.findall(line)}
    shown |= {page for one in shown if one.suffix == ".md" for page in linked_pages(one)}
    assert about & shown


class Newcomer:
    """Types what the README shows, from its top to its end, into a shell whose environment it keeps.

    Attributes:
        folder: Where the shell is now.
        environment: Its variables, without those of the tests that run here.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ours = ("PYTEST_", "COVERAGE_", "COV_CORE_", "PYTHON", "VIRTUAL_ENV")
        self.environment = PIP | {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self._left = README.read_text(encoding="utf-8")

    def reads(self, text: str) -> None:
        """Find a text in the README, after all that was read before."""
        _, found, self._left = self._left.partition(text)
        assert found, f"not in the README, or before what was typed last: {text}"

    def activates(self, environment: Path) -> None:
        """Use the programs of a virtual environment from now on."""
        self.environment["PATH"] = os.pathsep.join((str(environment / "bin"), self.environment["PATH"]))
        self.environment["VIRTUAL_ENV"] = str(environment)

    def types(self, text: str, *, status: int = 0, stopped_when: Callable[[], bool] | None = None, **words: str) -> str:
        """Type a command of the README, and return what it prints; nothing of it may look like an error of ours.

        Args:
            text: The command.
            status: The exit status.
            stopped_when: Whether it is time to press Ctrl-C; None lets the command end by itself.
            words: What is typed in the place of other words, such as an address.
        """
        self.reads(text)
        command = text
        for place, value in words.items():
            command = command.replace(place, value)
        began = time.monotonic()
        shell = subprocess.Popen(
            ["bash", "-c", command], cwd=self.folder, env=self.environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            if stopped_when is not None:
                while shell.poll() is None and not stopped_when() and time.monotonic() - began < LONGEST_S:
                    time.sleep(0.1)
                if shell.poll() is None:
                    os.killpg(shell.pid, signal.SIGINT)
            printed, _ = shell.communicate(timeout=LONGEST_S)
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGKILL)
        print(f"{time.monotonic() - began:7.1f} s  {text}")
        if "pip install" in text and any(words in printed for words in UNAVAILABLE):
            pytest.skip("packages cannot be downloaded")
        assert shell.returncode == status, printed
        assert "Traceback (most recent call last)" not in printed
        assert [line for line in printed.splitlines() if "TwinWarning" in line and not BUSY.search(line)] == []
        return printed

    def writes(self, code: str, name: str) -> None:
        """Write a block of code into a file."""
        self.reads(code)
        (self.folder / name).write_text(code, encoding="utf-8")


def commands(block):
    """The commands of a block of a shell, without comments."""
    return [re.split(r"\s+#", line)[0] for line in block.text.splitlines()]


@pytest.fixture
def repository(tmp_path):
    """A repository with the files of this checkout, as they are now."""
    git = shutil.which("git")
    if not git or not (ROOT / ".git").exists():
        pytest.skip("no checkout")
    listed = subprocess.run([git, "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
                            check=True)  # fmt: skip
    made = tmp_path / "repository"
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, made / name)
    author = ("-c", "user.name=A", "-c", "user.email=a@example.invalid")
    for arguments in (("init", "-q"), ("add", "-A"), (*author, "commit", "-qm", "Everything")):
        subprocess.run([git, *arguments], cwd=made, check=True)
    return made


@pytest.fixture
def newcomer(tmp_path):
    """A newcomer in an empty folder, with an environment that has nothing but pip."""
    (tmp_path / "home").mkdir()
    venv.create(tmp_path / "environment", with_pip=True)
    made = Newcomer(tmp_path / "home")
    made.activates(tmp_path / "environment")
    return made


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="constraints need Linux")
def test_a_newcomer_gets_what_the_readme_promises(newcomer, repository):
    install, setup, suite, flaky, budget, load = (each for each in blocks_of(README) if each.language != "text")
    began = time.monotonic()

    clone, installed = commands(install)
    newcomer.types(clone, **{ADDRESS: shlex.quote(str(repository))})
    newcomer.types(installed)

    newcomer.folder /= "pytest-twin"
    assert "11 passed" in newcomer.types(*commands(setup))
    newcomer.activates(newcomer.folder / ".venv")
    promised = README.read_text(encoding="utf-8").partition("## What a run leaves")[2].partition("##")[0]
    files = re.findall(r"`([\w.]+\.(?:csv|json))`", promised)
    assert len(files) == 5
    assert [name for name in files if not (newcomer.folder / "twin-report" / name).exists()] == []

    newcomer.reads(*commands(suite))  # not typed: it runs these tests, without the slow ones

    repeat, search = commands(flaky)
    printed = newcomer.types(repeat, status=1)
    assert re.search(r"^failed \d+ of 10, first in run \d+\n +\d+ x AssertionError: ", printed, re.MULTILINE)
    printed = newcomer.types(search)
    assert re.search(r'^ *pytest "?examples/flaky/\S+::\S+ .*--twin-', printed, re.MULTILINE)

    newcomer.folder = newcomer.folder.parent / "shop"
    newcomer.folder.mkdir()
    newcomer.writes(budget.text, "test_budget.py")
    newcomer.writes(load.text, "test_load.py")
    own_project(newcomer)
    assert time.monotonic() - began < LONGEST_S


def own_project(newcomer):
    """Type what the table of the README has for a project of the newcomer's own."""
    report = newcomer.folder / "twin-report"
    assert "4 passed" in newcomer.types("pytest --twin --twin-report=html")
    with (report / "tests.csv").open(encoding="utf-8", newline="") as file:
        budgets = {row["nodeid"]: row["budget"] for row in csv.DictReader(file)}
    assert budgets["test_budget.py::test_import"] == "ok"
    assert budgets["test_budget.py::test_answers_on_a_busy_machine"]
    assert not any(budgets[test] for test in budgets if test.startswith("test_load"))
    assert "test_budget.py::test_import" in (report / "report.html").read_text(encoding="utf-8")
    annotations = (report / "annotations.csv").read_text(encoding="utf-8")
    assert all(f",{kind}," in annotations for kind in ("cpu", "memory", "disk"))

    dataset, now = report / "system_metrics_dataset.csv", datetime.now(UTC).isoformat()

    def is_long() -> bool:  # each row begins with its time
        return dataset.exists() and sum(line > now for line in dataset.read_text().splitlines()[1:]) > 6

    printed = newcomer.types("pytest-twin record --interval 1", stopped_when=is_long)
    assert "test" not in printed.partition("look at it:")[0]
    shutil.copy(dataset, newcomer.folder / "server.csv")
    assert "files: twin-report" in newcomer.types("pytest-twin run server.csv")
