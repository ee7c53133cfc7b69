"""The names of the files in a run folder, and the columns of its tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from pytest_twin.model import attempt_row, event, flaky_row, profile_row
from pytest_twin.model.safe_names import safe

DATASET = "system_metrics_dataset.csv"
ANNOTATIONS = "annotations.csv"
TESTS = "tests.csv"
FINGERPRINT = "fingerprint.json"
SCHEDULE = "schedule.json"
PROFILE = "profile.csv"
FLAKY, FLAKY_FAILURES = "flaky.csv", "flaky_failures.json"  # the latter: reports of failures by test and condition
FAILURES = "failures.jsonl"  # the failures of tests as pytest reported them
HOSTS = "hosts.json"
OUTCOMES = "outcomes.json"
LOCK, WORKERS_LOCK = ".run.lock", ".workers.lock"
TESTS_FOLDER, HOSTS_FOLDER = "tests", "hosts"

FILES = (
    DATASET, ANNOTATIONS, TESTS, PROFILE, FLAKY, FLAKY_FAILURES, FAILURES, SCHEDULE, HOSTS, OUTCOMES, FINGERPRINT,
)  # fmt: skip

HEADERS: Mapping[str, Sequence[str]] = {
    ANNOTATIONS: event.FIELDS,
    TESTS: tuple(column.name for column in attempt_row.COLUMNS),
    PROFILE: profile_row.FIELDS,
    FLAKY: flaky_row.FIELDS,
}

_OF_A_TEST = rf"{TESTS_FOLDER}/(?!\.)[A-Za-z0-9_.-]{{1,100}}"


def folder_of_test(nodeid: str, attempt_number: int, worker: str = "") -> str:
    """Return the folder of a test within the run folder: readable, valid on every file system, unique, below 100 bytes.

    Args:
        nodeid: The test.
        attempt_number: The number of the attempt.
        worker: The pytest-xdist worker, if each worker runs all tests.
    """
    unique = f"{nodeid}\0{attempt_number}{worker and chr(0)}{worker}"
    mark = blake2b(unique.encode("utf-8", "surrogatepass"), digest_size=5).hexdigest()
    return f"{TESTS_FOLDER}/{safe(nodeid)}-{mark}".replace("/-", "/")


def is_test_folder_name(name: str) -> bool:
    """Tell whether `folder_of_test` returns such names; a table with another name is damaged."""
    return re.fullmatch(_OF_A_TEST, name, re.ASCII) is not None


CONSTRAINTS = ".constraints"  # a file for each constraint that is held: it names the file of its throttled time
OTHER_WORKERS = "workers"  # in the folder of a worker that samples for all of its host: a file for each other one
