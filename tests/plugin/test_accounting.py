"""tests.csv: exact figures from the kernel's counters."""

from __future__ import annotations

import gc
import sys

import pytest
from inner_runs import WAITS

linux = pytest.mark.skipif(sys.platform != "linux", reason="what the kernel tells of memory and of living children")
posix = pytest.mark.skipif(sys.platform == "win32", reason="getrusage(2)")

BURN = """
import subprocess, sys, time

def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass

def child(program):
    return [sys.executable, "-S", "-c", program]

BURNS = "import time\\nwhile time.process_time() < {}: pass"
FILLS = "b = bytearray(300 << 20); b[::4096] = b'1' * len(range(0, len(b), 4096))"
"""


@pytest.fixture
def tests(pytester, left):
    """Runs these tests, with a sample too seldom to tell anything, and comes back with their rows by name."""

    def run(body: str, interval: float = 60, *, apart: bool = False) -> dict[str, dict[str, str]]:
        gc.collect()  # what tests before this one left is not freed in one of these
        pytester.makepyfile(BURN + body)
        runs = pytester.runpytest_subprocess if apart else pytester.runpytest_inprocess
        runs("--twin", f"--twin-interval={interval}").assert_outcomes(passed=body.count("def test_"))
        return {row["nodeid"].rpartition("::")[2]: row for row in left.tests}

    return run


@posix
def test_a_test_of_three_milliseconds_has_its_true_figures(tests):
    times = range(5)  # a single one may have to collect garbage, for example
    rows = tests("".join(f"def test_short_{n}(): burn(0.003)\ndef test_none_{n}(): pass\n" for n in times))
    short, none = (
        min(float(rows[f"test_{name}_{n}"]["cpu_user_s"]) + float(rows[f"test_{name}_{n}"]["cpu_system_s"])
            for n in times) for name in ("short", "none")
    )  # fmt: skip
    assert short > 0.003
    assert none < short


@linux
def test_memory_that_is_there_for_a_moment_only_is_in_the_peak_of_its_test(tests):
    rows = tests("""
def test_large():
    large = bytearray(500 << 20)
    large[::4096] = b"1" * len(range(0, len(large), 4096))
    time.sleep(0.05)

def test_small(): pass
""")
    large, small = (float(rows[name]["peak_memory_MB"]) for name in ("test_large", "test_small"))
    assert large - small == pytest.approx(500, abs=50)


LEAK = """
KEPT = []
def test_before(): pass
def test_leak(): KEPT.append(b"x" * (60 << 20))
def test_innocent(): pass
def test_moment(): b"x" * (30 << 20)
def test_freed(): KEPT.clear()
"""


@linux
def test_memory_that_a_test_leaves_behind_is_its_own_and_not_that_of_later_tests(tests):
    rows = tests(LEAK, apart=True)
    growth, kept, before = (
        {name: float(row[f"memory_{which}_MB"]) for name, row in rows.items()} for which in ("growth", "kept", "before")
    )
    quiet = {"test_before", "test_innocent", "test_freed"}
    assert [growth["test_leak"], growth["test_moment"]] == pytest.approx([60, 30], abs=2)
    assert all(0 <= growth[name] < 5 for name in quiet)
    assert [kept["test_leak"], kept["test_freed"]] == pytest.approx([60, -60], abs=2)
    assert all(abs(kept[name]) < 5 for name in ("test_before", "test_innocent", "test_moment"))
    assert before["test_innocent"] - before["test_leak"] == pytest.approx(60, abs=5)
    for row in rows.values():
        parts = float(row["memory_before_MB"]) + float(row["memory_growth_MB"])
        assert float(row["peak_memory_MB"]) == pytest.approx(parts, abs=0.002)


@linux
def test_fixtures_are_in_what_a_test_keeps(tests):
    rows = tests("""
import pytest
@pytest.fixture
def large():
    kept = [b"x" * (40 << 20)]
    yield kept
    kept.clear()
def test_large(large): pass
""")
    assert float(rows["test_large"]["memory_growth_MB"]) == pytest.approx(40, abs=5)
    assert abs(float(rows["test_large"]["memory_kept_MB"])) < 5


@pytest.mark.slow
@posix
def test_what_a_child_used_is_in_the_test_that_waited_for_it(tests, pytester):
    program = """
TELLS = "\\nopen('used', 'w').write(str(time.process_time()))"
def test_child(): subprocess.run(child(FILLS + "\\n" + BURNS.format(1) + TELLS), check=True)
def test_other(): subprocess.run(child("pass"), check=True)
"""
    rows = tests(program, apart=True)  # the kernel keeps the largest of all that ended, and this process had others
    used = float((pytester.path / "used").read_text())
    assert used - 0.02 <= float(rows["test_child"]["children_cpu_s"]) <= used + 0.9  # with its end
    assert float(rows["test_child"]["cpu_user_s"]) < 0.5
    assert 300 <= float(rows["test_child"]["children_peak_memory_MB"]) <= 400
    assert float(rows["test_other"]["children_cpu_s"]) < 0.5
    assert rows["test_other"]["children_peak_memory_MB"] == ""


@linux
def test_a_small_program_is_not_charged_with_the_memory_of_the_test_that_started_it(tests):
    rows = tests(
        """
def test_large():
    large = bytearray(200 << 20)
    large[::4096] = b"1" * len(range(0, len(large), 4096))
    subprocess.run(child("pass"), check=True)
""",
        apart=True,
    )
    assert float(rows["test_large"]["peak_memory_MB"]) > 200
    assert rows["test_large"]["children_peak_memory_MB"] == ""


@linux
def test_a_child_that_lives_on_is_charged_to_the_test_in_which_it_worked(tests):
    rows = tests("""
import pytest
WORKS = "import sys, time\\nprint(flush=True)\\nfor line in sys.stdin:\\n    " \\
        "until = time.process_time() + 0.3\\n    while time.process_time() < until: pass\\n    print(flush=True)"

@pytest.fixture(scope="module")
def server():
    with subprocess.Popen(child(WORKS), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()  # its start is over
        yield process

def work(server):
    print(file=server.stdin, flush=True)
    server.stdout.readline()

def test_idle(server): pass
def test_busy(server): work(server)
def test_busier(server): work(server), work(server)
""")
    idle, busy, busier = (float(rows[f"test_{name}"]["children_cpu_s"]) for name in ("idle", "busy", "busier"))
    assert idle < 0.25
    assert busy == pytest.approx(0.3, abs=0.1)
    assert 0.5 < busier < 0.85  # though it ended, with all that it used, in this one's teardown


@pytest.mark.slow
@linux
def test_what_our_own_processes_used_is_not_charged_to_the_test_in_which_they_died(tests):
    rows = tests("""
import psutil, pytest

@pytest.mark.stress(cpu=1)
def test_loaded(): time.sleep(1)

def test_death():
    for process in psutil.Process().children():
        process.kill()
    time.sleep(0.3)

@pytest.mark.stress(cpu=1)
def test_loaded_again(): subprocess.run(child(BURNS.format(0.2)), check=True)
""")
    loaded, death, again = (float(row["children_cpu_s"]) for row in rows.values())
    assert loaded < 0.2
    assert death < 0.2
    assert 0.19 <= again < 0.39


def test_a_test_that_stops_the_clock_for_itself_has_true_times_all_the_same(tests, left):
    rows = tests("""
import pytest

@pytest.fixture
def frozen(monkeypatch):  # as pytest-freezer does it: in all modules that have the clock
    clock = time.monotonic
    for module in [module for name, module in sys.modules.items() if name.partition(".")[0] in {"time", "pytest_twin"}]:
        for name in [name for name, value in vars(module).items() if value is clock]:
            monkeypatch.setattr(module, name, lambda: 1e9)

@pytest.mark.stress(cpu=1)
def test_frozen(frozen, twin_logger):
    assert time.monotonic() == 1e9
    twin_logger.annotate("here")
    time.sleep(0.2)
""")
    row = rows["test_frozen"]
    setup, call, teardown, whole = (float(row[f"{name}_s"]) for name in ("setup", "call", "teardown", "duration"))
    assert min(setup, teardown) > 0
    assert 0.2 <= call <= setup + call + teardown <= whole < 60
    times = [float(event["elapsed_s"]) for event in left.events]
    assert times == sorted(times)
    assert times[-1] < 60


@posix
def test_what_a_load_uses_is_not_charged_to_the_test(tests):
    rows = tests("""
import pytest

@pytest.mark.stress(cpu=2)
def test_loaded(): time.sleep(0.3)
""")
    assert float(rows["test_loaded"]["children_cpu_s"]) < 0.1
    assert float(rows["test_loaded"]["cpu_user_s"]) < 0.3


@linux
def test_what_only_samples_tell_is_there_where_one_fell_into_the_test(tests):
    rows = tests(WAITS + """
def test_small(): wait_for_samples(2)
def test_child():
    with subprocess.Popen(child(FILLS + "; print(flush=True); input()"), stdin=-1, stdout=-1) as process:
        process.stdout.readline()
        wait_for_samples(2)
        process.communicate(b"\\n")
""", interval=0.05)  # fmt: skip
    small, grown = (float(rows[f"test_{name}"]["tree_peak_memory_MB"]) for name in ("small", "child"))
    assert 300 <= grown - small <= 400


def test_the_starts_of_the_phases_are_in_the_row(tests):
    row = tests(
        "import pytest\n"
        "@pytest.fixture\n"
        "def slow():\n    time.sleep(0.2)\n    yield\n    time.sleep(0.05)\n"
        "def test_it(slow): time.sleep(0.1)\n"
    )["test_it"]
    starts, walls = (
        [float(row[f"{phase}{end}"]) for phase in ("setup", "call", "teardown")] for end in ("_start_s", "_s")
    )
    ends = [start + wall for start, wall in zip(starts, walls, strict=True)]
    assert 0 <= starts[0] <= ends[0] <= starts[1] <= ends[1] <= starts[2] <= ends[2] <= float(row["duration_s"]) + 1e-5
    assert starts[1] >= 0.2
    assert starts[2] >= 0.3
