"""The live view as lines of text."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from pytest_twin.analysis.run.minute import SERIES, LastMinute
from pytest_twin.analysis.run.running import EndCounts, RunningItem, UpcomingLoad
from pytest_twin.model.clock import Clock
from pytest_twin.report.live.view import (
    BLOCKS,
    PLAIN,
    ViewState,
    format_clock,
    format_seconds,
    frame,
    glyphs_for,
    plain,
    sparkline,
    truncate_cells,
)

CLOCK = Clock(0.0, 1_700_000_000.0)
LONG = "tests/a/folder/test_file.py::TestClass::test_name[" + "parameter-" * 30 + "end]"


@pytest.fixture
def minute():
    """Half a minute of everything."""
    filled = LastMinute(1.0)
    for at in range(1, 31):
        cells = {series.column: str(at) for series in SERIES if series.column}
        filled.add({"timestamp": CLOCK.stamp(at), "elapsed_s": str(at), **cells})
    return filled


@pytest.fixture
def state(minute):
    """A run with two tests and a load."""
    running = (
        RunningItem(20, "test", LONG, "gw0"),
        RunningItem(25, "test", "a.py::test[=測試]", "gw1"),
        RunningItem(28, "cpu", "75%", ""),
    )
    return ViewState(
        "twin-report", minute, running, EndCounts(3, 1, 1), 30.0, 30.0, 90.0, (UpcomingLoad(2.5, "mem=1GiB"),), 4
    )


def texts(state, width=100, height=50, glyphs=BLOCKS):
    return [line.plain for line in frame(state, width, height, glyphs)]


@pytest.mark.parametrize("width", [39, 40, 59, 60, 79, 80, 99, 100, 120, 160, 200])
@pytest.mark.parametrize("glyphs", [BLOCKS, PLAIN])
def test_no_line_is_wider_than_the_terminal_and_none_is_lost(state, width, glyphs):
    lines = texts(state, width, glyphs=glyphs)
    assert max(map(cell_len, lines)) <= width
    said = "\n".join(lines)
    for series in SERIES:
        assert series.name in said
    assert "every 1 s" in said
    assert "0:30, 1:00 left" in said
    assert ("highest" in said) == (width >= 60)


@pytest.mark.parametrize("width", [28, 39, 60, 100, 160, 200])
def test_values_stand_below_each_other(state, width):
    rows = [line for line in texts(state, width) if line.endswith(("%", "MiB/s")) and " s " not in line]
    assert len(rows) == len(SERIES)
    assert len(set(map(len, rows))) == 1


def test_the_view_says_what_runs_how_long_and_what_comes(state):
    lines = texts(state)
    assert lines[0] == "twin-report · every 1 s · 30 rows · 0:30, 1:00 left"
    assert lines[-5] == "3 tests done · 1 of 4 loads done · 1 aborted"
    assert lines[-4].startswith("test gw0        10.0 s tests/a/folder/test_file.py::TestClass")
    assert lines[-4].endswith("parameter-end]")
    assert "…" in lines[-4]
    assert lines[-3:] == [
        "test gw1         5.0 s a.py::test[=測試]",
        "load             2.0 s cpu=75%",
        "next          in 2.5 s mem=1GiB",
    ]


def test_rows_that_were_missed_are_told(minute):
    minute.add({"timestamp": CLOCK.stamp(33), "elapsed_s": "33"})
    assert "31 rows · 2 missed" in texts(ViewState("r", minute, (), EndCounts(), 33, 33))[0]


def test_what_does_not_fit_in_the_height_is_counted(state):
    lines = texts(state, height=17)
    assert len(lines) == 17
    assert lines[-1] == "… and 2 more"


@pytest.mark.parametrize("height", range(1, 25))
def test_there_are_no_more_lines_than_the_terminal_has(state, height):
    assert len(texts(state, height=height)) <= height


def test_in_a_low_terminal_there_is_room_for_what_runs(state):
    assert "3 tests done" in texts(state, height=12)[9]


def test_before_the_first_sample_it_says_so():
    assert texts(ViewState("r", LastMinute(0.1), (), EndCounts(), 0, 0)) == [
        "r · every 0.1 s · 0 rows · 0:00",
        "waiting for the first sample",
    ]


def test_a_value_that_is_missing_is_a_dash_and_a_gap():
    minute = LastMinute()
    for at, cpu in ((1, "50"), (2, ""), (3, "0"), (4, "")):
        minute.add({"timestamp": CLOCK.stamp(at), "elapsed_s": str(at), "cpu_percent": cpu})
    line = texts(ViewState("r", minute, (), EndCounts(), 4, 4), 100)[-1]
    assert line.split() == ["CPU", "▅", "▁", "–", "50.0", "%"]  # noqa: RUF001
    assert "▅ ▁ " in line


def test_markup_in_a_name_is_no_markup(minute):
    name = "test.py::test[bold red]"
    assert texts(ViewState("[r]", minute, (RunningItem(0, "test", name, ""),), EndCounts(), 1, 1))[-1].endswith(name)


def test_a_wide_line_of_a_log_has_the_time_in_front_and_everything_behind(state):
    line = plain(state, "2026-01-01T00:00:00Z", PLAIN, 1000)
    assert line.startswith(
        "2026-01-01T00:00:00Z  twin-report | every 1 s | 30 rows | 0:30, 1:00 left"
        " | 3 tests done | 1 of 4 loads done | 1 aborted  CPU 30.0 %  tests 30.0 %  stress 30.0 %  rest 0.0 %"
        "  memory 30.0 %  disk read 30.0 MiB/s"
    )
    assert line.endswith(f"running: test {LONG} 10.0 s, test a.py::test[=測試] 5.0 s, cpu=75% 2.0 s")
    assert line.isprintable()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_log_fits_the_width_and_lacks_nothing(state, width):
    first, *others = plain(state, "2026-01-01T00:00:00Z", PLAIN, width).split("\n")
    assert first.startswith("2026-01-01T00:00:00Z  twin-report")
    assert max(map(cell_len, (first, *others))) <= width
    assert {line[:2] for line in others} == {"  "}
    values = [value for line in others for value in line.strip().split("  ")]
    for series in SERIES:
        assert any(value.startswith(f"{series.name} ") for value in values), values
    assert others[-1].endswith("cpu=75% 2.0 s")


def test_a_line_of_a_log_names_only_some_of_what_runs(minute):
    running = tuple(RunningItem(1, "cpu", f"{number}", "") for number in range(50))
    assert plain(ViewState("r", minute, running, EndCounts(), 2, 2), "now", PLAIN, 80).endswith(
        "cpu=2 1.0 s, ... and 47 more"
    )


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "ab…efg"),
        ("測試測試測試", 7, "測…試"),
        ("abc", 1, "…"),
    ],
)
def test_a_long_text_is_cut_in_the_middle(text, width, cut):
    assert truncate_cells(text, width, "…") == cut
    assert cell_len(truncate_cells(text, width, "…")) <= width


def test_a_sparkline_has_a_level_for_each_point():
    assert sparkline([0, None, 12.5, 50, 99, 100, 120], 100, BLOCKS) == "▁ ▂▅███"
    assert sparkline([0, None, 50, 100], 100, PLAIN) == "_ -#".replace("-", PLAIN.levels[4])


def test_where_there_was_nothing_at_all_the_line_is_at_the_bottom():
    assert sparkline([0, 0, None], 0, BLOCKS) == "▁▁ "


@pytest.mark.parametrize(
    ("encoding", "glyphs"), [("utf-8", BLOCKS), ("ascii", PLAIN), ("cp1252", PLAIN), ("no", PLAIN)]
)
def test_block_characters_are_for_encodings_that_have_them(encoding, glyphs):
    assert glyphs_for(encoding) is glyphs


def test_times_are_for_people():
    assert [format_seconds(at) for at in (-1, 0, 3.21, 61, 7200)] == ["0.0 s", "0.0 s", "3.2 s", "1:01", "2:00:00"]
    assert [format_clock(at) for at in (-1, 5.9, 65, 3661)] == ["0:00", "0:05", "1:05", "1:01:01"]
