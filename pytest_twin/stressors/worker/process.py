"""A worker process that applies one load and cannot outlive the process that owns it.

It is started first, and waits for its load: one line of JSON with the request, the worker's number, the number of
workers, and the import path. On POSIX it is a fork of the supervisor, small and single-threaded; where there is no fork
it is a new interpreter. On Linux the kernel kills it when its owner ends (PR_SET_PDEATHSIG, prctl(2)), whatever it is
doing then; elsewhere a thread waits for the end of the pipe that its load came from, which only the owner holds open.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from functools import partial
from importlib import import_module

if not __package__:  # run as a file: the root of the package takes the place of the file's own folder on the path
    sys.path[0 : not sys.flags.safe_path] = [os.path.realpath(f"{__file__}/../../../..")]

from pytest_twin.stressors.spec.request import LoadRequest
from pytest_twin.stressors.system.parent import process_state
from pytest_twin.stressors.system.prctl import die_with_parent
from pytest_twin.stressors.worker.job import Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CAN_FORK = CAN_PAUSE = sys.platform != "win32"

if sys.platform != "win32":
    PAUSE, RESUME = signal.SIGUSR1, signal.SIGUSR2
else:
    PAUSE = RESUME = signal.SIGTERM  # never sent


class StopRequested(BaseException):
    """Raised in a worker at SIGTERM, wherever it is."""


def reset_sigchld() -> None:
    """Make children of this process waitable, also if its parent ignores SIGCHLD (wait(2))."""
    if sys.platform != "win32":
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def launch(*, fork: bool = CAN_FORK) -> ForkedWorker | SpawnedWorker:
    """Start a worker process, which waits for its load.

    Args:
        fork: Whether it is a fork of this process.

    Raises:
        OSError: The system has no more processes.
    """
    return ForkedWorker() if fork else SpawnedWorker()


class _SignalWorker:
    """What forked and spawned workers have in common: a pipe for input, and signals to pause and resume."""

    pid: int
    _input: int
    _paused = False
    _is_resting = False

    def begin(self, request: LoadRequest, index: int = 0, workers: int = 1) -> None:
        """Give the worker its load, as one of several workers that share it; one that rests begins its own again."""
        if self._is_resting:
            self._is_resting = False
            self._signal(RESUME)
            return
        self._send(json.dumps([request.to_json(), index, workers, sys.path]))

    def all_ready(self, at: float) -> None:
        """Tell the worker that all workers of its load are ready, and since when."""
        self._send(repr(at))

    def _send(self, text: str) -> None:
        line = text.encode() + b"\n"
        try:
            while line:
                line = line[os.write(self._input, line) :]
        except OSError:  # it has died, which the end of its reports shows
            pass

    def on_rest(self) -> None:
        """Take notice that the worker has reported the end of its load, and waits for the next (`Job.rest`)."""
        self._is_resting = True

    def pause(self) -> None:
        """Stop the worker's work and its time until `resume` or `stop`."""
        if not self._paused:
            self._paused = True
            self._signal(PAUSE)

    def resume(self) -> None:
        """Let the worker go on after a `pause`."""
        if self._paused:
            self._paused = False
            self._signal(RESUME)

    def _signal(self, number: int) -> None:
        os.kill(self.pid, number)  # it is not reaped yet, so no other process has its id


class ForkedWorker(_SignalWorker):
    """A worker that is a fork of this process."""

    reports: int

    def __init__(self) -> None:
        if sys.platform == "win32":
            raise OSError("this platform has no fork")
        self.reports, pipe = os.pipe()
        load_pipe, self._input = os.pipe()
        owner = os.getpid()
        handled = {signal.SIGTERM, signal.SIGINT, PAUSE, RESUME}
        signal.pthread_sigmask(signal.SIG_BLOCK, handled)  # until the child has handlers of its own
        try:
            self.pid = os.fork()
        except OSError:
            for fd in (self.reports, pipe, load_pipe, self._input):
                os.close(fd)
            raise
        finally:
            if os.getpid() == owner:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, handled)
        if self.pid:
            os.close(pipe)
            os.close(load_pipe)
            return
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            close_all_but(pipe, load_pipe)
            _exit_with_parent(owner)
            status = _worker_main(load_pipe, pipe, None if sys.platform == "linux" else lambda: os._exit(1))
        finally:
            os._exit(status)

    def is_alive(self) -> bool:
        """Return whether it can be given a load; before that it reports nothing, so its end makes the pipe readable.

        What undoes its work after a kill keeps the pipe open a little longer.
        """
        if sys.platform == "win32":
            return False
        poll = select.poll()
        poll.register(self.reports, select.POLLIN)
        return not poll.poll(0) and process_state(self.pid) != "Z"

    def stop(self) -> None:
        """Ask the worker to stop."""
        self.resume()
        self._signal(signal.SIGTERM)

    def wait(self, seconds: float) -> None:
        """Wait until the worker has ended, or has reported nothing for some seconds."""
        if sys.platform != "win32":
            poll = select.poll()
            poll.register(self.reports, select.POLLIN)
            while poll.poll(1000 * seconds) and os.read(self.reports, 1 << 16):
                pass

    def kill(self) -> None:
        """Kill the worker."""
        if sys.platform != "win32":
            self._signal(signal.SIGKILL)

    def reap(self) -> str:
        """Wait for the end of the worker; return what ended it, empty if it has exited with status 0."""
        os.close(self.reports)
        os.close(self._input)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return "" if status == 0 else f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit {status}"


class SpawnedWorker(_SignalWorker):
    """A worker that is a new interpreter, where there is no fork."""

    def __init__(self) -> None:
        import subprocess

        command = [sys.executable, "-I", "-S", os.path.abspath(__file__)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        assert self._process.stdout is not None  # noqa: S101
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self.pid, self.reports, self._input = self._process.pid, self._stdout.fileno(), self._stdin.fileno()

    def is_alive(self) -> bool:
        """Return whether it can be given a load."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Ask the worker to stop."""
        self.resume()
        self._stdin.close()

    def kill(self) -> None:
        """Kill the worker."""
        self._process.kill()

    def reap(self) -> str:
        """Wait for the end of the worker; return what ended it, empty if it has exited with status 0."""
        self._stdin.close()
        status = self._process.wait()
        self._stdout.close()
        return "" if status == 0 else f"exit {status}"


def _worker_main(load_pipe: int, pipe: int, on_end: Callable[[], None] | None) -> int:
    """Wait for a load and apply it; return the exit status of the worker.

    Args:
        load_pipe: The descriptor that the load is read from.
        pipe: The descriptor that reports are written to.
        on_end: Called when the load's pipe is closed while the load is applied; None where the kernel kills the worker.
    """
    line = b""
    while not line.endswith(b"\n"):
        if not (data := os.read(load_pipe, 1 << 16)):
            return 0  # the owner needs no more workers
        line += data
    message, index, workers, sys.path[:] = json.loads(line)
    request = LoadRequest.from_json(message)
    if on_end is not None:
        wait_for_others = _watch_pipe(load_pipe, on_end)
    elif workers > 1:
        wait_for_others = partial(_read_time, load_pipe)
    else:
        os.close(load_pipe)
        wait_for_others = time.monotonic
    return _work(request.module, Job(request, index, workers), pipe, wait_for_others)


def _work(module: str, job: Job, pipe: int, wait_for_others: Callable[[], float] = time.monotonic) -> int:
    """Apply a load with its stressor until it is over; return the exit status."""
    job.attach(pipe, wait_for_others)
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the owner
        signal.signal(signal.SIGTERM, _raise_stopped)
        if sys.platform != "win32":
            signal.signal(PAUSE, lambda *_: job.pause(_wait_for_resume))
            signal.pthread_sigmask(signal.SIG_BLOCK, {RESUME})  # for sigwait: it may arrive before the pause is handled
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT, PAUSE})
        import_module(module).stress(job)
    except StopRequested:
        pass
    except (OSError, MemoryError, ValueError) as error:
        job.fault(str(error) or type(error).__name__)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        job.report()
    return 0


def _read_time(load_pipe: int) -> float:
    """Wait until all workers are ready, and return since when they are."""
    text = os.read(load_pipe, 64)
    os.close(load_pipe)
    if not text:  # the owner has ended
        os._exit(1)
    return float(text)


def _raise_stopped(number: int, frame: object) -> None:  # noqa: ARG001
    raise StopRequested


def _wait_for_resume() -> None:
    if sys.platform != "win32":
        signal.sigwait({RESUME})


def close_all_but(*kept: int) -> None:
    """Close all descriptors but these, so that no pipe of the owner stays open after the owner has ended."""
    low = 0
    for fd in sorted(kept):
        if low < fd:  # closerange(0, 0) would close everything
            os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, low + 1024)


def _exit_with_parent(owner: int) -> None:
    """Have the kernel kill this process when its owner ends, and first of all when memory runs out."""
    if sys.platform == "linux":
        if not die_with_parent(owner):
            os._exit(1)
        try:
            with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write("1000")
        except OSError:  # there is no /proc
            pass


def _watch_pipe(fd: int, on_end: Callable[[], None]) -> Callable[[], float]:
    """Watch a pipe in a thread and call back at its end; it is unbuffered, since a buffer's lock would block the exit.

    Returns:
        A function that waits for the time that comes through the pipe.
    """
    import threading

    received: list[bytes] = []

    def watch() -> None:
        while data := os.read(fd, 1 << 16):
            received.append(data)
        on_end()

    def wait() -> float:
        while not received:
            time.sleep(0.001)
        return float(received[0])

    threading.Thread(target=watch, daemon=True).start()
    return wait


def main() -> None:
    """Run a spawned worker; the end of stdin ends its load."""
    from _thread import interrupt_main

    sys.exit(_worker_main(0, 1, lambda: interrupt_main(signal.SIGTERM)))


if __name__ == "__main__":
    main()
