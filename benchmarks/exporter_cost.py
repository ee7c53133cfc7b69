"""Measure the CPU time of the process that exports a run to Prometheus, scraped once a second.

    python benchmarks/exporter_cost.py --seconds 30

The peer is node_exporter with all of its default collectors, scraped as often at the same time. The CPU time of the
sampler is measured with and without the exporter in turns: the exporter reads what the sampler writes anyway.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from _shared import cpu_s, program, ratios, show, tree

PEER = "prometheus-node-exporter"
SETTLE_S = 3.0  # imports and the first rows


@contextmanager
def started(command: Sequence[object]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the end of the block."""
    silent = subprocess.DEVNULL
    with subprocess.Popen([*map(str, command)], stdout=silent, stderr=silent) as process:
        try:
            yield process
        finally:
            process.terminate()


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def find_exporter(recording: int) -> int:
    """Return the process id of the exporter of a recording, which is no child of it, but has its id as an argument."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().decode(errors="replace").rstrip("\0").split("\0")
            if any("exporter_main.py" in word for word in words) and words[-1] == str(recording):
                return int(path.parent.name)
    raise RuntimeError("the recording has no exporter")


def scrape(port: int) -> int:
    """Return the bytes of a scrape."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return len(answer.read())


def measure(folder: Path, seconds: float, peer: str | None, *, is_exported: bool) -> dict[str, float]:
    """Return the share of one core, in per cent, of each process of a recording."""
    port, peer_port = free_port(), free_port()
    command = [sys.executable, "-m", "pytest_twin", "record", "--interval", 0.1, "--report-dir", folder]
    if is_exported:
        command += ["--prometheus", port]
    beside = [peer, f"--web.listen-address=127.0.0.1:{peer_port}"] if peer else [sys.executable, "-c", "input()"]
    with started(command) as recording, started(beside) as other:
        time.sleep(SETTLE_S)
        # below the recording is its sampler alone: there is no load
        pids = {"sampler": next(pid for pid in tree(recording.pid) if pid != recording.pid)}
        ports = [port] if is_exported else []
        if is_exported:
            pids["exporter"] = find_exporter(recording.pid)
            if peer:
                pids[PEER] = other.pid
                ports.append(peer_port)
        used, began = {name: cpu_s(pid) for name, pid in pids.items()}, time.monotonic()
        for number in range(int(seconds)):
            for each in ports:
                scrape(each)
            time.sleep(max(0.0, began + number + 1 - time.monotonic()))
        wall = time.monotonic() - began
        return {name: 100 * (cpu_s(pid) - used[name]) / wall for name, pid in pids.items()}


def main() -> None:
    """Measure, and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30, help="of each measurement (default: 30)")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds (default: 3)")
    given = parser.parse_args()
    peer = program(PEER, f"apt-get install {PEER}")
    exported, alone = [], []
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as name:
            exported.append(measure(Path(name) / "exported", given.seconds, peer, is_exported=True))
            alone.append(measure(Path(name) / "alone", given.seconds, None, is_exported=False))
    shares = [each["exporter"] for each in exported]
    show("exporter, a scrape a second", shares, "%", "at most 1")
    if peer:
        show(f"{PEER}, the same", [each[PEER] for each in exported], "%")
        show(f"exporter by {PEER}", ratios(shares, [each[PEER] for each in exported]))
    with_it, without = ([each["sampler"] for each in found] for found in (exported, alone))
    show("sampler beside it", with_it, "%")
    show("sampler without it", without, "%")
    show("sampler beside it by without", ratios(with_it, without), "", "1")


if __name__ == "__main__":
    main()
