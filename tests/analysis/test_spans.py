"""What lasted in a run, from its start to its end."""

from made_runs import MadeRun

from pytest_twin.model.event import ABORT, NOTE, START


def test_a_start_and_an_end_of_one_id_are_one_span(tmp_path):
    summary = MadeRun(tmp_path).load("cpu", "75%", 1.0, 3.0, "74.8%").summary()
    span = summary.spans[0]
    assert (span.start_s, span.end_s, span.what, span.achieved, span.state) == (0.0, 2.0, "75%", "74.8%", "end")
    assert span.is_load


def test_what_has_no_end_lasts_until_the_end_of_the_run(tmp_path):
    made = MadeRun(tmp_path).sampled(5).happened(1.0, START, "cpu", id="l1", target="2")
    span = made.summary().spans[0]
    assert (span.end_s, span.state) == (4.9, "unfinished")


def test_an_abort_ends_a_load_and_keeps_its_reason(tmp_path):
    span = MadeRun(tmp_path).load("disk", "max", 0.0, 1.0, what=ABORT, reason="no space").summary().spans[0]
    assert (span.state, span.detail["reason"]) == ("abort", "no space")


def test_an_id_that_starts_again_in_an_appended_recording_ends_the_one_before(tmp_path):
    made = (
        MadeRun(tmp_path)
        .happened(0.0, START, "cpu", id="l1", target="1")
        .happened(2.0, START, "cpu", id="l1", target="2")
    )
    first, second = made.happened(3.0, "end", "cpu", id="l1").summary().spans
    assert (first.what, first.end_s, first.state) == ("1", 2.0, "unfinished")
    assert (second.what, second.end_s, second.state) == ("2", 3.0, "end")


def test_notes_keep_their_fields_and_their_test(tmp_path):
    made = MadeRun(tmp_path).happened(1.0, NOTE, NOTE, detail='{"text": "saved", "rows": 3}', test="t.py::test_a")
    note = made.summary().notes[0]
    assert (note.what, note.test) == ("saved, rows 3", "t.py::test_a")
