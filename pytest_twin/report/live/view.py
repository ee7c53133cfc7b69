"""Render the live view as lines of text: sparklines of the last minute, and what is running."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pytest_twin.analysis.run.minute import BINS, RATE, LastMinute, MinuteLine
from pytest_twin.analysis.run.running import EndCounts, RunningItem, UpcomingLoad
from pytest_twin.loads.registry import load_text
from pytest_twin.model.event import PHASE, TEST
from pytest_twin.report.wording import format_count

if TYPE_CHECKING:
    from rich.text import Text

LABEL, VALUE, TIME, GAP = 12, 12, 9, 1
POINTS = [number for number in range(2, BINS + 1) if BINS % number == 0]
MOST_AHEAD = 2
MOST_IN_A_LINE = 3
LONGEST_PATH = 60  # in a log
INDENT, RUNNING, GAP_IN_A_LINE = "  ", "running: ", "  "  # of a log

# colours of Okabe and Ito, which people see apart whatever their eyes; each has its word beside it all the same
STYLES = {"tests": "#56b4e9", "test": "#56b4e9", "stress": "#e69f00", "rest": "#999999", "memory": "#009e73"}
STYLES |= {"disk read": "#0072b2", "disk write": "#d55e00", "net in": "#0072b2", "net out": "#d55e00"}
FAINT, STRONG = "dim", "bold"


class Glyphs(NamedTuple):
    """The characters of the view other than letters.

    Attributes:
        levels: The levels of sparklines, from the lowest to the highest.
        missing: For an unknown value.
        cut: For omitted text.
        between: Between two facts.
    """

    levels: str
    missing: str
    cut: str
    between: str


BLOCKS = Glyphs("▁▂▃▄▅▆▇█", "–", "…", " · ")  # noqa: RUF001 - a dash, and no minus
PLAIN = Glyphs("_.:-=+*#", "-", "...", " | ")


@dataclass(frozen=True)
class ViewState:
    """The state that the view shows.

    Attributes:
        where: The run folder, for people.
        minute: The samples.
        running: What has started and not ended.
        ended: The number of ended tests and loads.
        now_s: Seconds since the run began.
        elapsed_s: Seconds since the start of the command.
        total_s: Its total time; None if unknown.
        ahead: The loads that a schedule has not started yet.
        planned: The total number of loads; None if unknown.
        message: A further message.
    """

    where: str
    minute: LastMinute
    running: Sequence[RunningItem]
    ended: EndCounts
    now_s: float
    elapsed_s: float
    total_s: float | None = None
    ahead: Sequence[UpcomingLoad] = ()
    planned: int | None = None
    message: str = ""


def glyphs_for(encoding: str) -> Glyphs:
    """Return block characters if the encoding has them, else ASCII."""
    try:
        "".join(BLOCKS).encode(encoding)
    except (UnicodeError, LookupError):
        return PLAIN
    return BLOCKS


def frame(state: ViewState, width: int, height: int, glyphs: Glyphs) -> list[Text]:
    """Return the view with at most `height` lines, none wider than `width`."""
    from rich.text import Text

    head = [Text(line, STRONG) for line in _wrap(_facts(state, width, glyphs), width, glyphs.between)]
    if message := state.message or ("" if state.minute.rows else "waiting for the first sample"):
        head.append(Text(message))
    below = [Text(glyphs.between.join(counts), FAINT)] if (counts := _counts(state)) else []
    below += [_row(label, what, how_long, width, glyphs) for label, what, how_long in _now_and_next(state)]
    lines = [*head, *_sparklines(state.minute, width, glyphs)][: height - min(len(below), height // 4)]
    room = height - len(lines)
    if len(below) > room:
        more = Text(f"{glyphs.cut} and {len(below) - room + 1} more", FAINT)
        below = [*below[: max(0, room - 1)], more][:room]
    for line in (shown := [*lines, *below]):
        line.truncate(width, overflow="crop")
    return shown


def plain(state: ViewState, stamp: str, glyphs: Glyphs, width: int) -> str:
    """Return the view as text for a log: one line, or what continues it on lines that are indented.

    Args:
        state: The state to show.
        stamp: The time stamp to begin with.
        glyphs: Characters that the log can encode.
        width: The largest width of a line.
    """
    room = width - len(INDENT)
    begin = f"{stamp}{GAP_IN_A_LINE}"
    where, *facts = _facts(state, min(room - len(begin), LONGEST_PATH), glyphs)
    message = [state.message] if state.message else []
    lines = state.minute.lines(POINTS[0])
    values = [f"{line.series.name} {_shown(line.now, line.series.unit, glyphs)}" for line in lines]
    longest = room - len(RUNNING) - TIME
    running = [
        f"{truncate_cells(_what(each), longest, glyphs.cut)} {format_seconds(state.now_s - each.since_s)}"
        for each in state.running
    ]
    more = [f"{glyphs.cut} and {len(running) - MOST_IN_A_LINE} more"] if len(running) > MOST_IN_A_LINE else []
    now = _wrap([*running[:MOST_IN_A_LINE], *more], room - len(RUNNING), ", ") if running else []
    now[:1] = [f"{RUNNING}{line}" for line in now[:1]]
    head = _wrap([f"{begin}{where}", *facts, *message, *_counts(state)], room, glyphs.between)
    return f"\n{INDENT}".join(_wrap([*head, *values, *now], room, GAP_IN_A_LINE))


def truncate_cells(text: str, width: int, cut: str) -> str:
    """Shorten text in the middle to a number of terminal cells: both ends of a test id matter most."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    room = max(0, width - len(cut))
    head = set_cell_size(text, room // 2).rstrip()
    tail = set_cell_size(text[::-1], room - room // 2).rstrip()[::-1]
    return f"{head}{cut}{tail}"


def format_seconds(seconds: float) -> str:
    """Format a time: ``3.2 s``, ``1:05``, ``2:00:00``."""
    if seconds < 60:
        return f"{max(0.0, seconds):.1f} s"
    return format_clock(seconds)


def format_clock(seconds: float) -> str:
    """Format a time like a clock: ``0:05``, ``2:00:00``."""
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def sparkline(points: Iterable[float | None], top: float, glyphs: Glyphs) -> str:
    """Return one character for each point; an unknown point is a gap."""
    most = len(glyphs.levels) - 1
    return "".join(
        " " if point is None else glyphs.levels[min(most, int(point / top * len(glyphs.levels)) if top else 0)]
        for point in points
    )


def _wrap(words: Iterable[str], width: int, between: str) -> list[str]:
    """Wrap words to lines, with a text between two words of a line."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]}{between}{word}" if lines[-1] else word
        if len(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _facts(state: ViewState, width: int, glyphs: Glyphs) -> list[str]:
    minute = state.minute
    so_far = format_clock(state.elapsed_s)
    if state.total_s is not None:
        so_far += f", {format_clock(state.total_s - state.elapsed_s + 0.999)} left"
    return [
        truncate_cells(state.where, width, glyphs.cut),
        *([f"every {minute.interval:.2g} s"] if minute.interval else []),
        format_count(minute.rows, "row"),
        *([f"{minute.missed} missed"] if minute.missed else []),
        so_far,
    ]


def _counts(state: ViewState) -> list[str]:
    tests, loads, aborted = state.ended
    of = "" if state.planned is None else f" of {state.planned}"
    return [
        *([f"{format_count(tests, 'test')} done"] if tests else []),
        *([f"{loads}{of} load{'s' * ((state.planned or loads) != 1)} done"] if loads or of else []),
        *([f"{aborted} aborted"] if aborted else []),
    ]


def _now_and_next(state: ViewState) -> Iterable[tuple[str, str, str]]:
    for each in state.running:
        kind, what = (each.type, each.what) if each.type in {TEST, PHASE} else ("load", _what(each))
        yield f"{kind} {each.worker}".strip(), what, format_seconds(state.now_s - each.since_s)
    for in_s, what in state.ahead:
        yield "next", what, f"in {format_seconds(in_s)}"


def _what(item: RunningItem) -> str:
    return f"{item.type} {item.what}" if item.type in {TEST, PHASE} else load_text(item.type, item.what)


def _sparklines(minute: LastMinute, width: int, glyphs: Glyphs) -> list[Text]:
    """Return the lines of the last minute below a heading; none before the first sample."""
    from rich.text import Text

    if not minute.rows:
        return []
    with_most = width >= 60
    room = width - LABEL - (VALUE + GAP) * (1 + with_most) - GAP
    points = max((number for number in POINTS if number <= room), default=POINTS[0])
    lines = minute.lines(points)
    heading = f"{'last minute':<{LABEL}} {'':<{points}} {'now':>{VALUE}}" + f" {'highest':>{VALUE}}" * with_most
    return [Text(heading, FAINT), *(_sparkline_row(line, glyphs, with_most=with_most) for line in lines)]


def _sparkline_row(line: MinuteLine, glyphs: Glyphs, *, with_most: bool) -> Text:
    from rich.text import Text

    series = line.series
    top = (line.most or 0.0) if series.unit is RATE else 100.0
    row = Text(f"{'  ' * series.is_part}{series.name}".ljust(LABEL) + " " * GAP)
    row.append(sparkline(line.points, top, glyphs), STYLES.get(series.name))
    row.append(" " * GAP + _shown(line.now, series.unit, glyphs).rjust(VALUE))
    if with_most:
        row.append(" " * GAP + _shown(line.most, series.unit, glyphs).rjust(VALUE), FAINT)
    return row


def _row(label: str, what: str, how_long: str, width: int, glyphs: Glyphs) -> Text:
    from rich.text import Text

    row = Text(label.ljust(LABEL) + " " * GAP, STYLES.get(label.partition(" ")[0], STYLES["stress"]))
    row.append(how_long.rjust(TIME) + " " * GAP, FAINT)
    return row.append(truncate_cells(what, width - len(row), glyphs.cut))


def _shown(value: float | None, unit: str, glyphs: Glyphs) -> str:
    if value is None:
        return glyphs.missing
    return f"{value:.{1 if unit is not RATE or value >= 10 else 2}f} {unit}"
