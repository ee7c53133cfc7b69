"""Tests that replace what is in the standard library: outcomes, rows, loads and budgets are as without that."""

from __future__ import annotations

import importlib
from collections import Counter

import pytest

MODULES = (
    "os", "sys", "json", "time", "resource", "threading", "tempfile", "subprocess", "select", "signal",
)  # fmt: skip
BREAK_PYTEST = {
    "os.dup2", "os.environ", "os.fstat", "os.getcwd", "os.putenv", "os.times", "sys.getrecursionlimit", "sys.modules",
    "sys.version_info",
}  # fmt: skip
COMMON = {
    "os": "close dup fspath getpid listdir lseek name open path pread read scandir sep stat sysconf write",
    "sys": "exc_info executable flags maxsize platform",
    "json": "dumps loads JSONDecoder JSONEncoder",
    "time": "clock_gettime gmtime localtime monotonic perf_counter sleep strftime time time_ns",
    "resource": "getrusage getrlimit RUSAGE_CHILDREN RUSAGE_SELF",
    "threading": "Condition Event Lock Thread current_thread get_ident",
    "tempfile": "TemporaryFile gettempdir mkdtemp",
    "subprocess": "Popen PIPE",
    "select": "poll select",
    "signal": "pthread_sigmask set_wakeup_fd signal",
}

OTHERS = [
    f"-pno:{name}"
    for name in (
        "asyncio",
        "anyio",
        "hypothesispytest",
        "timeout",
        "rerunfailures",
        "cacheprovider",
        "socket",
        "pytest_socket",
        "subprocess",
        "pyfakefs",
        "time_machine",
    )
]

SUITE = """
    import importlib, pytest

    class ReplacedError(BaseException if {is_base} else Exception): pass

    class Raises:
        def __call__(self, *_, **__): raise ReplacedError
        def __getattr__(self, name): raise ReplacedError

    @pytest.fixture
    def replaced(name, monkeypatch):
        module, _, attribute = name.partition(".")
        monkeypatch.setattr(importlib.import_module(module), attribute, Raises())

    @pytest.mark.stress(cpu=1)
    @pytest.mark.twin_budget(duration=60, cpu_seconds=60, peak_memory="64GiB", children=0)
    @pytest.mark.parametrize("name", {names})
    class TestIt:
        def test_before(self, replaced, twin_logger):
            with twin_logger.phase("phase"):
                twin_logger.annotate("note", number=1)

        def test_in_time(self, twin_logger, replaced):
            with twin_logger.phase("phase"):
                twin_logger.annotate("note", number=1)
"""


def public(module: str) -> list[str]:
    """The names of a module that a test may replace without an error of pytest itself."""
    names = (f"{module}.{name}" for name in dir(importlib.import_module(module)) if not name.startswith("_"))
    return [name for name in names if name not in BREAK_PYTEST]


def demand_all(pytester, left, names, **how):
    """Run a suite that replaces these names, one after another, and see to it that nothing is missing."""
    pytester.makepyfile(SUITE.format(names=names, is_base=False))
    result = pytester.runpytest_subprocess("-p", "no:xdist", *OTHERS)
    result.assert_outcomes(passed=2 * len(names))
    assert "pytest-twin" not in "".join(line for line in result.outlines if "warning" in line)
    ids = {f"{test}[{name}]" for test in ("test_before", "test_in_time") for name in names}
    rows = {row["nodeid"].rpartition("::")[2]: row for row in left.tests}
    assert rows.keys() == ids
    missing = {
        (name, column)
        for name, row in rows.items()
        for column in (
            "start",
            "elapsed_s",
            "setup_s",
            "call_s",
            "teardown_s",
            "cpu_user_s",
            "children_cpu_s",
            "peak_memory_MB",
        )
        if not row[column]
    }
    assert missing == set()
    assert {(row["outcome"], row["load"], row["budget"]) for row in rows.values()} == {("passed", "cpu=1", "ok")}
    assert len(left.loads("end")) == len(ids)
    having = Counter((row["type"], row["event"]) for row in left.events)
    for kind in ("cpu", "test", "phase"):
        assert (
            having[kind, "start"] == len(ids) == having[kind, "end"] + (having["cpu", "abort"] if kind == "cpu" else 0)
        )
    assert having["note", "note"] == len(ids)


@pytest.mark.slow
@pytest.mark.skipif("sys.platform == 'win32'")
def test_names_of_the_standard_library_that_a_test_replaces_change_nothing(pytester, left):
    demand_all(pytester, left, [f"{module}.{name}" for module, names in COMMON.items() for name in names.split()])


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_no_name_that_a_test_replaces_changes_anything(pytester, left, module):
    pytest.importorskip(module)
    demand_all(pytester, left, public(module))
