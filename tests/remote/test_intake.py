"""What a worker on another host sends gets into the run folder, whatever it is."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_twin._system.temporary_directory import WatchedTemporaryDirectory
from pytest_twin.model.clock import Clock
from pytest_twin.model.csv_text import records
from pytest_twin.model.event import Event
from pytest_twin.remote import protocol
from pytest_twin.remote.protocol import Welcome
from pytest_twin.remote.worker import PIECE
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.follow import FileFollower
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, HEADERS, TESTS

controller = pytest.importorskip("pytest_twin.remote.controller")
CLOCK = Clock(100.0, 1_700_000_000.0)
HEADING = ",".join(HEADERS[ANNOTATIONS]) + "\n"
EVENT = Event(1.5, "note", detail="a, b").row(CLOCK)


class Channel:
    """The controller's end of a channel; the test is the worker."""

    def __init__(self) -> None:
        self.said: list[tuple] = []

    def setcallback(self, callback, endmarker):
        self.hear = callback

    def send(self, words):
        self.said.append(words)


class Worker:
    """A worker on another host, as the controller sees it."""

    def __init__(self, run, name: str, address: str = "socket=10.0.0.1:8888", hostname: str = "one") -> None:
        import execnet

        self.channel = Channel()
        gateway = SimpleNamespace(id=name, spec=execnet.XSpec(address), newchannel=lambda: self.channel)
        self.node = SimpleNamespace(gateway=gateway)
        run.connect(self.node)
        self.hostname = hostname

    def meet(self) -> dict:
        self.say("hello", self.hostname, "b", "/there")
        word, *fields = self.channel.said[-1]
        assert word == "welcome"
        return Welcome(*fields)._asdict()

    def say(self, *words):
        self.channel.hear(words)


@pytest.fixture
def run(tmp_path):
    """The controller's end of all workers, in a run that is being recorded."""
    folder = RunFolder(tmp_path / "run")
    folder.make()
    notes = []
    made = controller.RemoteHosts(folder, CLOCK, 60.0, lambda: True, lambda text, _: notes.append(text))
    made.folder, made.notes = folder, notes
    yield made
    made.close()


def part(run, name: str = ANNOTATIONS, worker: str = "gw0") -> list[dict[str, str]]:
    return records(run.folder.part(name, worker).read_text())


def test_rows_are_kept_with_the_host_and_the_worker_that_they_came_from(run):
    worker = Worker(run, "gw0")
    assert worker.meet() == {"host": "10.0.0.1", "clock": [100.0, 1.7e9], "samples": True, "lock_dir": "/there"}
    worker.say("rows", ANNOTATIONS, (HEADING + EVENT).encode())
    (row,) = part(run)
    assert (row["host"], row["worker"], row["detail"]) == ("10.0.0.1", "gw0", "a, b")


def test_a_row_in_two_pieces_is_one_row(run):
    worker = Worker(run, "gw0")
    worker.meet()
    text = (HEADING + EVENT).encode()
    for at in range(0, len(text), 7):
        worker.say("rows", ANNOTATIONS, text[at : at + 7])
    assert [row["elapsed_s"] for row in part(run)] == ["1.5000"]


NOT_ROWS = [
    "nonsense\n",
    EVENT.replace("1.5000", "soon"),
    EVENT.replace("1.5000", "inf"),
    "x" * 200_000 + "\n",
    EVENT.strip() + ",one more\n",
    "\0\n",
]


@pytest.mark.parametrize("line", NOT_ROWS, ids=range(len(NOT_ROWS)))
def test_what_is_no_row_is_left_out_and_counted(run, line):
    worker = Worker(run, "gw0")
    worker.meet()
    worker.say("rows", ANNOTATIONS, (HEADING + line + EVENT).encode())
    assert [row["elapsed_s"] for row in part(run)] == ["1.5000"]
    run.close()
    assert run.notes == ["ignored 1 malformed rows or messages from gw0"]


MESSAGES = [
    (),
    ("rows",),
    ("rows", "../../evil.csv", b"x\n"),
    ("rows", "fingerprint.json", b"x\n"),
    ("rows", ANNOTATIONS, 5),
    ("fingerprint", b"{"),
    ("watch",),
    ("ping", "more"),
    ("hello", "one"),
    ({},),
    ("clock", "a", "b", "c"),
    5,
    "rows",
]


@pytest.mark.parametrize("message", MESSAGES, ids=range(len(MESSAGES)))
def test_a_message_that_makes_no_sense_does_no_harm(run, message):
    worker = Worker(run, "gw0")
    worker.meet()
    worker.channel.hear(message)
    worker.say("rows", TESTS, (",".join(HEADERS[TESTS]) + "\n").encode())
    assert sorted(path.name for path in run.folder.path.rglob("*") if path.is_file()) == sorted(
        [".gitignore", ".run.lock", run.folder.part(TESTS, "gw0").name]
    )
    run.close()
    assert run.notes == ["ignored 1 malformed rows or messages from gw0"]


def test_samples_get_a_column_for_their_host(run):
    worker = Worker(run, "gw0", "ssh=-p 2222 me@box.example")
    assert worker.meet()["host"] == "box.example"
    worker.say("rows", DATASET, b"timestamp,elapsed_s,cpu_percent\nt,1.0,5\nt,soon,5\nt,2.0\nt,2.0,")
    worker.say("rows", DATASET, b"\n")
    (_, stream), *_ = run.folder.other_hosts()
    assert (stream / DATASET).read_text().splitlines() == [
        "timestamp,elapsed_s,cpu_percent,host",
        "t,1.0,5,box.example",
        "t,2.0,,box.example",
    ]


@pytest.mark.parametrize("heading", [b"timestamp,elapsed_s,host", b"elapsed_s", b"timestamp,elapsed_s,=1+1", b"a,a"])
def test_a_dataset_with_columns_of_its_own_making_is_none(run, heading):
    worker = Worker(run, "gw0")
    worker.meet()
    worker.say("rows", DATASET, heading + b"\nt,1.0,x\n")
    assert run.folder.other_hosts() == []


def test_hosts_with_the_same_address_are_kept_apart_and_a_host_with_two_addresses_is_one(run):
    names = [
        Worker(run, "gw0", "socket=localhost:1", "one").meet(),
        Worker(run, "gw1", "socket=localhost:2", "two").meet(),
        Worker(run, "gw2", "ssh=me@elsewhere", "one").meet(),
    ]
    assert [(each["host"], each["samples"]) for each in names] == [
        ("localhost", True),
        ("localhost-2", True),
        ("localhost", False),
    ]


def test_who_samples_is_let_go_when_the_other_workers_of_its_host_are_done(run):
    first, second = Worker(run, "gw0"), Worker(run, "gw1")
    first.meet()
    second.meet()
    first.say("bye")
    assert first.channel.said[-1] != ("end",)
    run.disconnect(second.node)
    assert first.channel.said[-1] == ("end",)


def test_a_worker_that_comes_after_the_one_that_sampled_samples(run):
    first = Worker(run, "gw0")
    first.meet()
    run.disconnect(first.node)
    assert Worker(run, "gw1").meet()["samples"]


def test_what_comes_after_a_worker_was_given_up_counts_no_more(run):
    worker = Worker(run, "gw0")
    worker.meet()
    run.disconnect(worker.node)
    worker.say("rows", ANNOTATIONS, (HEADING + EVENT).encode())
    assert run.folder.parts(ANNOTATIONS) == []


def test_a_file_is_handed_over_in_bounded_pieces(tmp_path):
    path = tmp_path / "file"
    growing = FileFollower(path, PIECE)
    assert list(growing.pieces()) == []
    path.write_bytes(b"x" * (3 * PIECE + 5))
    assert [len(piece) for piece in growing.pieces()] == [PIECE, PIECE, PIECE, 5]
    with path.open("ab") as file:
        file.write(b"more")
    assert list(growing.pieces()) == [b"more"]
    growing.close()


def test_a_folder_that_is_let_go_of_is_gone(eventually):
    folder = WatchedTemporaryDirectory()
    (folder.path / "file").write_text("x")
    assert folder.path.stat().st_mode & 0o077 == 0
    folder.remove()
    assert not folder.path.exists()
    folder.remove()


@pytest.mark.skipif(sys.platform == "win32", reason="there a process that is killed takes its folder's remover along")
def test_a_folder_is_gone_however_its_owner_ends(eventually):
    program = """
import os, sys, time
from pytest_twin._system.temporary_directory import WatchedTemporaryDirectory
folder = WatchedTemporaryDirectory()
(folder.path / "file").write_text("x")
if not os.fork():  # a child that lives on has our pipes too
    sys.stdin.read()
    os._exit(0)
print(folder.path, flush=True)
time.sleep(600)
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, text=True) as owner:
        path = Path(owner.stdout.readline().strip())
        assert path.is_dir()
        owner.send_signal(signal.SIGKILL)
        eventually(lambda: not path.exists(), within=60)


def test_a_fingerprint_is_kept_of_who_samples_only(run):
    first, second = Worker(run, "gw0"), Worker(run, "gw1")
    first.meet()
    second.meet()
    for worker, says in ((first, {"cpu": 1}), (second, {"cpu": 2})):
        worker.say("fingerprint", json.dumps(says).encode())
    (_, stream), *_ = run.folder.other_hosts()
    assert stream.document("fingerprint.json") == {"cpu": 1}
    assert run.folder.document("hosts.json")["10.0.0.1"]["fingerprint"] == {"cpu": 1}


@pytest.mark.parametrize(
    "table", [protocol.WORKER_MESSAGES, protocol.CONTROLLER_MESSAGES], ids=["worker", "controller"]
)
def test_every_message_of_the_protocol_is_the_same_after_its_way(table):
    for word, kind in table.items():
        message = kind(*range(len(kind._fields)))
        assert protocol.encode(message)[0] == word
        decoded = protocol.decode(protocol.encode(message), table)
        assert (type(decoded), decoded) == (kind, message)


def test_every_message_of_a_worker_has_a_handler_and_nothing_else_has(run):
    assert set(run._handlers) == set(protocol.WORKER_MESSAGES.values())
