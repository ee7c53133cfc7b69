"""Follow a file that another process is writing: read what was appended since the last call, as bytes or as rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pytest_twin._system.stdlib import os, sys
from pytest_twin.model.csv_text import records

if TYPE_CHECKING:
    from pathlib import Path

CHUNK = 1 << 17  # below the size at which each buffer would be mapped anew
EARLY_STEP = 1 << 16
FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


class FileFollower:
    """The bytes that are appended to a file; a file that shrinks, or that replaces it, is read from its beginning."""

    def __init__(self, path: Path, size: int = 0) -> None:
        """Prepare it; the file need not exist yet.

        Args:
            path: The file.
            size: The most bytes of a piece; 0 is `CHUNK`.
        """
        self._path, self._size = path, size
        self._fd: int | None = None
        self._file: tuple[int, int] | None = None  # device and inode
        self._offset = 0  # behind what was read

    def pieces(self) -> Iterator[bytes]:
        """Yield what was appended since the last call, piece by piece; nothing where there is no file.

        Raises:
            OSError: The file exists and cannot be read.
        """
        is_another = self._is_another()
        if self._fd is not None:
            yield from self._rest(self._fd)  # also what was appended last to a file that was renamed or removed since
        if is_another and (fd := self._open()) is not None:
            yield from self._rest(fd)
        if sys.platform == "win32":
            self.close()  # there nobody can rename or remove a file that is open, and it belongs to another process

    def close(self) -> None:
        """Close the file; a later call of `pieces` goes on where this one stopped."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _is_another(self) -> bool:
        """Whether the file has to be opened: none is open, it was replaced, or it shrank."""
        if self._fd is None:
            return True
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return True
        return (found.st_dev, found.st_ino) != self._file or found.st_size < self._offset

    def _open(self) -> int | None:
        self.close()
        try:
            fd = self._fd = os.open(self._path, FLAGS)
        except FileNotFoundError:
            if self._file is not None:
                self._file = None
                self._on_removed()
            return None
        found = os.fstat(fd)
        if (found.st_dev, found.st_ino) != self._file or found.st_size < self._offset:
            self._file, self._offset = (found.st_dev, found.st_ino), 0
            self._on_new_file(fd, found.st_size)
        return fd

    def _rest(self, fd: int) -> Iterator[bytes]:
        size = self._size or CHUNK
        while True:
            os.lseek(fd, self._offset, os.SEEK_SET)
            chunk = os.read(fd, size)
            piece = self._usable_part(chunk)
            if not piece and len(chunk) < size:
                return
            self._offset += len(piece or chunk)
            yield piece

    def _on_new_file(self, fd: int, size: int) -> None:
        """A file was opened that was not followed before."""

    def _on_removed(self) -> None:
        """The file that was followed is gone, and there is no other one yet."""

    def _usable_part(self, chunk: bytes) -> bytes:
        """Return the part of a chunk that need not wait for more; where that is nothing, a full chunk is left out."""
        return chunk


class CsvFollower(FileFollower):
    """The whole rows that are appended to a CSV file.

    Attributes:
        heading: The first line of the file, without its end; empty until the file has a whole line.
    """

    def __init__(
        self,
        path: Path,
        on_start: Callable[[int], None] = lambda _: None,
        last: int | None = None,
        is_early: Callable[[str, str], bool] | None = None,
    ) -> None:
        """Prepare it; the file need not exist yet.

        Args:
            path: The file.
            on_start: Called before the first row of a file with the number of rows that were skipped, and with 0 when
                the file was removed.
            last: The most bytes to read of what a file has at the beginning; None is all of it.
            is_early: Given the heading and a row, whether the rows before that row may be skipped: the first row to
                read is then searched from the end of the file, in a time that does not depend on the length of the
                file. Rows that are skipped so are not counted.
        """
        super().__init__(path)
        self.heading = ""
        self._on_start, self._last, self._is_early = on_start, last, is_early

    def rows(self) -> Iterator[dict[str, str]]:
        """Yield the rows since the last call, by column; none where there is no file.

        Raises:
            OSError: The file exists and cannot be read.
            ValueError: It is not CSV.
        """
        for text in self.texts():
            yield from records(f"{self.heading}\n{text}")

    def texts(self) -> Iterator[str]:
        """Yield the rows since the last call as text, several lines with their ends at a time.

        Raises:
            OSError: The file exists and cannot be read.
        """
        for piece in self.pieces():
            text = piece.decode(errors="replace")
            if not self.heading:
                self.heading, _, text = text.partition("\n")
            if text:
                yield text

    def _usable_part(self, chunk: bytes) -> bytes:
        return chunk[: chunk.rfind(b"\n") + 1]  # a line that is longer than a chunk is no row of ours

    def _on_removed(self) -> None:
        self._on_start(0)

    def _on_new_file(self, fd: int, size: int) -> None:
        self.heading = ""
        self._on_start(self._skip(fd, size))

    def _skip(self, fd: int, size: int) -> int:
        """Go to the first row to read; return the number of rows skipped."""
        chunk = os.read(fd, CHUNK)
        line, end, _ = chunk.partition(b"\n")
        heading = line.decode(errors="replace")
        if end and self._is_early is not None:
            self._skip_early(fd, size, heading)
        elif end and self._last is not None and size > self._last:
            self.heading = heading
            return self._skip_bytes(fd, chunk, size - self._last)
        return 0

    def _skip_bytes(self, fd: int, chunk: bytes, wanted: int) -> int:
        """Go behind the last line that ends within the first `wanted` bytes; return the number of rows before that."""
        lines, at = 0, 0
        while at < wanted and chunk:
            part = chunk[: wanted - at]
            lines += part.count(b"\n")
            if b"\n" in part:
                self._offset = at + part.rfind(b"\n") + 1
            at += len(part)
            chunk = os.read(fd, CHUNK)
        return max(0, lines - 1)

    def _skip_early(self, fd: int, size: int, heading: str) -> None:
        """Go to an early row, searched from the end of the file in steps that double."""
        back = EARLY_STEP
        while self._is_early is not None and size - back > len(heading):
            os.lseek(fd, size - back, os.SEEK_SET)
            torn, end, rest = os.read(fd, EARLY_STEP).partition(b"\n")
            if end and b"\n" in rest and self._is_early(heading, rest.partition(b"\n")[0].decode(errors="replace")):
                self.heading, self._offset = heading, size - back + len(torn) + 1
                return
            back *= 2
