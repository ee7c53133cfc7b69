"""The sampler: its loop on a made-up clock, and its process on the real one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pytest_twin
from pytest_twin.model.clock import Clock
from pytest_twin.model.csv_text import records
from pytest_twin.recording.recording import SAMPLER_PROGRAM
from pytest_twin.telemetry.probes import ProbeContext
from pytest_twin.telemetry.sampler import SamplerClient, SamplerError, SamplingGap, send
from pytest_twin.telemetry.sampler_config import SamplerConfig
from pytest_twin.telemetry.sampler_process import RowReader, SamplingLoop

linux = pytest.mark.skipif(sys.platform != "linux", reason="what the kernel does there")
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
ROOT = str(Path(pytest_twin.__file__).parent.parent)


class World:
    """A clock that stands still but for what is waited, and for what a row costs."""

    def __init__(self, stop_at: float, costs: dict[int, float] | None = None, *, full_until: int = 0) -> None:
        self.now = 100.0
        self.taken: list[float] = []
        self.written = 0
        self._stop_at = 100.0 + stop_at
        self._costs = costs or {}
        self._full_until = full_until

    def read(self, at: float) -> str:
        """A row, which takes its time."""
        self.now += self._costs.get(len(self.taken), 0.0)
        self.taken.append(at - 100.0)
        return "row\n"

    def write(self, row: str) -> None:
        """Write it, unless the disk is full."""
        self.written += 1
        if self.written <= self._full_until:
            raise OSError(28, "No space left on device")

    def wait(self, seconds: float) -> bool:
        """Wait, and be interrupted at the end of this world."""
        self.now = min(self.now + seconds, max(self.now, self._stop_at))
        return self.now >= self._stop_at

    def sampled(self, interval: float = 1.0) -> SamplingLoop:
        """The loop, run to its end."""
        sampling = SamplingLoop(self.read, self.write, interval)
        sampling.run(lambda: self.now, self.wait)
        return sampling


def test_rows_come_at_absolute_times_whatever_a_row_costs():
    world = World(stop_at=4.25, costs={1: 0.5, 2: 0.25, 3: 0.75})
    sampling = world.sampled()
    assert world.taken == [0.0, 1.0, 2.0, 3.0, 4.0, 4.25]  # the first is for the differences, and not written
    assert (sampling.rows, sampling.missed) == (5, 0)


def test_times_that_are_over_are_missed_and_counted():
    world = World(stop_at=6.25, costs={1: 3.5})
    sampling = world.sampled()
    assert world.taken == [0.0, 1.0, 5.0, 6.0, 6.25]
    assert (sampling.rows, sampling.missed) == (4, 3)


@pytest.mark.parametrize("stop_at", [2.0625, 2.25, 2.5, 2.96875])
def test_the_last_row_is_taken_however_soon_it_comes(stop_at):
    world = World(stop_at)
    assert world.sampled().rows == 3
    assert world.taken == [0.0, 1.0, 2.0, stop_at]


def test_the_last_row_is_read_as_such():
    world, last = World(2.25), []
    SamplingLoop(world.read, world.write, 1.0, read_last=lambda at: last.append(at) or "last\n").run(
        lambda: world.now, world.wait
    )
    assert (world.taken, last) == ([0.0, 1.0, 2.0], [102.25])


def test_counting_has_begun_when_that_is_told():
    """Whoever waits for it may write at once, and all of it is in the rows."""
    world, taken = World(1.25), []
    SamplingLoop(world.read, world.write, 1.0).run(
        lambda: world.now, world.wait, lambda: taken.append(len(world.taken))
    )
    assert taken == [1]


def test_there_is_always_one_row():
    world = World(stop_at=0.125)
    assert world.sampled().rows == 1
    assert world.taken == [0.0, 0.125]


def test_rows_that_cannot_be_written_are_counted_and_told_of_once():
    sampling = World(stop_at=5.25, full_until=3).sampled()
    assert (sampling.rows, sampling.dropped) == (3, 3)
    assert sampling.warnings == ["rows cannot be written: No space left on device"]


@given(st.dictionaries(st.integers(1, 30), st.integers(0, 80).map(lambda cost: cost / 4 + 1 / 8)), st.integers(1, 40))
def test_every_time_is_either_taken_or_missed(costs, stop_at):
    world = World(stop_at + 0.25, costs)
    sampling = world.sampled()
    first, *taken = world.taken
    assert (first, sampling.rows) == (0.0, len(taken))
    assert all(before < after for before, after in zip(world.taken, taken, strict=False))
    on_time = [at for at in taken if at == int(at)]  # all but the last one, on being stopped
    assert len(on_time) >= len(taken) - 1
    assert max(on_time, default=0) <= len(on_time) + sampling.missed <= world.now - 100


# What a row is


def reader(**options) -> RowReader:
    return RowReader(Clock(0.0, 0.0), ProbeContext(os.getpid()), **options)


def test_a_row_has_a_cell_for_each_column_of_the_header():
    rows = reader()
    header, cells = rows.header.rstrip("\n").split(","), rows.row(2.5).rstrip("\n").split(",")
    assert len(cells) == len(header)
    assert cells[0] == "1970-01-01T00:00:02.500Z"
    assert cells[header.index("elapsed_s")] == "2.5000"
    assert [column.name for column, _ in rows.values(3.0)] == header


@pytest.fixture
def broken_probe(tmp_path, monkeypatch) -> str:
    (tmp_path / "broken_probe.py").write_text(
        "from pytest_twin.model.columns import Column\n"
        "COLUMNS = (Column('one', '', 'One.'), Column('two', '', 'Two.'))\n"
        "class Broken:\n    def read(self, at):\n        raise ValueError('no such sensor')\n"
        "def probe(context):\n    return Broken()\n",
        encoding="ascii",
    )
    monkeypatch.syspath_prepend(tmp_path)
    return "broken_probe"


def test_a_probe_that_fails_costs_its_own_cells_and_is_told_of_once(broken_probe):
    rows = reader(extra=[broken_probe])
    assert all(rows.row(at).endswith(",,\n") for at in (0.0, 1.0))
    assert rows.warnings == ["broken_probe: ValueError: no such sensor"]


def test_a_probe_that_reads_too_few_values_costs_its_own_cells_too(broken_probe, tmp_path):
    path = tmp_path / "broken_probe.py"
    path.write_text(path.read_text(encoding="ascii").replace("raise ValueError('no such sensor')", "return (1.0,)"))
    sys.modules.pop("broken_probe", None)
    rows = reader(extra=[broken_probe])
    assert rows.row(0.0).count(",") == rows.header.count(",")


@linux
def test_a_kernel_that_does_not_tell_of_children_is_sampled_all_the_same():
    """CONFIG_PROC_CHILDREN is off in some kernels; the sampler is started with -I -S on Linux."""
    program = (
        f"import os, sys; sys.path[:0] = [{ROOT!r}]\n"
        "there = os.path.exists\n"
        "os.path.exists = lambda path: not str(path).endswith('/children') and there(path)\n"
        "from pytest_twin.model.clock import Clock\n"
        "from pytest_twin.telemetry.probes import ProbeContext\n"
        "from pytest_twin.telemetry.sampler_process import RowReader\n"
        "RowReader(Clock(0, 0), ProbeContext(os.getppid())).row(1.0)\n"
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True, capture_output=True, timeout=60)


# The process


@pytest.fixture
def sampler(tmp_path):
    """Makes samplers; whatever is left of them is ended."""
    made: list[SamplerClient] = []

    def make(**options) -> SamplerClient:
        client = {name: options.pop(name) for name in ("on_gap",) if name in options}
        clock = {"began": time.monotonic(), "epoch": time.time()}
        options = {"path": str(tmp_path / "dataset.csv"), "interval": 0.05, "has_tests": True, **clock, **options}
        made.append(SamplerClient(SamplerConfig(**options), SAMPLER_PROGRAM, **client))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def dataset(tmp_path):
    """The rows that there are now."""
    path = tmp_path / "dataset.csv"
    return lambda: records(path.read_text(encoding="ascii")) if path.exists() else []


def test_rows_come_twenty_times_a_second(sampler, dataset, eventually):
    began = time.monotonic()
    process = sampler(began=began)
    process.start()
    ready = time.monotonic() - began
    eventually(lambda: len(dataset()) >= 20)
    process.stop()
    rows = dataset()
    assert (process.stats.rows, process.stats.dropped, process.stats.warnings) == (len(rows), 0, ())
    times = [float(row["elapsed_s"]) for row in rows]
    assert times == sorted(set(times))
    due = len(rows) - 1 + process.stats.missed  # up to the last row but one, since it began: before it was ready
    assert (times[-2] - ready) / 0.05 - 1 <= due <= times[-1] / 0.05 + 1
    assert all(row["tests_process_count"] and row["cpu_count_logical"] for row in rows)


def test_it_goes_on_behind_the_rows_that_are_there(sampler, tmp_path):
    for _ in range(2):
        process = sampler()
        process.start()
        process.stop()
    text = (tmp_path / "dataset.csv").read_text(encoding="ascii")
    assert text.count("timestamp") == 1
    assert text.count("\n") >= 3  # the heading, and at least a row of each


def test_a_mere_recording_has_no_tests(sampler, dataset):
    process = sampler(has_tests=False, interval=60)
    process.start()
    process.stop()
    (row,) = dataset()
    assert (row["tests_process_count"], row["stress_process_count"]) == ("", "0")


def death_into(gaps: list[SamplingGap]):
    """Keeps the gaps of a sampler that died, without those of a machine that stood still for a moment."""
    return lambda gap: gap.reason.startswith("exit status") and gaps.append(gap)


@posix
def test_a_killed_sampler_is_started_once_more_and_the_gap_is_told(sampler, dataset, eventually):
    gaps: list[SamplingGap] = []
    process = sampler(interval=0.002, on_gap=death_into(gaps))
    process.start()
    eventually(lambda: len(dataset()) >= 50)
    before = process.pid
    psutil.Process(before).kill()
    eventually(lambda: gaps)
    assert process.pid != before
    rows = len(dataset())
    eventually(lambda: len(dataset()) >= rows + 20)
    process.stop()
    (gap,) = gaps
    assert gap.began < gap.ended
    assert gap.reason == "exit status -9"
    assert process.stats.warnings == ("the sampler died (exit status -9)",)
    assert process.stats.rows == pytest.approx(len(dataset()), abs=1)


@pytest.mark.fault("helpers")
@posix
def test_a_sampler_that_dies_again_is_not_started_again(sampler, dataset, eventually):
    gaps: list[SamplingGap] = []
    process = sampler(interval=0.01, on_gap=death_into(gaps))
    process.start()
    for deaths in (1, 2):
        rows = len(dataset())
        eventually(lambda rows=rows: len(dataset()) >= rows + 5)
        psutil.Process(process.pid).kill()
        eventually(lambda deaths=deaths: len(gaps) == deaths)
    process.stop()
    assert gaps[1].ended is None
    assert gaps[1].reason == "exit status -9 again"


@posix
def test_what_is_said_to_one_that_is_dead_is_not_kept_for_later():
    with subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE) as process:
        process.wait()
        send(process, b"\n")
        process.stdin.close()  # which writes what is left, to nobody


@posix
def test_a_killed_sampler_loses_at_most_the_row_it_was_writing(sampler, dataset, tmp_path, eventually):
    process = sampler(interval=0.002)
    process.start()
    eventually(lambda: len(dataset()) >= 50)
    psutil.Process(process.pid).kill()
    process.stop()
    header, *lines = (tmp_path / "dataset.csv").read_text(encoding="ascii").split("\n")
    assert {line.count(",") for line in lines[:-1]} == {header.count(",")}


def test_it_may_be_stopped_twice_and_before_its_start(sampler):
    process = sampler(interval=60)
    process.stop()
    assert (process.pid, process.stats.rows, process.stats.warnings) == (None, 0, ())
    process.start()
    process.stop()
    sampled = process.stats
    process.stop()
    assert (process.stats, sampled.rows) == (sampled, 1)


def test_a_probe_of_another_package_is_asked_too(sampler, dataset, broken_probe):
    process = sampler(probes=[broken_probe])
    process.start()
    process.stop()
    assert dataset()[-1]["two"] == ""
    assert process.stats.warnings == ("broken_probe: ValueError: no such sensor",)


def test_a_sampler_that_does_not_start_says_why(sampler):
    with pytest.raises(SamplerError) as caught:
        sampler(probes=["nowhere_probe"]).start()
    assert str(caught.value) == "the sampler did not start: ModuleNotFoundError: No module named 'nowhere_probe'"


@posix
def test_a_file_that_cannot_be_written_is_named(sampler, tmp_path):
    with pytest.raises(SamplerError) as caught:
        sampler(path=str(tmp_path)).start()
    assert str(caught.value) == f"the sampler did not start: IsADirectoryError: [Errno 21] Is a directory: '{tmp_path}'"


@posix
def test_ctrl_c_in_the_terminal_is_not_for_it(sampler):
    process = sampler()
    process.start()
    assert os.getpgid(process.pid) != os.getpgid(0)


def test_the_end_of_its_stdin_is_its_end(tmp_path):
    path, began, epoch = str(tmp_path / "dataset.csv"), time.monotonic(), time.time()
    config = SamplerConfig(60, path=path, began=began, epoch=epoch, parent_pid=os.getpid())
    done = subprocess.run(
        [sys.executable, "-I", SAMPLER_PROGRAM, config.to_json()],
        input="\n", cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == "ready\ndone 1 0 0\n"
    assert done.stderr == ""


def test_it_touches_no_file_before_it_is_to_begin(sampler, tmp_path):
    early = sampler()
    early.launch()
    time.sleep(0.2)
    assert not list(tmp_path.iterdir())
    early.begin()
    early.wait_ready()
    assert list(tmp_path.iterdir())


def test_one_that_never_began_is_ended_at_once(sampler, eventually_gone):
    early = sampler()
    early.launch()
    process = psutil.Process(early.pid)
    early.stop()
    eventually_gone([process])
    assert (early.pid, early.stats.rows, early.stats.warnings) == (None, 0, ())


@linux
def test_it_starts_without_what_it_does_not_need():
    """Each of these costs memory and time, in the process that should disturb least."""
    program = (
        f"import sys; sys.path[:0] = [{ROOT!r}]\n"
        "import pytest_twin.telemetry.sampler_process\n"
        "from pytest_twin.telemetry import probes\n"
        "made = [module.probe(probes.ProbeContext(1)).read(0.0) for module in probes.find_modules()]\n"
        "print(*sorted(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True, capture_output=True, text=True)
    heavy = {"typing", "re", "json", "collections", "threading", "subprocess", "datetime", "psutil", "pathlib"}
    assert heavy.isdisjoint(said.stdout.split())


@posix
def test_it_ends_with_its_parent_though_somebody_else_holds_its_stdin(tmp_path, eventually_gone):
    program = (
        "import os, time\n"
        "from pytest_twin.telemetry.sampler import SamplerClient\n"
        "from pytest_twin.telemetry.sampler_config import SamplerConfig\n"
        f"path, began, epoch = {str(tmp_path / 'dataset.csv')!r}, time.monotonic(), time.time()\n"
        "config = SamplerConfig(0.05, path=path, began=began, epoch=epoch)\n"
        f"sampler = SamplerClient(config, {SAMPLER_PROGRAM!r})\n"
        "sampler.start()\n"
        "heir = os.fork()\n"  # has the other end of the sampler's stdin too
        "if heir: print(sampler.pid, heir, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        sampler, heir = (psutil.Process(int(pid)) for pid in parent.stdout.readline().split())
        parent.send_signal(signal.SIGKILL)
        try:
            eventually_gone([sampler])
        finally:
            heir.kill()
    eventually_gone([heir])


# Against the kernel's own counters


@linux
@pytest.mark.parametrize("interval", [0.01, 0.1, 5.0])
def test_what_was_moved_up_to_the_end_is_all_in_the_rows(sampler, dataset, tmp_path, interval):
    """The last row comes at once, and asks for what it would not be time to ask for."""
    before = Path("/proc/self/io").read_text(encoding="ascii")
    most = _over_loopback()
    process = sampler(interval=interval)
    process.start()
    least, size = _over_loopback(), 8 << 20
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        threading.Thread(target=client.sendall, args=[bytes(size)], daemon=True).start()
        accepted, _ = server.accept()
        with accepted:
            left = size
            while left > 0:
                left -= len(accepted.recv(1 << 20))
    with (tmp_path / "written").open("wb") as file:
        for _ in range(8):
            file.write(bytes(1 << 20))
            file.flush()
            os.fsync(file.fileno())
    written = _written(Path("/proc/self/io").read_text(encoding="ascii")) - _written(before)
    least = _over_loopback() - least
    process.stop()
    most = _over_loopback() - most
    moved = {name: sum(float(row[name] or 0) for row in dataset()) for name in ("tests_write_MB", "net_loopback_MB")}
    assert moved["tests_write_MB"] == pytest.approx(written / 2**20, abs=0.5)
    assert 8 <= least / 2**20 <= moved["net_loopback_MB"] + 0.01
    assert moved["net_loopback_MB"] <= most / 2**20 + 0.01


def _over_loopback() -> int:
    """Bytes that went over loopback so far, also those of others."""
    return psutil.net_io_counters(pernic=True, nowrap=False)["lo"].bytes_sent


def _written(io: str) -> int:
    return int(io.split("\nwrite_bytes: ")[1].split(maxsplit=1)[0])
