"""Build the spans of a run: a session, its tests with their phases, and its loads and constraints."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping

from pytest_twin.export.otlp import attributes as names
from pytest_twin.export.otlp.recorded_spans import RecordedMoment, RecordedSpan, moments, pair_events
from pytest_twin.export.otlp.run_rows import OWN, START, RunRows, event_time
from pytest_twin.export.otlp.span import IdSource, OtlpSpan, SpanEvent, SpanIds, SpanLink, Value
from pytest_twin.model import event
from pytest_twin.model.attempt_row import BAD, PHASES, UNFINISHED
from pytest_twin.model.columns import ELAPSED
from pytest_twin.model.trace_context import TraceParent
from pytest_twin.model.version import __version__

SESSION = "pytest session"
LOAD = names.PREFIX + "load."
ROUNDED_NS = 1_000_000  # times of two rows may be wrong by this against each other
MOST_LINKS = 128  # of one span, as the limit of the specification


class AttemptFinder:
    """The spans of the tests of one node ID, to find the attempt that something belongs to."""

    def __init__(self) -> None:
        self._spans: list[OtlpSpan] = []

    def add(self, span: OtlpSpan) -> None:
        """Add an attempt."""
        self._spans.append(span)

    def at(self, time: int, host: str, worker: str) -> OtlpSpan | None:
        """Return the attempt at a time: that in which it is, or the last one before it."""
        found = None
        for span in self._spans:
            same = span.host == host and span.attributes.get(names.PREFIX + "worker", "") == worker
            if same and span.start - ROUNDED_NS <= time:
                found = span
        return found


class TraceBuilder:
    """Builds the spans of one run.

    Attributes:
        session: The span of the session.
        spans: All spans, that of the session first.
    """

    def __init__(self, run: RunRows, parent: TraceParent | None = None, *, per_test: bool = False) -> None:
        """Build them.

        Args:
            run: The run.
            parent: The parent of the session; None for none.
            per_test: Make a trace of each test, and not one of the session.
        """
        self._run, self._ids, self._per_test = run, IdSource(run.identity), per_test
        trace = self._ids.trace()
        own = SpanIds(parent.trace if parent else trace, self._ids.span())
        self.session = OtlpSpan(SESSION, own, parent.span if parent else b"", 0, 0, {}, is_remote_child=bool(parent))
        self.spans = [self.session]
        self._by_nodeid: dict[str, AttemptFinder] = {}
        self._tests: list[OtlpSpan] = []
        self._outcomes: list[str] = []
        found = list(pair_events(run))
        for row in run.tests:
            self._add_test(row)
        self._end = self._last_time(found)
        for each in found:
            if each.first.get("type") == event.TEST:
                self._add_unrecorded_test(each)
        self._tests.sort(key=lambda span: span.start)
        self._starts = [span.start for span in self._tests]
        for each in found:
            if each.first.get("type") != event.TEST:
                self._add_event_span(each)
        for moment in moments(run):
            self._add_moment(moment)
        self._complete_session()

    def _last_time(self, found: list[RecordedSpan]) -> int:
        """Return the end of the run, where what has no end is cut."""
        times = (self._run.axis.ns(*event_time(row)) for row in self._run.events[-1:])
        ends = (each.end or each.start for each in found)
        return max([*ends, *(span.end for span in self._tests), *(at for at in times if at)], default=0)

    def _add_test(self, row: Mapping[str, str]) -> None:
        start = self._run.axis.ns(row.get(START, ""), row.get(ELAPSED.name, ""))
        nodeid, outcome = row.get("nodeid", ""), row.get("outcome", "")
        if start is None or not nodeid:
            return
        name, found = names.of_case(nodeid, outcome)
        found.update(names.of_test_row(row))
        span = self._new_test(name, nodeid, start, start + _ns(row.get("duration_s")), found, row.get("host", OWN))
        self._fail(span, outcome)
        failed = None if outcome not in {"failed", "error"} else _failed_phase(row, outcome)
        for phase in PHASES:
            begin, wall = row.get(f"{phase}_start_s"), row.get(f"{phase}_s")
            if begin and wall:  # a run of an old version does not tell when they began
                at = start + _ns(begin)
                self.spans.append(
                    OtlpSpan(
                        phase, SpanIds(span.ids.trace, self._ids.span()), span.ids.span, at, at + _ns(wall), {},
                        span.host, outcome if phase == failed else None,
                    )
                )  # fmt: skip

    def _add_unrecorded_test(self, each: RecordedSpan) -> None:
        """Add a test without a row in tests.csv: it did not end, or the folder is that of a single test."""
        row, nodeid = each.first, each.first.get("test", "")
        outcome = UNFINISHED if each.end is None else str(each.fields.get("text", ""))
        name, found = names.of_case(nodeid, outcome)
        cells = {"nodeid": nodeid, "outcome": outcome, "worker": row.get("worker", ""), "host": row.get("host", OWN)}
        found.update(names.of_test_row(cells))
        end = max(each.start, self._end) if each.end is None else each.end
        self._fail(self._new_test(name, nodeid, each.start, end, found, cells["host"]), outcome)

    def _new_test(
        self, name: str, nodeid: str, start: int, end: int, found: dict[str, Value], host: str
    ) -> OtlpSpan:  # fmt: skip
        own = SpanIds(self._ids.trace() if self._per_test else self.session.ids.trace, self._ids.span())
        span = OtlpSpan(name, own, b"" if self._per_test else self.session.ids.span, start, end, found, host)
        if self._per_test:
            span.links.append(SpanLink(self.session.ids, {}))
        self.spans.append(span)
        self._tests.append(span)
        self._by_nodeid.setdefault(nodeid, AttemptFinder()).add(span)
        return span

    def _fail(self, span: OtlpSpan, outcome: str) -> None:
        self._outcomes.append(outcome)
        if outcome in BAD:
            span.error = outcome

    def _test_of(self, row: Mapping[str, str], at: int) -> OtlpSpan | None:
        times = self._by_nodeid.get(row.get("test", ""))
        return times.at(at, row.get("host", OWN), row.get("worker", "")) if times else None

    def _add_event_span(self, each: RecordedSpan) -> None:
        """Add a load, a constraint, a phase or a gap."""
        row, kind = each.first, each.first.get("type", "")
        test, host = self._test_of(row, each.start), row.get("host", OWN)
        is_load = kind not in {event.PHASE, event.GAP, event.NOTE}
        parent = test if test is not None and (self._per_test or not is_load) else self.session
        end = max(each.start, self._end) if each.end is None else each.end
        ids = SpanIds(parent.ids.trace, self._ids.span())
        name = f"load {kind}" if is_load and kind != event.CONSTRAINT else kind
        span = OtlpSpan(
            name, ids, parent.ids.span, each.start, end, _of_load(each) if is_load else _of_phase(each), host
        )
        if is_load:
            tests = [test] if test is not None else list(self._tests_during(span))
            span.links += [SpanLink(found.ids, {}) for found in tests]
            span.error = _shortfall(each)
        self.spans.append(span)

    def _tests_during(self, span: OtlpSpan) -> Iterator[OtlpSpan]:
        """Yield the tests of a host that ran at the same time as a load of none of them."""
        for test in self._tests[: bisect_left(self._starts, span.end)]:
            if test.end > span.start and test.host == span.host:
                yield test

    def _add_moment(self, moment: RecordedMoment) -> None:
        row = moment.row
        span = self._test_of(row, moment.at) or self.session
        found: dict[str, Value] = names.of_fields(moment.fields, names.PREFIX)
        cells = {"type": row.get("type", ""), "target": row.get("target", ""), "test": row.get("test", ""),
                 "worker": row.get("worker", ""), "host": row.get("host", OWN)}  # fmt: skip
        if row.get("event") == event.NOTE:
            cells.pop("type")
        found.update({names.PREFIX + name: cell for name, cell in cells.items() if cell})
        span.events.append(SpanEvent(moment.at, str(row.get("event")), found))

    def _complete_session(self) -> None:
        session, others = self.session, self.spans[1:]
        times = [each.at for each in session.events]
        session.start = min([*(span.start for span in others), *times], default=self._end)
        session.end = max([*(span.end for span in others), *times, self._end])
        counts = self._run.outcomes or Counter(self._outcomes)
        session.attributes = {
            names.SUITE_NAME: "pytest",
            names.SUITE_STATUS: names.suite_status(self._outcomes),
            names.PREFIX + "version": __version__,
            **{f"{names.PREFIX}outcomes.{outcome}": many for outcome, many in counts.items() if outcome},
        }
        bad = {outcome: many for outcome, many in counts.items() if outcome in {*BAD, "errors"}}
        if session.attributes[names.SUITE_STATUS] != names.SUCCESS:
            session.error = ", ".join(f"{many} {outcome}" for outcome, many in bad.items()) or "not all tests passed"


def _ns(seconds: str | None) -> int:
    try:
        return round(float(seconds or 0) * 1e9)
    except (ValueError, OverflowError):
        return 0


def _failed_phase(row: Mapping[str, str], outcome: str) -> str:
    """Return the phase in which a test failed."""
    if outcome == "failed":
        return "call"
    return "teardown" if row.get("call_s") else "setup"


def _of_load(each: RecordedSpan) -> dict[str, Value]:
    row = each.first
    cells = {"id": row.get("id", ""), "type": row.get("type", ""), "target": row.get("target", ""),
             "achieved": each.achieved, "state": each.state, "test": row.get("test", ""),
             "worker": row.get("worker", "")}  # fmt: skip
    first = event.detail_fields(row.get("detail", ""))
    fields = {f"{name}_" if name in cells else name: value for name, value in {**first, **each.fields}.items()}
    return {**names.of_fields(fields, LOAD), **{LOAD + name: cell for name, cell in cells.items() if cell}}


def _of_phase(each: RecordedSpan) -> dict[str, Value]:
    row = each.first
    fields = {**event.detail_fields(row.get("detail", "")), **each.fields, "state": each.state,
              "test": row.get("test", ""), "worker": row.get("worker", ""),
              "target": row.get("target", "")}  # fmt: skip
    return names.of_fields(fields, names.PREFIX)


def _shortfall(each: RecordedSpan) -> str | None:
    """Return why a load or a constraint was not held as requested; None if it was."""
    if each.state == event.ABORT:
        return str(each.fields.get("reason") or each.fields.get("text") or each.state)
    if each.state == UNFINISHED:
        return event.NO_END
    return event.reduction(each.fields) or None
