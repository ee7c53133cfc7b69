"""A small program: thumbnails that are made in the background. `python thumbnails.py` serves them by lines of text."""

from __future__ import annotations

import queue
import sys
import threading
import zlib

LIMIT_S = 60.0  # for a thread that has died, such as for want of memory


def picture(name: str) -> bytes:
    return b"".join(zlib.crc32(f"{name}{number}".encode()).to_bytes(4, "big") for number in range(120_000))


class Thumbnails:
    """A thread that makes one thumbnail after another."""

    def __init__(self) -> None:
        self.made: dict[str, bytes] = {}
        self._names: queue.Queue[tuple[str, threading.Event] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def submit(self, name: str) -> threading.Event:
        """Order a thumbnail; return the event that is set when it is made."""
        done = threading.Event()
        self._names.put((name, done))
        return done

    def close(self) -> None:
        self._names.put(None)
        self._thread.join(LIMIT_S)

    def _work(self) -> None:
        while job := self._names.get():
            name, done = job
            self.made[name] = zlib.compress(picture(name))[:100]
            done.set()


def main() -> None:
    thumbnails = Thumbnails()
    thumbnails.submit("placeholder").wait(LIMIT_S)
    print("ready", flush=True)
    for line in sys.stdin:
        thumbnails.submit(line.strip()).wait(LIMIT_S)
        print(len(thumbnails.made[line.strip()]), flush=True)
    thumbnails.close()


if __name__ == "__main__":
    main()
