"""The run folder: one process owns it for a run, writes its files, and reads them again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from pytest_twin._system.clock import monotonic
from pytest_twin._system.locks import FileLock, LockedError, PresenceLock, is_anybody_present, remove_lock_files
from pytest_twin._system.private_files import PrivateDirectory, why_untrusted, write_atomic
from pytest_twin._system.stdlib import json, os, time
from pytest_twin.model.csv_text import records
from pytest_twin.model.version import __version__
from pytest_twin.run_folder.csv_rows import read_rows
from pytest_twin.run_folder.layout import (
    ANNOTATIONS,
    CONSTRAINTS,
    DATASET,
    FILES,
    FINGERPRINT,
    HEADERS,
    HOSTS_FOLDER,
    LOCK,
    OUTCOMES,
    SCHEDULE,
    TESTS_FOLDER,
    WORKERS_LOCK,
    is_test_folder_name,
)
from pytest_twin.run_folder.rotation import PARQUET, all_files, open_segments, prepare_append
from pytest_twin.run_folder.tables import TEST_EVENT, Table

BRIEF_S = 10.0  # how long others may complete what is there
LOOK_EVERY_S = 0.05


class RunFolderError(OSError):
    """The folder cannot be used; the message is for the user."""


class RunFolder:
    """The report directory of one run."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))
        self._lock: FileLock | None = None
        self._presence: PresenceLock | None = None

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def make(self, *, claim: bool = True) -> None:
        """Create the folder, if it does not exist.

        Args:
            claim: Lock the folder for this process until `release`; a pytest-xdist worker shares the lock of its
                controller.

        Raises:
            RunFolderError: It cannot be created or written, another run has locked it, other users may write to it or
                redirect it, or it holds other files under the names of ours.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunFolderError(f"{self.path} is a file; give a directory")
        if why := why_untrusted(self.path):
            raise RunFolderError(f"{self.path} {why}")
        try:
            if not self.path.exists():
                self.path.mkdir(parents=True, mode=0o700)
                self.write(".gitignore", "*\n")
        except OSError as error:  # workers and their controller may create it at the same moment
            if not isinstance(error, FileExistsError) or not self.path.is_dir():
                raise RunFolderError(f"{self.path} cannot be created: {error.strerror}") from None
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise RunFolderError(f"{self.path} cannot be written; choose another directory")
        if claim:
            self.claim()
            foreign = self._files()
            if foreign and not self.is_run:
                self.release()
                raise RunFolderError(f"{self.path} has a {foreign[0].name} that no run wrote; choose another directory")

    def claim(self, *, is_brief: bool = False) -> None:
        """Lock the folder, which exists, for this process.

        Args:
            is_brief: Only for a moment, for which others wait.

        Raises:
            RunFolderError: Another run has locked it.
        """
        if self._lock is not None:
            return
        try:
            self._lock = self._acquire_lock(is_brief=is_brief)
        except LockedError as error:
            raise RunFolderError(
                f"{self.path} is locked by {error.strerror}; wait for it to finish or choose another directory"
            ) from None
        except OSError as error:
            why = f"cannot be written ({error.strerror}); choose another directory"
            raise RunFolderError(f"{self.path} {why}") from None

    def _acquire_lock(self, *, is_brief: bool) -> FileLock:
        until = monotonic() + BRIEF_S
        while True:
            try:
                return FileLock(self / LOCK, is_brief=is_brief)
            except LockedError as error:
                if not error.is_brief or monotonic() > until:
                    raise
            time.sleep(LOOK_EVERY_S)

    def join(self) -> None:
        """Show to other processes, until `release`, that a worker of the run writes to the folder."""
        with suppress(OSError):  # then nobody waits for us
            self._presence = PresenceLock(self / WORKERS_LOCK)

    @property
    def has_workers(self) -> bool:
        """Whether a worker of a run writes to the folder, other than this process."""
        return is_anybody_present(self / WORKERS_LOCK)

    def release(self) -> None:
        """Unlock the folder for the next run."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        if self._presence is not None:
            self._presence.release()
            self._presence = None

    @property
    def is_incomplete(self) -> bool:
        """Whether the files are those of a run that was killed or is still active."""
        return self.is_run and ((self / LOCK).exists() or any(self.parts(name) for name in HEADERS))

    def mark(self) -> None:
        """Mark the folder as that of a run.

        Raises:
            RunFolderError: The mark cannot be written.
        """
        self.write_json(FINGERPRINT, {"pytest_twin": __version__})

    def host_folder(self, name: str) -> RunFolder:
        """Return the folder with the samples of another host of the run."""
        return RunFolder(self / HOSTS_FOLDER / name)

    def other_hosts(self) -> list[tuple[str, RunFolder]]:
        """Return the other hosts by name, with their folders; a folder that is or contains a link is left out."""
        found = sorted(path for path in self._folders_in(HOSTS_FOLDER) if not _has_links(path))
        return [(path.name, RunFolder(path)) for path in found]

    def find_test_folder(self, name: str) -> RunFolder | None:
        """Return the folder of a test by its name in a row; None where there is none, or a link in its place."""
        path = self / name
        if not is_test_folder_name(name) or not path.is_dir() or path.is_symlink() or path.parent.is_symlink():
            return None
        return RunFolder(path)

    def document(self, name: str) -> dict[str, Any] | None:
        """Return the content of a JSON file; None where there is none, or only a part of one."""
        try:
            if not (self / name).is_file():  # reading from a pipe would wait for ever
                return None
            from pytest_twin.model.documents import parse_json  # a new folder has none

            found = parse_json((self / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    @property
    def outcomes(self) -> dict[str, int]:
        """The number of tests by outcome, as pytest counted them; empty if the session did not finish."""
        return {name: many for name, many in (self.document(OUTCOMES) or {}).items() if type(many) is int}

    def _files(self) -> list[Path]:
        """Return the files of a run that exist; the fingerprint, which marks the folder as that of a run, is last."""
        there = os.listdir(self.path) if self.path.is_dir() else ()
        return [*all_files(self / DATASET), *(self / name for name in FILES if name in there and name != DATASET)]

    @property
    def is_run(self) -> bool:
        """Whether the files are those of a run, by its fingerprint."""
        return "pytest_twin" in (self.document(FINGERPRINT) or ())

    def clear(self) -> None:
        """Remove the files of an earlier run one by one: somebody else may use the folder too.

        An interrupt (Ctrl-C) is passed on when all of them are removed, so that no part of a run is left.
        """
        if not self.is_run:
            return
        of_tests = [folder for folder in self._folders_in(TESTS_FOLDER) if (folder / DATASET).is_file()]
        try:
            self._remove_run(of_tests)
        except KeyboardInterrupt:
            self._remove_run(of_tests)
            raise

    def _remove_run(self, of_tests: Sequence[Path]) -> None:
        """Remove what there is of a run, with these folders of its tests."""
        for folder in of_tests:
            for name in (DATASET, ANNOTATIONS):
                (folder / name).unlink(missing_ok=True)
            _remove_empty(folder)
        for folder in self._folders_in(HOSTS_FOLDER):
            for path in RunFolder(folder)._files():  # noqa: SLF001 - of the same kind
                path.unlink()
            _remove_empty(folder)
        _remove_empty(self / TESTS_FOLDER)
        _remove_empty(self / HOSTS_FOLDER)
        for path in self._files():
            path.unlink()
        if not self.has_workers:  # their constraints may be in force before their controller begins
            self._remove_constraint_files()

    def _remove_constraint_files(self) -> None:
        """Remove what names constraints to the sampler: a process that was killed leaves its files."""
        folder = self / CONSTRAINTS
        if folder.is_dir() and not folder.is_symlink():
            for path in folder.iterdir():
                with suppress(OSError):
                    path.unlink()
            _remove_empty(folder)

    def _folders_in(self, name: str) -> list[Path]:
        """Return the folders in one of ours, except links: what is behind a link belongs to somebody else."""
        folder = self / name
        if folder.is_symlink() or not folder.is_dir():
            return []
        with os.scandir(folder) as entries:
            return [folder / entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]

    def prepare_append(self) -> None:
        """Prepare the files for a recording that is appended.

        Raises:
            RunFolderError: A file cannot be renamed.
        """
        try:
            prepare_append(self / DATASET)
        except OSError as error:
            raise RunFolderError(f"{error.filename}: {error.strerror}") from None

    def part(self, name: str, worker: str) -> Path:
        """Return the file of a table that a pytest-xdist worker writes; the table itself without a worker."""
        return self / (f"{name.removesuffix('.csv')}.part-{worker}.csv" if worker else name)

    def parts(self, name: str, worker: str = "*") -> list[Path]:
        """Return the parts of a table that workers, or one of them, have written and nobody has merged."""
        begin, _, end = self.part(name, worker).name.partition("*")
        try:
            names = os.listdir(self.path)
        except OSError:  # there is no such folder
            return []
        wanted = (each for each in names if each == begin or (end and each.startswith(begin) and each.endswith(end)))
        return [self / each for each in sorted(wanted)]

    def remove_parts(self) -> None:
        """Remove the parts of a run that could not merge them."""
        for name in HEADERS:
            for part in self.parts(name):
                part.unlink()
        self._remove_constraint_files()

    def remove_parts_without_tests(self) -> None:
        """Remove what workers have left that ended before their first test."""
        parts = self.parts(ANNOTATIONS)
        if parts and not self.has_workers and not any(TEST_EVENT.search(self.text(part.name)) for part in parts):
            self.remove_parts()
            self._remove_worker_locks()

    def table(self, name: str, worker: str = "") -> Table:
        """Open a table to append rows; a worker has a file of its own until `merge`.

        Raises:
            RunFolderError: It cannot be opened.
        """
        try:
            return Table(self.part(name, worker), HEADERS[name])
        except OSError as error:
            raise RunFolderError(f"{self.part(name, worker)}: {error.strerror}") from None

    def write_json(self, name: str, document: Any) -> None:
        """Write a JSON file for people and programs.

        Raises:
            RunFolderError: It cannot be written.
        """
        self.write_text(name, json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write a text file for people and programs.

        Raises:
            RunFolderError: It cannot be written.
        """
        try:
            self.write(name, text)
        except OSError as error:
            raise RunFolderError(f"{self / name}: {error.strerror}") from None

    def write(self, name: str, text: str) -> None:
        """Write a file completely or not at all.

        Raises:
            OSError: It cannot be written.
        """
        write_atomic(self / name, text)

    @contextmanager
    def test_folder(self, name: str) -> Iterator[PrivateDirectory]:
        """Open the folder of a test, created if it does not exist; the name is as `folder_of_test` returns it.

        Raises:
            ValueError: It is not such a name: the table that has it is damaged.
            OSError: It cannot be created, or there is a link in its place.
        """
        if not is_test_folder_name(name):
            raise ValueError(f"{name!r:.100} is not the folder of a test")
        with (
            PrivateDirectory(self.path) as run,
            run.within(TESTS_FOLDER) as tests,
            tests.within(name.split("/")[1]) as own,
        ):
            yield own

    def rows(self, name: str) -> list[dict[str, str]]:
        """Return the rows of a table, by column; none where there is no such file.

        Raises:
            RunFolderError: It is a dataset that was converted to Parquet.
        """
        if name != DATASET:
            return records(self.text(name))
        return [row for file in self.dataset_files() for row in records(file.read().decode(errors="replace"))]

    def text(self, name: str) -> str:
        """Return the text of a table; empty where there is no such file."""
        path = self / name
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""  # a pipe might never end

    def iterate_rows(self, name: str) -> Iterator[dict[str, str]]:
        """Yield the rows of a table that is not the dataset; all of them together may need much memory."""
        return read_rows(self / name)

    def events_without_tests(self) -> list[dict[str, str]]:
        """Return the rows of annotations.csv, without those of tests, which are most of them."""
        return list(read_rows(self / ANNOTATIONS, without=TEST_EVENT))

    def dataset_files(self, advice: str = "read it with pytest_twin.load") -> Iterator[IO[bytes]]:
        """Open the CSV files of the dataset one after another, oldest first; none where there is no dataset.

        Args:
            advice: What to do where the dataset is not CSV, for the error.

        Raises:
            RunFolderError: One of them was converted to Parquet.
        """
        for piece in open_segments(self / DATASET):
            if piece.path.suffix == PARQUET:
                raise RunFolderError(f"{piece.path} is not CSV; {advice}")
            yield piece.file

    @property
    def scheduled(self) -> set[str]:
        """The ids of the events in the schedule that the session played."""
        from pytest_twin.loads.schedule import TEST

        schedule = self.document(SCHEDULE) or {}
        events = schedule.get("events") if schedule.get("anchor") != TEST else None
        return {str(each.get("id")) for each in events if isinstance(each, dict)} if isinstance(events, list) else set()

    def merge(self) -> None:
        """Merge the parts of all workers into one table each, in time order."""
        for name in HEADERS:
            parts = self.parts(name)
            if not parts:
                continue
            from pytest_twin.run_folder.worker_parts import merged_text

            if text := merged_text((self / name, *parts), HEADERS[name]):
                self.write(name, text)
            for part in parts:
                part.unlink()
        self._remove_constraint_files()
        self._remove_worker_locks()

    def _remove_worker_locks(self) -> None:
        remove_lock_files(self.path)
        (self / WORKERS_LOCK).unlink(missing_ok=True)


def _has_links(folder: Path) -> bool:
    return any(path.is_symlink() for path in folder.iterdir())


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # there is something in it, or there is no such folder
        pass
