"""Check that bad schedules are read or rejected quickly with a few clear lines, and that nothing in them is executed.

    python benchmarks/schedule_fuzz.py --tries 100000

Valid schedules (JSON, TOML, the legacy list) are mutated: invalid values, duplicate, unknown or missing keys, cycles,
shell commands, other encodings, missing bytes. Arbitrary bytes, deep nesting and long files are tried too. Audit events
of the interpreter show executed commands, files opened for writing, removals and connections. A file with another
result is kept, and its name is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import suppress
from pathlib import Path

from _bad_schedules import MARKER, MODERN, RECORDINGS, files, recording
from _shared import show_one

from pytest_twin.loads.schedule.schedule import ScheduleError
from pytest_twin.run_folder.schedule_file import open_schedule
from pytest_twin.stressors import find_kinds

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
RUNS = [
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
    "os.startfile",
    "exec",
    "compile",
    "socket.connect",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.truncate",
    "os.chmod",
    "os.link",
    "os.symlink",
    "pickle.find_class",
]
LONGEST_LINE = 3000
LONG = 1 << 16  # size in bytes above which the time limit grows with the size of the file


class Watch:
    """Count the side effects of the interpreter while it is enabled."""

    def __init__(self) -> None:
        self.is_on = False
        self.seen: Counter[str] = Counter()
        sys.addaudithook(self._hear)

    def _hear(self, name: str, arguments: tuple[object, ...]) -> None:
        if self.is_on and (name in RUNS or (name == "open" and _is_to_write(*arguments))):
            self.is_on = False  # its own output does not count
            self.seen[f"{name} {arguments!r:.80}"] += 1
            self.is_on = True


def _is_to_write(path: object, mode: object, flags: object) -> bool:  # noqa: ARG001 - the signature of the event
    return isinstance(flags, int) and bool(flags & WRITING)


class Fuzz:
    """The tries and their results."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.kinds, self.watch = folder, find_kinds(), Watch()
        self.read = self.refused = self.lines = 0
        self.wrong: list[str] = []
        self.slowest, self.slowest_per_mib = (0.0, ""), (0.0, "")

    def attempt(self, number: int, name: str, content: bytes) -> None:
        """Try one file."""
        path = self.folder / name
        path.write_bytes(content)
        self.watch.is_on = True
        began = time.thread_time()
        try:
            open_schedule(path, self.kinds)
        except ScheduleError as error:
            took = time.thread_time() - began
            self.watch.is_on = False
            self.refused += 1
            self.lines += len(error.problems)
            bad = [line for line in error.problems if not _is_clear(line, path)]
            said = f"line {bad[0]!r:.300}" if bad else "" if error.problems else "no line"
        except BaseException:  # noqa: BLE001 - the test is that there is none
            took, said = time.thread_time() - began, traceback.format_exc()
        else:
            took, said = time.thread_time() - began, ""
            self.read += 1
        self.watch.is_on = False
        per_mib = took / len(content) * (1 << 20) if len(content) > LONG else 0.0
        self.slowest = max(self.slowest, (took if not per_mib else 0.0, f"try {number}, {len(content)} bytes"))
        self.slowest_per_mib = max(self.slowest_per_mib, (per_mib, f"try {number}, {len(content)} bytes"))
        if said:
            kept = Path(tempfile.mkdtemp(prefix="bad-schedule-")) / name
            kept.write_bytes(content)
            self.wrong.append(f"try {number}: {kept}: {said}")


def _is_clear(line: str, path: Path) -> bool:
    return line.startswith((f"{path.name}: ", f"{path}: ")) and line.splitlines() == [line] and len(line) < LONGEST_LINE


def prepare(folder: Path) -> None:
    """Create files that schedules may name, and read the stressors of stress-ng once in this process."""
    for name, content in RECORDINGS.items():
        (folder / name).write_bytes(content)
    (folder / "known.json").write_text(json.dumps(MODERN).replace("99", "1"))
    with suppress(ScheduleError):  # stress-ng may be missing
        open_schedule(folder / "known.json", find_kinds())  # imports the modules for reading
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")


def main() -> None:
    """Try this number of files, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    draw = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        folder = Path(place)
        prepare(folder)
        fuzz = Fuzz(folder)
        tries = files(asked.seed)
        for number in range(asked.tries):
            if number % 10 == 0:
                (folder / "garbage.csv").write_bytes(recording(draw))
            fuzz.attempt(number, *next(tries))
        was_executed = (folder / MARKER).exists()
    tell(fuzz, asked.tries, was_executed=was_executed)


def tell(fuzz: Fuzz, tries: int, *, was_executed: bool) -> None:
    """Print the results; the exit status is 0 if the goals are met."""
    show_one("tried", tries)
    show_one("read as schedules", fuzz.read)
    show_one("refused", fuzz.refused)
    show_one("lines of errors", fuzz.lines)
    show_one("tracebacks, unclear lines", len(fuzz.wrong), "", "0")
    show_one("commands run, files written", sum(fuzz.watch.seen.values()) + was_executed, "", "0")
    show_one(f"slowest ({fuzz.slowest[1]})", fuzz.slowest[0] * 1e3, "ms", "at most 100")
    show_one(f"slowest above {LONG >> 10} KiB ({fuzz.slowest_per_mib[1]})", fuzz.slowest_per_mib[0] * 1e3, "ms/MiB")
    for line in (*fuzz.wrong[:20], *fuzz.watch.seen):
        print(line)
    sys.exit(bool(fuzz.wrong or fuzz.watch.seen or was_executed))


if __name__ == "__main__":
    main()
