"""The faults that pytest-twin has to survive, and the tests that inject them; written to docs/explanation/faults.md.

    pytest -m fault --junitxml=faults.xml
    python docs/generate.py faults.xml

The mark ``fault`` of a test, or of its module, names the row that the test proves. The page shows the names of the
tests and their results in faults.xml.
"""

from __future__ import annotations

import ast
import platform
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parent.parent


class Row(NamedTuple):
    """A row of the table."""

    fault: str
    injected_by: str
    required: str


ROWS = {
    "signals": Row(
        "SIGKILL, SIGTERM, SIGHUP, SIGQUIT, Ctrl-C (once, twice, to the process, to its group)",
        "`os.kill` of pytest, supervisor, sampler, and pairs of them, at random moments, also during start-up",
        "all stressors end within 1 s (`benchmarks/kill_storm.py` measures it); at most one row is lost",
    ),
    "endings": Row(
        "pass, fail, error in set-up or teardown, sys.exit, pytest.exit, os._exit, segfault, abort, time-out",
        "inner pytest runs",
        "the load stops at the end of its phase; no process is left",
    ),
    "xdist": Row(
        "a pytest-xdist worker dies, the controller dies, all of them die, with or without the sampler",
        "SIGKILL, SIGINT",
        "loads end within 1 s; events are kept; the sampler or the next reader completes the tables of a killed run",
    ),
    "hosts": Row(
        "a worker on another host dies, its connection breaks, its host becomes unreachable, the controller dies",
        "os._exit, SIGKILL, a connection that drops all data, `ip link set down` between network namespaces",
        "transferred rows are kept; the test fails; the run ends; no process or file is left on either host",
    ),
    "pauses": Row(
        "pdb, breakpoint(), Ctrl-Z, a stopped run, a frozen run (`docker pause`)",
        "piped stdin, SIGSTOP, the cgroup freezer",
        "loads pause within 0.5 s; the gap is recorded once; no load counts the time of the gap",
    ),
    "helpers": Row(
        "a stressor, the supervisor or the sampler dies, or cannot start",
        "SIGKILL, missing files",
        "the load is `abort`ed with the reason; the sampler is restarted once, the supervisor with the next load",
    ),
    "unkind tests": Row(
        "a test ignores SIGCHLD, forks and continues twice, freezes the clocks, removes the report directory",
        "inner pytest runs",
        "the run ends as without the plugin; its rows are kept, or their loss is reported",
    ),
    "memory": Row("memory runs out", "a memory cgroup", "the stressor is killed; the test survives"),
    "disk full": Row(
        "the disk is full: metrics, annotations, stress file",
        "/dev/full, a small tmpfs in a user namespace",
        "tests continue; dropped rows are counted; no row is corrupt; the reserve of free space is kept",
    ),
    "report directory": Row(
        "the report directory is missing, a file, read-only, a symbolic link of another user, or world-writable",
        "paths",
        "it is created, or a usage error is raised before any test; a link of another user is never followed",
    ),
    "clocks": Row(
        "the system clock jumps, the machine is suspended",
        "patched clocks",
        "durations come from the monotonic clock; the gap is recorded",
    ),
    "sources": Row(
        "psutil returns None or raises AccessDenied or NoSuchProcess; no /proc/diskstats, pressure, battery or cgroup",
        "fakes",
        "the cell is empty; the failure is reported once; the row is kept",
    ),
    "limits": Row(
        "low limits of memory, files and processes; one core; a low priority",
        "resource limits, taskset, nice",
        "a reduced load is reported as reduced, or the error is clear",
    ),
    "surroundings": Row(
        "the locale C, a closed stdout, a stdout that is a broken pipe",
        "environment and descriptors",
        "the run works and leaves no process",
    ),
    "test ids": Row(
        "test ids with `../`, commas, newlines, 5,000 characters, CON, surrogates, cells beginning with `= + - @`",
        "parametrization",
        "the test folder has a safe, unique name of at most 100 bytes; an event is one record; formulas are escaped",
    ),
    "long ids": Row(
        "test ids of 200,000 characters", "parametrization", "no argument or environment variable contains them (E2BIG)"
    ),
    "schedules": Row(
        "bad schedules: malformed, huge, deep, NaN, negative, unknown keys, cycles, shell text",
        "hypothesis, examples",
        "errors of one line; nothing is executed",
    ),
    "damaged folders": Row(
        "a damaged run folder: truncated line, missing file, wrong header, zero bytes, another version",
        "files",
        "readable parts are read; unreadable parts are reported",
    ),
    "long runs": Row(
        "10,000 tests; 24 hours of samples",
        "generated tests, a fast clock",
        "memory usage and the number of file descriptors do not grow",
    ),
}


HEAD = """# Faults

The faults that a run has to survive, and the tests that inject them. `docs/generate.py` writes this page from the names
of the tests and from the results of a run ({where}):

```sh
pytest -m fault --junitxml=faults.xml && python docs/generate.py faults.xml
```"""


class Proof(NamedTuple):
    """A test that proves a row."""

    row: str
    path: str
    name: str

    @property
    def sentence(self) -> str:
        """The name as a sentence."""
        return self.name.removeprefix("test_").replace("_", " ")


def proofs() -> list[Proof]:
    """Return all tests with the mark, in the order of rows, files and lines."""
    order = list(ROWS)
    found = [proof for path in sorted((ROOT / "tests").rglob("test_*.py")) for proof in _proofs_in(path)]
    return sorted(found, key=lambda proof: order.index(proof.row))


def _proofs_in(path: Path) -> Iterator[Proof]:
    text = path.read_text(encoding="utf-8")
    if "mark.fault(" not in text:
        return
    tree = ast.parse(text)
    of_module = [
        row
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "pytestmark"
        for row in _marks(node.value)
    ]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for row in (*of_module, *(row for each in node.decorator_list for row in _marks(each))):
                yield Proof(row, path.relative_to(ROOT).as_posix(), node.name)


def _marks(where: ast.AST) -> Iterator[str]:
    """Yield the rows that ``pytest.mark.fault("...")`` names below a node."""
    for node in ast.walk(where):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "fault":
            (row,) = node.args
            yield ast.literal_eval(row)


def results(junit: Path) -> dict[tuple[str, str], str]:
    """Return the result of each test by file and name, over all parameters: ``3 passed, 1 skipped (reason)``."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    reasons: dict[tuple[str, str], str] = {}
    for case in ET.parse(junit).iter("testcase"):  # noqa: S314 - our own file
        test = case.attrib["classname"].replace(".", "/") + ".py", case.attrib["name"].partition("[")[0]
        children = {child.tag: child for child in case}
        outcome = (
            "failed" if {"failure", "error"} & children.keys() else "skipped" if "skipped" in children else "passed"
        )
        counts[test][outcome] += 1
        if outcome == "skipped":
            reasons[test] = f" ({children['skipped'].attrib.get('message', '')})"
    return {
        test: ", ".join(f"{times} {outcome}{reasons[test] if outcome == 'skipped' else ''}" for outcome, times in
                        sorted(outcomes.items()))
        for test, outcomes in counts.items()
    }  # fmt: skip


def page(runs: Sequence[Path]) -> str:
    """Return the page from the results of these runs; for a test in several of them, the last one is shown."""
    found = {test: said for run in runs for test, said in results(run).items()}
    where = f"{platform.system()}, {platform.machine()}, Python {platform.python_version()}"
    lines = [HEAD.format(where=where)]
    for key, row in ROWS.items():
        lines += ["", f"## {row.fault[0].upper()}{row.fault[1:]}", ""]
        lines += [f"Injected by {row.injected_by}. Required: {row.required}.", "", "| test | result |", "|---|---|"]
        for proof in proofs():
            if proof.row == key:
                where = f"[{proof.sentence}](../../{proof.path})"
                lines.append(f"| {where} | {found.get((proof.path, proof.name), 'not run')} |")
    return "\n".join(lines) + "\n"
