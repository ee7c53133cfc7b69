"""Our end of the supervisor: it holds up nobody, whatever a test, or the supervisor, does."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

import psutil
import pytest

from pytest_twin._system import response_timeout
from pytest_twin.loads import supervisor_client as supervisors
from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.registry import kinds
from pytest_twin.loads.supervisor_client import SupervisorClient

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
(PART,) = parse_load({"mem": "1MiB"}, kinds()).parts
MODULES = [json, os, select, signal, subprocess, sys, tempfile, threading, time]
if sys.platform != "win32":
    import resource

    MODULES.append(resource)


class Told:
    """What is told of loads, and to the user."""

    def __init__(self) -> None:
        self.replies: list[tuple[str, str]] = []
        self.lines: list[str] = []

    def reply(self, applied, reply) -> None:
        self.replies.append((applied.id, reply["event"]))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def supervisor(told) -> Iterator[SupervisorClient]:
    made = SupervisorClient(told.reply, lambda _: None, tell=told.lines.append)
    yield made
    made.close()


@pytest.fixture
def impatient(monkeypatch) -> Callable[[SupervisorClient], None]:
    """Makes the limits of silence shorter; not before the supervisor runs, which may take a while."""

    def shorten(client: SupervisorClient) -> None:
        monkeypatch.setattr(response_timeout, "WARN_AFTER_S", 0.5)
        monkeypatch.setattr(client, "_give_up_after_s", 1.5)
        monkeypatch.setattr(supervisors, "STEP_S", 0.1)

    return shorten


@contextmanager
def replaced(module: ModuleType) -> Iterator[None]:
    """A module whose every public name is something that raises."""

    def raising(*_args: object, **_kwargs: object) -> None:
        raise AssertionError(f"a name of {module.__name__} that a test has replaced was used")

    # what the interpreter, and this test itself, cannot do without
    kept = {"modules", "meta_path", "path_hooks", "path_importer_cache", "path", "excepthook", "unraisablehook"}
    kept |= {"stdout", "stderr", "stdin", "flags", "monitoring", "stdlib_module_names", "builtin_module_names"}
    before = {name: value for name, value in vars(module).items() if not name.startswith("_") and name not in kept}
    try:
        for name in before:
            setattr(module, name, raising)
        yield
    finally:
        vars(module).update(before)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_load_is_applied_and_ends_whatever_a_test_has_replaced(supervisor, told, module):
    supervisor.start()
    with replaced(module):
        applied = supervisor.apply(PART, PART.request("l1"))
        is_ready = applied.wait_ready()
        achieved = applied.achieved
        applied.stop()
    assert is_ready
    assert achieved["resident_bytes"] > 0
    assert told.replies == [("l1", "ready"), ("l1", "end")]
    assert told.lines == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_supervisor_that_has_to_start_while_a_test_has_replaced_something_holds_up_nobody(supervisor, told, module):
    with replaced(module):
        applied = supervisor.apply(PART, PART.request("l1"))
        applied.wait_ready()
        applied.stop()
    assert told.replies in ([("l1", "ready"), ("l1", "end")], [("l1", "abort")])
    again = supervisor.apply(PART, PART.request("l2"))
    assert again.wait_ready()
    again.stop()


@posix
def test_what_does_not_answer_is_told_of_and_ended_and_its_loads_are_aborted(
    impatient, monkeypatch, told, eventually_gone
):
    supervisor = SupervisorClient(told.reply, lambda _: None, tell=told.lines.append)
    applied = supervisor.apply(PART, PART.request("l1"))
    applied.wait_ready()
    process = psutil.Process(supervisor.pid)
    process.suspend()
    impatient(supervisor)
    applied.stop()
    monkeypatch.undo()
    eventually_gone([process], within=0)
    assert applied.failure.startswith("the supervisor did not answer for ")
    assert told.replies == [("l1", "ready"), ("l1", "abort")]
    (line,) = told.lines
    assert line.startswith("the supervisor of the loads has not answered for ")
    again = supervisor.apply(PART, PART.request("l2"))
    assert again.wait_ready()
    again.stop()
    assert again.failure == ""
    supervisor.close()


@pytest.mark.slow
@posix
def test_more_requests_than_a_stopped_supervisor_takes_hold_up_nobody(impatient, told):
    supervisor = SupervisorClient(told.reply, lambda _: None, tell=told.lines.append)
    supervisor.start()
    psutil.Process(supervisor.pid).suspend()
    impatient(supervisor)
    requests = [PART.request(f"l{number}", start=supervisor.now() + 3600) for number in range(1000)]
    loads = [supervisor.apply(PART, request) for request in requests]
    supervisor.close()
    assert all(each.ended_at is not None for each in loads)
    assert {event for _, event in told.replies} <= {"abort", "end"}


@posix
def test_a_load_longer_than_a_pipe_is_written_in_one_piece(supervisor, told):
    supervisor.start()
    applied = supervisor.apply(PART, PART.request("l1"), note="n" * 10)
    supervisor.send({"op": "samples", "path": "x" * (5 << 20)})
    later = supervisor.apply(PART, PART.request("l2"))
    assert applied.wait_ready()
    assert later.wait_ready()


@pytest.mark.slow
@posix
def test_the_end_of_an_interrupted_run_does_not_wait_for_what_does_not_answer(told):
    supervisor = SupervisorClient(told.reply, lambda _: None, tell=told.lines.append)
    applied = supervisor.apply(PART, PART.request("l1"))
    applied.wait_ready()
    psutil.Process(supervisor.pid).suspend()
    supervisor.hurry()
    applied.stop()
    supervisor.close()
    assert applied.failure == f"the supervisor did not answer for {response_timeout.HURRY_S:.0f} s"
    assert told.lines == []  # as there would be of a longer wait
    assert told.replies[-1] == ("l1", "abort")


@pytest.mark.slow
@posix
def test_a_supervisor_that_has_long_nothing_to_say_is_asked_and_goes_on(impatient, supervisor, told):
    def goes_on() -> bool:
        told.lines.clear()
        applied = supervisor.apply(PART, PART.request("l1", start=supervisor.now() + 2))
        is_ready = applied.wait_ready()
        applied.stop()
        return is_ready and told.lines == []

    supervisor.start()
    impatient(supervisor)
    assert any(goes_on() for _ in range(5))  # one that has no CPU for half a second is told of


REPLIES = {
    "no JSON": "spam",
    "no reply": "[1]",
    "no event": '{"id": "l1"}',
    "no time": '{"event": "end", "id": "l1"}',
    "no text": "\\xff\\xfe",
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_a_reply_that_cannot_be_understood_ends_the_loads_and_wakes_who_waits(tmp_path, monkeypatch, told, reply):
    program = tmp_path / "supervisor.py"
    program.write_text(
        "import os, sys, time\n"
        'print(\'{"event": "hello"}\', flush=True)\n'
        "for line in sys.stdin:\n"
        "    if 'apply' in line: break\n"
        f"os.write(1, b'{reply}\\n')\n"
        "time.sleep(60)\n"
    )
    monkeypatch.setattr(supervisors, "PROGRAM", str(program))
    supervisor = SupervisorClient(told.reply, lambda _: None, tell=told.lines.append)
    applied = supervisor.apply(PART, PART.request("l1"))
    assert not applied.wait_ready()
    applied.stop()
    assert applied.failure.startswith("the supervisor died (its reply was not understood: ")
    assert supervisor.pid is None
    assert told.replies == [("l1", "abort")] or reply == REPLIES["no time"]
    supervisor.close()


def test_rows_that_cannot_be_written_hold_up_nobody_and_are_told_of_once(told):
    def fail(*_: object) -> None:
        raise ValueError("spam")

    supervisor = SupervisorClient(fail, fail, tell=told.lines.append)
    for name in ("l1", "l2"):
        applied = supervisor.apply(PART, PART.request(name))
        assert applied.wait_ready()
        applied.stop()
    supervisor.close()
    assert told.lines == ["the result of a load could not be written: ValueError('spam')"]


def test_none_of_our_threads_is_among_those_that_a_test_left(supervisor):
    before = threading.enumerate()
    applied = supervisor.apply(PART, PART.request("l1"))
    applied.wait_ready()
    assert set(threading.enumerate()) <= set(before)


def test_a_supervisor_needs_no_temporary_file(supervisor, monkeypatch):
    if sys.platform != "linux":
        pytest.skip("files in memory")
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")
    monkeypatch.setenv("TMPDIR", "/no/such/folder")
    applied = supervisor.apply(PART, PART.request("l1"))
    assert applied.wait_ready()


@posix
def test_the_time_of_loads_stands_still_while_they_are_paused_and_goes_on_from_there(supervisor, eventually):
    supervisor.start()
    supervisor.pause("a reason")
    eventually(lambda: supervisor.now() == supervisor.now())
    stood = supervisor.now()
    time.sleep(0.3)
    assert supervisor.now() == stood
    began = time.monotonic()
    supervisor.resume("a reason")
    now = supervisor.now()
    assert stood <= now <= stood + time.monotonic() - began + 1e-6
