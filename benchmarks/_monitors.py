"""The monitors to compare: the command of each for one sample a second, and the number of values per sample."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from _shared import program

OUT = "out"
SAMPLER = """import sys, time
from pytest_twin.recording.recording import SAMPLER_PROGRAM
from pytest_twin.telemetry.sampler import SamplerClient
from pytest_twin.telemetry.sampler_config import SamplerConfig
config = SamplerConfig(1.0, has_tests=True, path=sys.argv[1], began=time.monotonic(), epoch=time.time())
SamplerClient(config, SAMPLER_PROGRAM).start()
time.sleep(3600)
"""  # the parent is idle, so the process tree uses the CPU time of the sampler


class Monitor(NamedTuple):
    """A monitor.

    Attributes:
        name: Name in the table.
        program: The program to start.
        install: The command that installs it.
        arguments: Arguments of the program; ``{folder}``, ``{port}`` and ``{pid}`` are replaced.
        values: Counts the values of a sample in the files in its folder; its standard output is `OUT` there.
        scraped: Whether it takes a sample only for a request over HTTP.
    """

    name: str
    program: str
    install: str
    arguments: tuple[str, ...]
    values: Callable[[Path], int]
    scraped: bool = False

    @contextmanager
    def running(self, folder: Path) -> Iterator[tuple[int, Callable[[], None]]]:
        """Start it; yield its process ID and a function to call once a second."""
        port = free_port()
        filled = [each.format(folder=folder, port=port, pid=os.getpid()) for each in self.arguments]
        command = [program(self.program, self.install) or self.program, *filled]
        with (folder / OUT).open("wb") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
        try:
            yield process.pid, (lambda: scrape(port, folder / OUT)) if self.scraped else (lambda: None)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])


def scrape(port: int, path: Path) -> None:
    """Request the metrics of an exporter."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        path.write_bytes(answer.read())


def csv_columns(name: str) -> Callable[[Path], int]:
    """Count the columns of a CSV file with a header."""
    return lambda folder: (folder / name).read_text().partition("\n")[0].count(",") + 1


def metrics(folder: Path) -> int:
    """Count the lines of a scrape without comments."""
    return sum(not line.startswith("#") for line in (folder / OUT).read_text().splitlines())


def last_line(left_out: int) -> Callable[[Path], int]:
    """Count the fields of the last line that are values."""
    return lambda folder: max(0, len((folder / OUT).read_text().split("\n")[-2].split()) - left_out)


def of_processes(folder: Path) -> int:
    """Count the values of pidstat: a line per process with time, user, PID and name; an empty line ends a sample."""
    samples = (folder / OUT).read_text().split("\n\n")
    lines = [line.split() for line in samples[-2].splitlines() if not line.startswith("#")]
    return sum(len(fields) - 4 for fields in lines)


def of_atop(folder: Path) -> int:
    """Count the fields of one sample without the six at the start of each line."""
    text = output("atop", "-r", str(folder / "raw"), "-P", "ALL")
    sample = text.split("SEP\n")[1]
    return sum(len(line.split()) - 6 for line in sample.splitlines())


def of_sar(text: str) -> int:
    """Count the numbers per sample without averages; the first time is that before the first sample."""
    lines = [line for line in text.splitlines() if not line.startswith("Average")]
    samples = len({line[:8] for line in lines if line[2:3] == ":"}) - 1
    return len(re.findall(r"\s\d+(?:\.\d+)?(?=\s)", "\n".join(lines))) // max(1, samples)


def output(name: str, *arguments: str) -> str:
    """Return the output of a program."""
    return subprocess.run([program(name, "") or name, *arguments], capture_output=True, text=True, check=False).stdout


SYSSTAT = "apt-get install sysstat"
MONITORS = (
    Monitor("pytest-twin's sampler", sys.executable, "", ("-c", SAMPLER, "{folder}/csv"), csv_columns("csv")),
    Monitor(
        "pytest-twin record", "pytest-twin", "pip install pytest-twin",
        ("record", "--interval", "1", "--report-dir", "{folder}/run"), csv_columns("run/system_metrics_dataset.csv"),
    ),
    Monitor(
        "glances", "glances", "pip install glances",
        ("--quiet", "-t", "1", "--export", "csv", "--export-csv-file", "{folder}/csv"), csv_columns("csv"),
    ),
    Monitor(
        "prometheus-node-exporter", "prometheus-node-exporter", "apt-get install prometheus-node-exporter",
        ("--web.listen-address=127.0.0.1:{port}",), metrics, scraped=True,
    ),
    Monitor("atop", "atop", "apt-get install atop", ("-w", "{folder}/raw", "1"), of_atop),
    Monitor("collectl", "collectl", "apt-get install collectl", ("-i1", "-scmdn", "-P", "-oT"), last_line(2)),
    Monitor("pidstat", "pidstat", SYSSTAT, ("-u", "-r", "-d", "-h", "1"), of_processes),
    Monitor("sar", "sar", SYSSTAT, ("-A", "1"), lambda folder: of_sar((folder / OUT).read_text())),
    Monitor(
        "sadc", "/usr/lib/sysstat/sadc", SYSSTAT, ("-S", "ALL", "1", "{folder}/raw"),
        lambda folder: of_sar(output("sar", "-A", "-f", str(folder / "raw"))),
    ),
    Monitor(
        "psrecord", "psrecord", "pip install psrecord",
        ("{pid}", "--interval", "1", "--include-children", "--log", "{folder}/log"),
        lambda folder: len((folder / "log").read_text().splitlines()[-1].split()) - 1,
    ),
)  # fmt: skip
