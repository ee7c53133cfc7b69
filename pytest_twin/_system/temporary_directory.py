"""A temporary folder that is removed however this process ends.

Another process waits for the end of this one and removes the folder, since a killed process cannot. It is not a child
of this process, so that it is not counted among the tests' processes.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
import time

if not __package__:  # run as a file: its own folder, if that is on the path, gives way to the root of the package
    sys.path[0 : not sys.flags.safe_path] = [os.path.realpath(f"{__file__}/../../..")]

from pytest_twin.stressors.system.parent import open_pidfd

TYPE_CHECKING = False  # as a program it should start fast
if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

REMOVE_TIMEOUT_S = 5.0


class WatchedTemporaryDirectory:
    """A temporary folder for the user of this process only.

    Attributes:
        path: Its path.
    """

    def __init__(self) -> None:
        """Create the folder.

        Raises:
            OSError: It cannot be created, or the process that removes it cannot be started.
        """
        import tempfile
        from pathlib import Path

        self.path: Path = Path(tempfile.mkdtemp(prefix="pytest-twin-"))
        try:
            self._remover: subprocess.Popen[bytes] | None = self._start()
        except OSError:
            self.path.rmdir()
            raise

    def remove(self) -> None:
        """Remove the folder with its contents; calling it again does nothing."""
        remover, self._remover = self._remover, None
        if remover is None or remover.stdin is None:
            return
        remover.stdin.close()
        remove(str(self.path))

    def _start(self) -> subprocess.Popen[bytes]:
        import subprocess

        from pytest_twin._system.child_process import ProcessContext

        process = subprocess.Popen(
            [sys.executable, "-I", "-S", os.path.abspath(__file__), str(self.path), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=ProcessContext().variables,
            start_new_session=True,  # the end of a remote connection ends its session
        )
        if sys.platform != "win32":
            try:
                process.wait(REMOVE_TIMEOUT_S)  # its own child goes on
            except subprocess.TimeoutExpired:
                process.kill()
                raise OSError("the process that removes it did not start") from None
        return process


def remove(path: str) -> None:
    """Remove a folder, repeatedly if another process still writes into it."""
    deadline = time.monotonic() + REMOVE_TIMEOUT_S
    while os.path.exists(path) and time.monotonic() < deadline:
        shutil.rmtree(path, ignore_errors=True)
        if os.path.exists(path):
            time.sleep(0.05)


def main() -> None:
    """Wait for the end of stdin or of the owner, and remove the folder."""
    path, owner = sys.argv[1:]
    pidfd = open_pidfd(int(owner))  # besides stdin, which forks of the owner hold open too
    watched = [0] if pidfd is None else [0, pidfd]
    if sys.platform == "win32":
        os.read(0, 1)
    else:
        if os.fork():
            os._exit(0)
        select.select(watched, (), ())
    remove(path)


if __name__ == "__main__":
    main()
