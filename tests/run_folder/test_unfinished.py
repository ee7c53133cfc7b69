"""What began and did not end."""

from __future__ import annotations

from pytest_twin.run_folder.unfinished import unended


def row(event: str, number: str) -> dict[str, str]:
    return {"event": event, "id": number}


def test_what_ended_or_was_aborted_or_skipped_is_not_open():
    rows = [row("start", name) for name in "abcd"] + [row("end", "a"), row("abort", "b"), row("skip", "d")]
    assert unended(rows) == [row("start", "c")]


def test_what_is_open_comes_in_the_order_in_which_it_began():
    rows = [row("start", "b"), row("note", ""), row("start", "a")]
    assert [each["id"] for each in unended(rows)] == ["b", "a"]


def test_a_run_without_events_has_nothing_open():
    assert unended([]) == []
