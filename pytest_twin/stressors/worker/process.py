"""A worker process that applies one load and cannot outlive the process that owns it.

It is started first, and waits for its load: one line of JSON with the request, how many workers share it, and where
to import from. On POSIX it is a fork of the supervisor, small and single-threaded; where there is no fork it is a fresh
interpreter. On Linux the kernel kills it when its owner goes (PR_SET_PDEATHSIG, prctl(2)), whatever it is doing then;
elsewhere a thread waits for the end of the pipe that its load came from, which only the owner holds.
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

if not __package__:  # run as a file: its own folder, if that is on the path, gives way to the one above
    sys.path[0 : not sys.flags.safe_path] = [os.path.realpath(f"{__file__}/../../../..")]

from pytest_twin.stressors.spec.request import LoadRequest
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
    """Raised in a worker when it is asked to stop, in whatever it is doing."""


def reset_sigchld() -> None:
    """Let this process wait for its workers, also where whoever started it ignores the ends of children (wait(2))."""
    if sys.platform != "win32":
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def launch(*, fork: bool = CAN_FORK) -> ForkedWorker | SpawnedWorker:
    """Start a worker process, which waits for its load.

    Args:
        fork: Whether it is a fork of this process.

    Raises:
        OSError: The machine gives no more processes.
    """
    return ForkedWorker() if fork else SpawnedWorker()


class _SignalWorker:
    """What a worker can be told by signals, where there are some."""

    pid: int
    _orders: int
    _paused = False

    def begin(self, request: LoadRequest, index: int = 0, workers: int = 1) -> None:
        """Give the worker its load, as one of several workers that share it."""
        self._order(json.dumps([request.to_json(), index, workers, sys.path]))

    def all_ready(self, at: float) -> None:
        """Say that all processes which share the load are ready, since that time."""
        self._order(repr(at))

    def _order(self, words: str) -> None:
        order = words.encode() + b"\n"
        try:
            while order:
                order = order[os.write(self._orders, order) :]
        except OSError:  # it has died; the end of its reports tells
            pass

    def pause(self) -> None:
        """Have it do nothing until `resume` or `stop`."""
        if not self._paused:
            self._paused = True
            self._signal(PAUSE)

    def resume(self) -> None:
        """Have it go on after a `pause`."""
        if self._paused:
            self._paused = False
            self._signal(RESUME)

    def _signal(self, number: int) -> None:
        os.kill(self.pid, number)  # not yet reaped, so the number is still its own


class ForkedWorker(_SignalWorker):
    """A worker that is a fork of this process."""

    reports: int

    def __init__(self) -> None:
        if sys.platform == "win32":
            raise OSError("there is no fork here")
        self.reports, pipe = os.pipe()
        orders, self._orders = os.pipe()
        owner = os.getpid()
        handled = {signal.SIGTERM, signal.SIGINT, PAUSE, RESUME}
        signal.pthread_sigmask(signal.SIG_BLOCK, handled)  # until the child has handlers of its own
        try:
            self.pid = os.fork()
        except OSError:
            for fd in (self.reports, pipe, orders, self._orders):
                os.close(fd)
            raise
        finally:
            if os.getpid() == owner:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, handled)
        if self.pid:
            os.close(pipe)
            os.close(orders)
            return
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            close_all_but(pipe, orders)
            _exit_with_parent(owner)
            status = _worker_main(orders, pipe, None if sys.platform == "linux" else lambda: os._exit(1))
        finally:
            os._exit(status)

    def is_alive(self) -> bool:
        """Whether it can be given a load: before that it tells nothing, so there is something to read at its end."""
        if sys.platform == "win32":
            return False
        poll = select.poll()
        poll.register(self.reports, select.POLLIN)
        return not poll.poll(0)

    def stop(self) -> None:
        """Ask it to stop."""
        self.resume()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Have the kernel end it."""
        if sys.platform != "win32":
            self._signal(signal.SIGKILL)

    def reap(self) -> str:
        """Wait for its end, which is there or near; say what ended it, nothing if it ended as it should."""
        os.close(self.reports)
        os.close(self._orders)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return "" if status == 0 else f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit {status}"


class SpawnedWorker(_SignalWorker):
    """A worker that is a fresh interpreter, where there is no fork."""

    def __init__(self) -> None:
        import subprocess

        command = [sys.executable, "-I", "-S", os.path.abspath(__file__)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        assert self._process.stdout is not None  # noqa: S101
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self.pid, self.reports, self._orders = self._process.pid, self._stdout.fileno(), self._stdin.fileno()

    def is_alive(self) -> bool:
        """Whether it can be given a load."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Ask it to stop."""
        self.resume()
        self._stdin.close()

    def kill(self) -> None:
        """Have the system end it."""
        self._process.kill()

    def reap(self) -> str:
        """Wait for its end; say what ended it, nothing if it ended as it should."""
        self._stdin.close()
        status = self._process.wait()
        self._stdout.close()
        return "" if status == 0 else f"exit {status}"


def _worker_main(orders: int, pipe: int, at_end: Callable[[], None] | None) -> int:
    """The life of a worker process: wait for a load, and apply it; its exit status.

    Args:
        orders: Where the load comes from.
        pipe: Where the reports go.
        at_end: What to do when the orders end while the load is applied.
    """
    said = b""
    while not said.endswith(b"\n"):
        if not (data := os.read(orders, 1 << 16)):
            return 0  # there is no load for it
        said += data
    message, index, workers, sys.path[:] = json.loads(said)
    request = LoadRequest.from_json(message)
    if at_end is not None:
        others_ready = _watch_pipe(orders, at_end)
    elif workers > 1:
        others_ready = partial(_read_moment, orders)
    else:
        os.close(orders)
        others_ready = time.monotonic
    return _work(request.module, Job(request, index, workers), pipe, others_ready)


def _work(module: str, job: Job, pipe: int, others_ready: Callable[[], float] = time.monotonic) -> int:
    """Apply a load with its stressor until it is over; return the exit status."""
    job.attach(pipe, others_ready)
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's to handle
        signal.signal(signal.SIGTERM, _raise_stopped)
        if sys.platform != "win32":
            signal.signal(PAUSE, lambda *_: job.pause(_wait_for_resume))
            signal.pthread_sigmask(signal.SIG_BLOCK, {RESUME})  # it waits, and may come before the pause is heard of
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


def _read_moment(orders: int) -> float:
    """Wait until all workers are ready; since when they are."""
    said = os.read(orders, 64)
    os.close(orders)
    if not said:  # the owner is gone
        os._exit(1)
    return float(said)


def _raise_stopped(number: int, frame: object) -> None:  # noqa: ARG001
    raise StopRequested


def _wait_for_resume() -> None:
    if sys.platform != "win32":
        signal.sigwait({RESUME})


def close_all_but(*kept: int) -> None:
    """Let go of the owner's descriptors, so that nobody waits for this process's end in place of the owner's."""
    low = 0
    for fd in sorted(kept):
        if low < fd:  # an empty range from 0 on would be everything
            os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, low + 1024)


def _exit_with_parent(owner: int) -> None:
    """Have the kernel end this process when its owner does, and be the first that runs out of memory."""
    if sys.platform == "linux":
        if not die_with_parent(owner):
            os._exit(1)
        try:
            with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write("1000")
        except OSError:  # no /proc; then nobody looks at it either
            pass


def _watch_pipe(fd: int, then: Callable[[], None]) -> Callable[[], float]:
    """Call back at the end of a pipe; read without a buffer, whose lock would keep the interpreter from ending.

    Comes back with what waits for the moment that is told there meanwhile.
    """
    import threading

    said: list[bytes] = []

    def watch() -> None:
        while data := os.read(fd, 1 << 16):
            said.append(data)
        then()

    def wait() -> float:
        while not said:
            time.sleep(0.001)
        return float(said[0])

    threading.Thread(target=watch, daemon=True).start()
    return wait


def main() -> None:
    """Be a worker without fork; the end of stdin is the end of its load."""
    from _thread import interrupt_main

    sys.exit(_worker_main(0, 1, lambda: interrupt_main(signal.SIGTERM)))


if __name__ == "__main__":
    main()
