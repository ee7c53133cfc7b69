"""Which loads overlapped a test."""

from __future__ import annotations

import math

import pytest

from pytest_twin.model.event import ABORT, END, FIELDS, START
from pytest_twin.model.overlap import Execution, LoadSpan, add_overlapping_loads, applied_loads

KEYWORDS = {"cpu": "cpu", "memory": "mem"}


def row(at, what, name, kind="cpu", target="50%", **cells):
    told = {"elapsed_s": str(at), "event": what, "id": name, "type": kind, "target": target, **cells}
    return dict.fromkeys(FIELDS, "") | told


def load(began, ended, words="cpu=50%", test="", host="", *, is_scheduled=True):
    return LoadSpan(words, test, is_scheduled, host, began, ended)


def test_a_load_lasts_from_its_start_to_its_end_or_to_the_end_of_all():
    rows = [row(1, START, "a"), row(2, START, "b", "memory", "1GiB"), row(3, END, "a"), row(4, START, "c", "gpu", "1")]
    rows += [row(5, ABORT, "c", "gpu", "1"), row(0, START, "t1", "test", "")]
    assert applied_loads(rows, KEYWORDS, {"a", "c"}) == [
        load(1, 3), load(2, math.inf, "mem=1GiB", is_scheduled=False), load(4, 5, "gpu=1"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["spike", "spike~2", "spike/cpu", "spike/mem~12", "gw1-spike/cpu"])
def test_the_parts_and_the_turns_of_an_event_are_of_the_schedule(name):
    worker = "gw1" if name.startswith("gw1") else ""
    assert applied_loads([row(1, START, name, worker=worker)], KEYWORDS, {"spike"})[0].is_scheduled
    assert not applied_loads([row(1, START, f"t1/{name}", worker=worker)], KEYWORDS, {"spike"})[0].is_scheduled


@pytest.mark.parametrize(
    ("began", "ended", "told"),
    [(0, 1, ""), (0, 1.5, "cpu=50%"), (1.2, 1.4, "cpu=50%"), (1.9, 3, "cpu=50%"), (2, 3, "")],
)
def test_a_load_counts_where_it_overlaps_the_time_of_a_test(began, ended, told):
    assert add_overlapping_loads([Execution("t", "", began, ended, "")], [load(1, 2)]) == [told]


def test_the_loads_that_a_test_asked_for_itself_are_told_already():
    test = Execution("t", "", 0, 9, "cpu=2 ramp=1s")
    own, others, planned = (
        load(1, 2, "cpu=2", "t", is_scheduled=False),
        load(1, 2, "mem=1GiB", "u"),
        load(3, 4, test="t"),
    )
    assert add_overlapping_loads([test], [own]) == ["cpu=2 ramp=1s"]
    assert add_overlapping_loads([test], [own, others, planned]) == ["cpu=2 ramp=1s cpu=50% mem=1GiB"]


def test_a_load_on_another_host_overlaps_nothing():
    assert add_overlapping_loads([Execution("t", "far", 0, 9, ""), Execution("t", "", 0, 9, "")], [load(1, 2)]) == [
        "",
        "cpu=50%",
    ]


def test_what_is_told_of_a_test_is_not_told_twice_and_does_not_depend_on_an_order():
    tests = [Execution(f"t{at}", "", at, at + 1, "") for at in (3, 0, 2, 1)]
    loads = [load(0.5, 2.5, "mem=1GiB"), load(0.6, 0.7), load(1.1, 1.2), load(1.3, 1.4)]
    found = add_overlapping_loads(tests, loads)
    assert found == ["", "cpu=50% mem=1GiB", "mem=1GiB", "cpu=50% mem=1GiB"]
    again = [test._replace(load=text) for test, text in zip(tests, found, strict=True)]
    assert add_overlapping_loads(again, loads) == found
