"""The spans of a run, decoded by the classes of the OpenTelemetry project, against its files."""

from __future__ import annotations

import csv
import json

import pytest
from made_runs import BEGAN, MadeRun, busy_run, run_of_two_hosts
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from otlp_collector import spans_of, values

from pytest_twin.export.otlp.attributes import PREFIX, SCHEMA_URL
from pytest_twin.export.otlp.config import OtlpConfig, OtlpLimits
from pytest_twin.export.otlp.exporter import RunExport
from pytest_twin.model import attempt_row, event

ERROR = Status.STATUS_CODE_ERROR
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def request_of(folder, host="", **config) -> ExportTraceServiceRequest:
    """The message of a run, as a collector decodes it."""
    export = RunExport(folder, OtlpConfig({}, **config), host)
    return ExportTraceServiceRequest.FromString(export.span_request(export.trace().spans).SerializeToString())


def spans(made, **config):
    return spans_of(request_of(made.write(), **config).resource_spans)


def named(found, name):
    return [span for span in found if span.name == name]


def nanoseconds(at):
    return round(BEGAN.timestamp()) * 10**9 + round(at * 1e9)


def rows(folder, name):
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def cells_as_values(row):
    """The cells of a row of tests.csv that are not empty, in the types of their columns."""
    types = {column.name: {None: str, 0: int}.get(column.digits, float) for column in attempt_row.COLUMNS}
    return {PREFIX + name: types[name](cell) for name, cell in row.items() if cell}


@pytest.mark.parametrize("make", [busy_run, run_of_two_hosts])
def test_every_cell_of_every_test_is_an_attribute(tmp_path, make):
    folder = make(tmp_path).write()
    found = [values(span.attributes) for span in spans_of(request_of(folder).resource_spans)]
    ours = [{key: value for key, value in each.items() if key.startswith(PREFIX)} for each in found]
    of_tests = [each for each in ours if PREFIX + "nodeid" in each]
    for each in of_tests:
        each.pop(PREFIX + "parameters", None)
    assert of_tests == [cells_as_values(row) for row in rows(folder, "tests.csv")]


def test_a_test_is_a_child_of_the_session_with_its_own_times(tmp_path):
    found = spans(busy_run(tmp_path))
    [session] = named(found, "pytest session")
    [slow] = named(found, "tests/test_a.py::test_slow")
    assert slow.parent_span_id == session.span_id
    assert slow.trace_id == session.trace_id
    assert (slow.start_time_unix_nano, slow.end_time_unix_nano) == (nanoseconds(0.5), nanoseconds(4.0))
    assert session.parent_span_id == b""
    assert (session.start_time_unix_nano, session.end_time_unix_nano) == (nanoseconds(0), nanoseconds(5.5))


def test_the_name_has_no_parameters_and_the_attributes_do(tmp_path):
    made = MadeRun(tmp_path)
    for at, nodeid in enumerate(["t[x].py::C::test_a[a::b[1]]", "t.py::test_b", "notes.rst::notes.rst"]):
        made.test(nodeid, at, at + 1)
    found = [(span.name, values(span.attributes)) for span in spans(made)[1:]]
    assert [(name, each["test.case.name"], each["test.suite.name"], each.get("pytest_twin.parameters"))
            for name, each in found] == [
        ("t[x].py::C::test_a", "t[x].py::C::test_a[a::b[1]]", "t[x].py::C", "a::b[1]"),
        ("t.py::test_b", "t.py::test_b", "t.py", None),
        ("notes.rst::notes.rst", "notes.rst::notes.rst", "notes.rst", None),
    ]  # fmt: skip


def test_the_status_by_the_conventions_is_for_pass_and_fail_only(tmp_path):
    outcomes = {"passed": "pass", "failed": "fail", "error": "fail", "crashed": "fail", "skipped": None,
                "xfailed": None, "xpassed": None, "interrupted": None}  # fmt: skip
    made = MadeRun(tmp_path)
    for at, outcome in enumerate(outcomes):
        made.test(f"t.py::test_{outcome}", at, at + 1, outcome)
    found = {values(span.attributes)["pytest_twin.outcome"]: span for span in spans(made)[1:]}
    assert {name: values(span.attributes).get("test.case.result.status") for name, span in found.items()} == outcomes
    assert {name for name, span in found.items() if span.status.code == ERROR} == {
        "failed", "error", "crashed", "interrupted"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("outcomes", "status", "message"),
    [
        (["passed", "skipped"], "success", ""),
        (["passed", "failed", "failed", "error"], "failure", "2 failed, 1 error"),
        (["passed", "crashed"], "aborted", "1 crashed"),
    ],
)
def test_the_session_has_the_status_of_its_tests(tmp_path, outcomes, status, message):
    made = MadeRun(tmp_path)
    for at, outcome in enumerate(outcomes):
        made.test(f"t.py::test_{at}", at, at + 1, outcome)
    session = spans(made)[0]
    found = values(session.attributes)
    assert (found["test.suite.run.status"], session.status.message) == (status, message)
    assert found["pytest_twin.outcomes.passed"] == 1
    assert session.status.code == (ERROR if message else Status.STATUS_CODE_UNSET)


def test_the_counts_of_the_session_are_those_of_pytest(tmp_path):
    made = MadeRun(tmp_path).test("t.py::test_a", 0, 1, "error")
    made.write()
    (tmp_path / "outcomes.json").write_text(json.dumps({"passed": 1, "errors": 1}))
    session = spans(made)[0]
    assert values(session.attributes)["pytest_twin.outcomes.errors"] == 1
    assert session.status.message == "1 errors"


def test_set_up_call_and_teardown_are_children_with_their_own_times(tmp_path):
    cells = {"setup_start_s": 0.125, "setup_s": 0.5, "call_start_s": 1.0, "call_s": 2.0, "teardown_start_s": 3.25,
             "teardown_s": 0.25}  # fmt: skip
    found = spans(MadeRun(tmp_path).test("t.py::test_a", 1, 5, "failed", **cells))
    [test] = named(found, "t.py::test_a")
    assert [
        (span.name, span.start_time_unix_nano, span.end_time_unix_nano, span.status.code == ERROR)
        for span in found
        if span.parent_span_id == test.span_id
    ] == [
        ("setup", nanoseconds(1.125), nanoseconds(1.625), False),
        ("call", nanoseconds(2.0), nanoseconds(4.0), True),
        ("teardown", nanoseconds(4.25), nanoseconds(4.5), False),
    ]


@pytest.mark.parametrize(("cells", "phase"), [({}, "setup"), ({"call_start_s": 1, "call_s": 1}, "teardown")])
def test_an_error_is_in_the_phase_in_which_it_happened(tmp_path, cells, phase):
    cells = {"call_s": "", "setup_start_s": 0, "setup_s": 1, "teardown_start_s": 2, "teardown_s": 1, **cells}
    found = spans(MadeRun(tmp_path).test("t.py::test_a", 0, 3, "error", **cells))
    assert [span.name for span in found[2:] if span.status.code == ERROR] == [phase]


def test_without_the_starts_of_the_phases_none_is_made_up(tmp_path):
    assert [span.name for span in spans(MadeRun(tmp_path).test("t.py::test_a", 0, 3, setup_s=1))] == [
        "pytest session", "t.py::test_a"
    ]  # fmt: skip


def load_attributes(span):
    return {key.removeprefix("pytest_twin.load."): value for key, value in values(span.attributes).items()}


def test_a_load_is_beside_its_test_with_a_link_to_it(tmp_path):
    made = MadeRun(tmp_path).test("t.py::test_a", 0, 3).test("t.py::test_b", 3, 6)
    name = {"id": "l1", "target": "75%", "test": "t.py::test_b"}
    made.happened(3.5, event.START, "cpu", detail=json.dumps({"processes": 2}), **name)
    made.happened(5.5, event.END, "cpu", achieved="74.8%", detail=json.dumps({"held_s": 2.0, "state": "odd"}), **name)
    found = spans(made)
    [load], [test] = named(found, "load cpu"), named(found, "t.py::test_b")
    assert load.parent_span_id == found[0].span_id == test.parent_span_id
    assert [(link.trace_id, link.span_id) for link in load.links] == [(test.trace_id, test.span_id)]
    assert (load.start_time_unix_nano, load.end_time_unix_nano) == (nanoseconds(3.5), nanoseconds(5.5))
    assert load_attributes(load) == {
        "id": "l1", "type": "cpu", "target": "75%", "achieved": "74.8%", "state": "end", "test": "t.py::test_b",
        "processes": 2, "held_s": 2.0, "state_": "odd",
    }  # fmt: skip
    assert load.status.code == Status.STATUS_CODE_UNSET


def test_a_load_of_no_test_is_linked_to_those_that_ran_at_its_time(tmp_path):
    made = MadeRun(tmp_path)
    for at in range(4):
        made.test(f"t.py::test_{at}", at, at + 1)
    made.test("t.py::test_far", 1, 2, host="far").load("cpu", "2", 1.5, 2.5)
    found = spans(made)
    ids = {span.span_id: span.name for span in found}
    [load] = named(found, "load cpu")
    assert [ids[link.span_id] for link in load.links] == ["t.py::test_1", "t.py::test_2"]


@pytest.mark.parametrize(
    ("what", "detail", "message"),
    [
        (event.ABORT, {"reason": "starved: achieved 20 %"}, "starved: achieved 20 %"),
        (event.END, {"reduced": "to what the limit allows"}, "to what the limit allows"),
        (None, {}, event.NO_END),
    ],
)
def test_a_load_that_fell_short_is_an_error(tmp_path, what, detail, message):
    made = MadeRun(tmp_path).test("t.py::test_a", 0, 3)
    made.happened(1, event.START, event.CONSTRAINT, id="l1", target="cpu=0.5")
    if what:
        made.happened(2, what, event.CONSTRAINT, id="l1", target="cpu=0.5", detail=json.dumps(detail))
    [span] = named(spans(made), "constraint")
    assert (span.status.code, span.status.message) == (ERROR, message)
    assert span.end_time_unix_nano == nanoseconds(2 if what else 3)


@pytest.mark.parametrize("name", ["effective_cpus", "reduced"])  # the latter in old files
def test_a_constraint_within_a_tighter_one_is_no_error(tmp_path, name):
    made = MadeRun(tmp_path).test("t.py::test_a", 0, 3)
    made.happened(1, event.START, event.CONSTRAINT, id="l1", target="cpu=0.5")
    made.happened(2, event.END, event.CONSTRAINT, id="l1", target="cpu=0.5", detail=json.dumps({name: 0.1}))
    [span] = named(spans(made), "constraint")
    assert span.status.code != ERROR


def test_notes_and_skipped_loads_are_events_of_their_test_or_of_the_session(tmp_path):
    made = MadeRun(tmp_path).test("t.py::test_a", 0, 1).test("t.py::test_a", 2, 3, attempt=2)
    made.happened(2.5, event.NOTE, event.NOTE, detail='{"text": "half way", "n": 3}', test="t.py::test_a")
    made.happened(1.5, event.SKIP, "cpu", target="50%", detail="not reached")
    session, first, second = spans(made)
    assert not first.events
    [note], [skip] = second.events, session.events
    assert (note.name, note.time_unix_nano) == ("note", nanoseconds(2.5))
    assert values(note.attributes) == {
        "pytest_twin.text": "half way", "pytest_twin.n": 3, "pytest_twin.test": "t.py::test_a"
    }  # fmt: skip
    assert values(skip.attributes) == {
        "pytest_twin.text": "not reached", "pytest_twin.type": "cpu", "pytest_twin.target": "50%"
    }  # fmt: skip


def test_every_row_of_the_annotations_is_in_the_trace(tmp_path):
    made = busy_run(tmp_path).happened(2.0, event.START, event.PHASE, id="p1", detail="warm-up",
                                       test="tests/test_a.py::test_slow[1]")  # fmt: skip
    made.happened(2.5, event.END, event.PHASE, id="p1", detail="warm-up", test="tests/test_a.py::test_slow[1]")
    made.happened(2.7, event.START, event.GAP, id="g1", detail="loads paused")
    found = spans(made)
    known = {(span.start_time_unix_nano, span.end_time_unix_nano) for span in found}
    notes = {each.time_unix_nano for span in found for each in span.events}
    starts = {}
    for row in rows(made.folder, "annotations.csv"):
        at, key = nanoseconds(float(row["elapsed_s"])), (row["type"], row["id"])
        if row["event"] == "start":
            starts[key] = at
        elif row["event"] == "note":
            assert at in notes
        else:
            assert (starts.pop(key), at) in known
    assert list(starts) == [("gap", "g1")]
    [gap], [phase], [test] = named(found, "gap"), named(found, "phase"), named(found, "tests/test_a.py::test_slow")
    assert values(gap.attributes) == {"pytest_twin.text": "loads paused", "pytest_twin.state": "unfinished"}
    assert values(phase.attributes)["pytest_twin.text"] == "warm-up"
    assert phase.parent_span_id == test.span_id


def test_a_test_that_did_not_end_lasts_until_the_end_of_the_run(tmp_path):
    made = MadeRun(tmp_path).test("t.py::test_a", 0, 1)
    made.happened(1, event.START, event.TEST, id="t9", test="t.py::test_b[2]")
    made.happened(4, event.NOTE, event.NOTE, detail="last")
    [span] = named(spans(made), "t.py::test_b")
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (nanoseconds(1), nanoseconds(4))
    assert (span.status.code, span.status.message) == (ERROR, "unfinished")


def test_the_folder_of_one_test_has_its_span(tmp_path):
    made = MadeRun(tmp_path).test("t.py::test_a", 0, 1, "failed")
    made.tests.clear()
    [span] = named(spans(made), "t.py::test_a")
    assert values(span.attributes)["test.case.result.status"] == "fail"


def test_the_session_is_a_child_of_the_parent(tmp_path):
    session, test = spans(MadeRun(tmp_path).test("t.py::test_a", 0, 1), traceparent=PARENT, tracestate="a=1")
    assert session.trace_id.hex() == test.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert session.parent_span_id.hex() == "b7ad6b7169203331"
    assert session.trace_state == test.trace_state == "a=1"
    assert (session.flags, test.flags) == (0x301, 0x101)


def test_each_test_can_have_a_trace_of_its_own_with_a_link_to_the_session(tmp_path):
    made = MadeRun(tmp_path).test("t.py::test_a", 0, 2, setup_start_s=0, setup_s=1).test("t.py::test_b", 2, 3)
    made.load("cpu", "2", 0.5, 1)
    name = {"id": "own", "target": "1", "test": "t.py::test_a"}
    made.happened(0.5, event.START, "disk", **name).happened(0.7, event.END, "disk", **name)
    session, first, setup, second, own, other = spans(made, per_test=True, traceparent=PARENT)
    assert (own.name, other.name) == ("load disk", "load cpu")
    assert len({session.trace_id, first.trace_id, second.trace_id}) == 3
    assert first.parent_span_id == second.parent_span_id == b""
    assert [link.span_id for link in first.links] == [link.span_id for link in second.links] == [session.span_id]
    assert (setup.trace_id, setup.parent_span_id) == (first.trace_id, first.span_id)
    assert (own.trace_id, own.parent_span_id) == (first.trace_id, first.span_id)
    assert (other.trace_id, other.parent_span_id) == (session.trace_id, session.span_id)


def test_each_host_has_a_resource_of_its_own(tmp_path):
    request = request_of(run_of_two_hosts(tmp_path).write(), host="ci-7")
    found = {values(each.resource.attributes)["host.name"]: each for each in request.resource_spans}
    assert {name: {span.name for span in spans_of([each])} for name, each in found.items()} == {
        "ci-7": {"pytest session", "t.py::test_here", "t.py::test_both", "load cpu"},
        "far": {"t.py::test_both", "t.py::test_there", "load cpu"},
    }
    assert {values(each.resource.attributes)["host.cpu.model.name"] for each in found.values()} == {
        "made up", "made up far"
    }  # fmt: skip
    assert {each.schema_url for each in request.resource_spans} == {SCHEMA_URL}
    assert {scope.schema_url for each in request.resource_spans for scope in each.scope_spans} == {SCHEMA_URL}


def test_a_run_that_is_exported_twice_has_the_same_ids_and_another_run_others(tmp_path):
    one, other = busy_run(tmp_path / "one"), busy_run(tmp_path / "other").test("t.py::test_more", 6, 7)
    first, again, second = spans(one), spans(one), spans(other)
    assert [(span.trace_id, span.span_id) for span in first] == [(span.trace_id, span.span_id) for span in again]
    assert not {span.span_id for span in first} & {span.span_id for span in second}
    assert len({span.span_id for span in second}) == len(second)


def test_ids_are_unique_in_a_long_run(tmp_path):
    made = MadeRun(tmp_path)
    for at in range(1500):
        made.test(f"t.py::test_{at}", at, at + 1)
    assert len({span.span_id for span in spans(made)}) == 1501


def test_the_limits_of_a_span_are_kept_and_counted(tmp_path):
    made = MadeRun(tmp_path)
    for at in range(4):
        made.test(f"t.py::test_{at}", at, at + 1).happened(at, event.NOTE, event.NOTE, detail="abcdef")
    made.load("cpu", "2", 0, 4)
    session, *_, load = spans(made, limits=OtlpLimits(attributes=3, events=2, links=1, text=4))
    assert (len(session.attributes), session.dropped_attributes_count) == (3, 1)
    assert (len(session.events), session.dropped_events_count) == (2, 2)
    assert values(session.events[0].attributes)["pytest_twin.text"] == "abcd"
    assert (len(load.links), load.dropped_links_count) == (1, 3)


def test_damaged_rows_are_left_out_or_shown_as_they_are(tmp_path):
    made = MadeRun(tmp_path).test("t.py::test_a", 0, 1, cpu_user_s="much").test("t.py::test_b", 1, 2)
    made.tests[1]["start"] = made.tests[1]["elapsed_s"] = "?"
    made.happened(1, event.END, "cpu", id="lost")
    found = spans(made)
    assert [span.name for span in found] == ["pytest session", "t.py::test_a", "load cpu"]
    assert values(found[1].attributes)["pytest_twin.cpu_user_s"] == "much"


def test_seconds_of_another_run_do_not_move_a_test(tmp_path):
    made = MadeRun(tmp_path).test("t.py::test_a", 5, 6).test("t.py::test_b", 6, 7).test("t.py::test_c", 7, 8)
    made.tests[1]["elapsed_s"] = 0.5
    assert [span.start_time_unix_nano for span in spans(made)[1:]] == [nanoseconds(at) for at in (5, 6, 7)]
