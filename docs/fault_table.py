"""The faults that pytest-twin has to survive, and the tests that inject them: docs/faults.md.

    pytest -m fault --junitxml=faults.xml
    python docs/generate.py faults.xml

A test says which row it proves with the mark ``fault``, at itself or at its module; the page has the tests' own names,
and what the run in faults.xml made of them.
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
        "`os.kill` at random moments, also during start-up, of pytest, supervisor, sampler, and pairs",
        "all stressors gone within 1 s (`benchmarks/kill_storm.py` measures it); rows kept, at most one lost",
    ),
    "endings": Row(
        "pass, fail, error in set-up or teardown, sys.exit, pytest.exit, os._exit, segfault, abort, time-out",
        "inner pytest runs",
        "the load stops at the right border, no process is left",
    ),
    "xdist": Row(
        "a pytest-xdist worker dies, the controller dies, all of them die, with the sampler and without",
        "SIGKILL, SIGINT",
        "loads gone within 1 s, events kept; the sampler or the next reader completes the tables of a killed run",
    ),
    "hosts": Row(
        "a worker on another host dies, its connection breaks, its host is cut off, the controller dies",
        "os._exit, SIGKILL, a line that swallows everything, `ip link set down` between network namespaces",
        "what was handed over is kept, the test fails, the run ends; nothing is left on either host",
    ),
    "pauses": Row(
        "pdb, breakpoint(), Ctrl-Z, a stopped run, a frozen one (`docker pause`)",
        "piped stdin, SIGSTOP, the freezer of control groups",
        "loads pause within 0.5 s, the gap is marked once, no load is charged with it",
    ),
    "helpers": Row(
        "a stressor, the supervisor or the sampler dies, or cannot start",
        "SIGKILL, missing files",
        "`abort` with the reason; the sampler is started once more, the supervisor with the next load",
    ),
    "unkind tests": Row(
        "a test ignores SIGCHLD, forks and lets both go on, freezes the clocks, removes the report directory",
        "inner pytest runs",
        "the run ends as without us; its rows are kept, or it is told that they are gone",
    ),
    "memory": Row("memory runs out", "a memory cgroup", "the stressor dies, the test survives"),
    "disk full": Row(
        "the disk is full: metrics, annotations, stress file",
        "/dev/full, a small tmpfs in a user namespace",
        "tests go on, dropped rows are counted, no row is corrupt, the floor of free space is kept",
    ),
    "report directory": Row(
        "the report directory is missing, a file, read-only, a link of somebody else's, or writable by everybody",
        "paths",
        "it is made, or one usage error before any test; a link of somebody else's is never followed",
    ),
    "clocks": Row(
        "the calendar clock jumps, the machine is suspended",
        "patched clocks",
        "durations come from the monotonic clock, the gap is marked",
    ),
    "sources": Row(
        "psutil tells None, AccessDenied or NoSuchProcess; no /proc/diskstats, pressure, battery or cgroup",
        "fakes",
        "an empty cell, a failure told once, the row kept",
    ),
    "limits": Row(
        "low limits of memory, files and processes; one core; a low priority",
        "resource limits, taskset, nice",
        "a reduced load says so, or there is a clear error",
    ),
    "surroundings": Row(
        "locale C, stdout closed, stdout a pipe that breaks",
        "environment and descriptors",
        "it works, and leaves nothing",
    ),
    "test ids": Row(
        "test ids with `../`, commas, newlines, 5,000 characters, CON, surrogates, cells beginning with `= + - @`",
        "parametrisation",
        "a safe unique name of at most 100 bytes within the folder; one event stays one record; formulas are defused",
    ),
    "long ids": Row(
        "ids of 200,000 characters", "parametrisation", "they are in no arguments and no environment: no E2BIG"
    ),
    "schedules": Row(
        "bad schedules: malformed, huge, deep, NaN, negative, unknown keys, cycles, shell text",
        "hypothesis, examples",
        "errors of one line, nothing executed",
    ),
    "damaged folders": Row(
        "a damaged run folder: torn line, missing file, wrong header, zero bytes, another version",
        "files",
        "what is readable is read, what is not is told",
    ),
    "long runs": Row(
        "10,000 tests; 24 hours of samples", "generated tests, a fast clock", "memory and descriptors do not grow"
    ),
}


HEAD = """# Faults

What may happen to a run, and the tests that make it happen. This page is written by `docs/generate.py` from the names
of the tests, and from what a run of them came to ({where}):

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
        """Its name, as a sentence."""
        return self.name.removeprefix("test_").replace("_", " ")


def proofs() -> list[Proof]:
    """All tests that have the mark, in the order of the rows, files and lines."""
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
    """The rows that ``pytest.mark.fault("...")`` names there."""
    for node in ast.walk(where):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "fault":
            (row,) = node.args
            yield ast.literal_eval(row)


def results(junit: Path) -> dict[tuple[str, str], str]:
    """What a run made of each test, by file and name, all its parameters together: ``3 passed, 1 skipped (why)``."""
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
    """The page, from the results of these runs; of a test that is in several, the last one counts."""
    found = {test: said for run in runs for test, said in results(run).items()}
    where = f"{platform.system()}, {platform.machine()}, Python {platform.python_version()}"
    lines = [HEAD.format(where=where)]
    for key, row in ROWS.items():
        lines += ["", f"## {row.fault[0].upper()}{row.fault[1:]}", ""]
        lines += [f"Injected by {row.injected_by}. Required: {row.required}.", "", "| test | result |", "|---|---|"]
        for proof in proofs():
            if proof.row == key:
                where = f"[{proof.sentence}](../{proof.path})"
                lines.append(f"| {where} | {found.get((proof.path, proof.name), 'not run')} |")
    return "\n".join(lines) + "\n"
