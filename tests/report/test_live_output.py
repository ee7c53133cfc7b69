"""Where the live view goes."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from pytest_twin.analysis.run.minute import LastMinute
from pytest_twin.analysis.run.running import EndCounts, RunningItem
from pytest_twin.report.live import output
from pytest_twin.report.live.output import LogOutput, TerminalOutput

STAMPED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  ")


def state(elapsed=1.0, total=None, running=0, rows=1):
    minute = LastMinute(1.0)
    for at in range(1, rows + 1):
        minute.add({"timestamp": f"2026-01-01T00:00:{at:02}Z", "elapsed_s": str(at), "cpu_percent": "50"})
    return output.ViewState(
        "r", minute, (RunningItem(0, "cpu", "75%", ""),) * running, EndCounts(), elapsed, elapsed, total
    )


@pytest.fixture
def terminal():
    """A console that writes into a text, and can be resized."""
    return Console(
        file=io.StringIO(), force_terminal=True, width=80, height=24, color_system="standard", legacy_windows=False
    )


def drawn(console):
    """What was written since the last call, without colours and without the ends of lines."""
    text = console.file.getvalue()
    console.file.seek(0)
    console.file.truncate()
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_the_view_is_drawn_where_it_was(terminal):
    view = TerminalOutput(terminal)
    view.show(state(running=1))
    first = drawn(terminal)
    view.show(state(running=2))
    assert first.startswith("\rr · every 1 s")
    assert first.count("\n") == 4
    assert drawn(terminal).startswith("\r\x1b[4Ar · every 1 s")


def test_the_rest_of_each_line_and_all_below_is_erased(terminal):
    TerminalOutput(terminal).show(state(running=1))
    text = drawn(terminal)
    assert text.count("\x1b[K\n") == text.count("\n")
    assert text.endswith("\n\x1b[J")


def test_nothing_above_is_touched_and_the_screen_is_not_cleared(terminal):
    TerminalOutput(terminal).show(state())
    text = drawn(terminal)
    assert "\x1b[2J" not in text
    assert "\x1b[?1049h" not in text
    assert not re.search(r"\x1b\[\d+A", text)


def test_lines_that_a_narrower_terminal_has_wrapped_are_drawn_over(terminal):
    view = TerminalOutput(terminal)
    view.show(state())
    lines = drawn(terminal).replace("\x1b[K", "").replace("\x1b[J", "").lstrip("\r").splitlines()
    terminal.width = 40
    view.show(state())
    rows = sum(-(-len(line) // 40) for line in lines)
    assert rows > len(lines)
    assert drawn(terminal).startswith(f"\r\x1b[{rows}A")


def test_no_line_fills_the_terminal(terminal):
    for width in (40, 60, 100, 200):
        terminal.width = width
        TerminalOutput(terminal).show(state(running=3))
        assert max(len(line.removesuffix("\x1b[K")) for line in drawn(terminal).splitlines()) < width


def test_colours_are_left_out_where_nobody_wants_them(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(file=io.StringIO(), force_terminal=True, width=80, legacy_windows=False)
    TerminalOutput(console).show(state(running=1))
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", console.file.getvalue())


def test_a_log_has_an_entry_once_there_is_a_sample():
    file = io.StringIO()
    log = LogOutput(file)
    log.show(state(0.1, rows=0))
    assert file.getvalue() == ""
    log.show(state(0.4))
    log.show(replace(state(0.5), message="too late to wait"))
    assert len(STAMPED.findall(file.getvalue())) == 1
    assert STAMPED.match(file.getvalue())


def test_a_log_says_once_that_it_waits_for_a_run():
    file = io.StringIO()
    log = LogOutput(file)
    for at in (0.0, 0.3, 9.0):
        log.show(replace(state(at, rows=0), message="waiting for the run folder"))
    assert file.getvalue() == "r: waiting for the run folder\n"


@pytest.mark.parametrize(
    ("total", "lasts", "lines"),
    [(60, 60, 11), (300, 300, 10), (None, 50, 10), (None, 36000, 700), (36000, 36000, 600)],
)
def test_a_log_has_an_entry_each_five_seconds_or_each_tenth_but_one_a_minute_at_least(total, lasts, lines):
    file = io.StringIO()
    log, shown = LogOutput(file), state(total=total)
    for at in range(1, lasts + 1):
        log.show(replace(shown, now_s=float(at), elapsed_s=float(at)))
    assert len(STAMPED.findall(file.getvalue())) == pytest.approx(lines, rel=0.15)


def test_a_log_has_no_control_characters_and_fits_the_width():
    file = io.StringIO()
    LogOutput(file).show(state(running=2))
    lines = file.getvalue().splitlines()
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) <= 80


def test_a_stream_without_block_characters_gets_others():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    LogOutput(file).show(state())
    file.seek(0)
    assert " | " in file.read()
