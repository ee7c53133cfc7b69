"""Files that are no schedules: refused in clear lines, in a short time, and nothing in them is executed."""

from __future__ import annotations

import json
import os
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_twin.loads.schedule.parser import MAX_PROBLEMS
from pytest_twin.loads.schedule.schedule import ScheduleError
from pytest_twin.run_folder.schedule_file import LARGEST_FILE, open_schedule
from pytest_twin.stressors import find_kinds

pytestmark = pytest.mark.fault("schedules")
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes and devices")
BURN = {"duration": "1s", "cpu": 1}
VALID = {
    "schedule.json": json.dumps({"mode": "parallel", "events": [{"id": "a", **BURN}, {"after": "a", **BURN}]}),
    "legacy.json": json.dumps([
        {"type": "cpu_spike", "duration_s": 1, "cmd": "cpu_stress.py --procs 1", "start": "2025-10-11T02:30:00"}
    ]),
    "schedule.toml": '[[events]]\nid = "a"\nduration = "1s"\ncpu = 1\nrepeat = {every = 1, count = 2}\n',
}  # fmt: skip
SHELL = ["; touch executed", "$(touch executed)", "`touch executed`", "| sh", 'python -c \'open("executed", "w")\'']
PUT_IN = st.binary(max_size=8) | st.sampled_from([
    b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b'"', b"[", b"{", b"}", b",", b"1e308", b"NaN", b"-1", b'"a": 1, "a": 2,',
    b"\\u",
    *(text.encode() for text in SHELL),
])  # fmt: skip


@pytest.fixture
def problems(tmp_path):
    """What is wrong with a file: one clear line each, every one of which is looked at."""

    def problems(content: str | bytes, name: str = "schedule.json") -> list[str]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        try:
            open_schedule(path, find_kinds())
        except ScheduleError as error:
            problems = error.problems
        else:
            return []
        assert problems
        assert all(line.splitlines() == [line] and len(line) < 3000 for line in problems)
        assert all(line.startswith((f"{name}: ", f"{path}: ")) for line in problems)
        return [line.removeprefix(f"{name}: ").removeprefix(f"{path}: ") for line in problems]

    return problems


@pytest.mark.parametrize("name", VALID)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_that_was_damaged_is_a_schedule_or_its_problems(problems, name, data):
    content = VALID[name].encode()
    for _ in range(data.draw(st.integers(1, 3))):
        at, end = sorted(data.draw(st.tuples(*[st.integers(0, len(content))] * 2)))
        content = content[:at] + data.draw(PUT_IN) + content[data.draw(st.sampled_from([at, at, end])) :]
    problems(content, name)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(sorted(VALID)))
def test_any_bytes_are_a_schedule_or_its_problems(problems, content, name):
    problems(content, name)


@pytest.mark.parametrize("text", SHELL)
@pytest.mark.parametrize("key", ["id", "tests", "note", "cpu", "directory", "replay", "after", "method", "stop_when"])
def test_text_for_a_shell_stays_text(problems, tmp_path, monkeypatch, text, key):
    monkeypatch.chdir(tmp_path)
    problems(json.dumps({"events": [{**BURN, "disk": 1, key: text}]}))
    problems(json.dumps([{"type": "cpu_spike", "duration_s": 1, "cmd": f"cpu_stress.py {text}", "start": text}]))
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_another_encoding_is_told_of(problems, encoding):
    assert problems('{"note": "größer"}'.encode(encoding)) == ["is not UTF-8 text; save it as UTF-8"]


def test_the_mark_of_utf_8_is_no_mistake(problems):
    assert problems(VALID["schedule.json"].encode("utf-8-sig")) == []


@pytest.mark.parametrize("name", ["schedule.json", "schedule.toml"])
def test_a_number_with_very_many_digits_is_told_of(problems, name):
    long = "9" * 5000
    assert problems(f"x = {long}" if name.endswith("toml") else f"[{long}]", name) == [
        "has an invalid number, date or time" if name.endswith("toml") else f"{'9' * 97}... is a number of 5000 digits"
    ]


def test_a_number_that_python_does_not_write_out_is_told_of(problems):
    (line,) = problems(f"seed = 0x{'f' * 5000}\nevents = []", "schedule.toml")
    assert line == f"seed: this int is not a whole number from 0 to {2**63 - 1}"


def test_a_name_of_very_many_parts_is_told_of(problems):
    assert problems("events = []\n" + "a." * 50_000 + "a = 1", "s.toml") == [
        "has a key of more than 100 parts (at line 2)"
    ]


def test_half_a_character_is_told_of(problems):
    assert problems(r'{"events": [{"note": "\ud83d"}]}') == [
        r"'\ud83d' is an unpaired surrogate; write the character itself"
    ]
    assert problems(r'{"$schema": "\ud83d\ude00", "events": []}') == []


def test_very_many_keys_are_looked_through_once(problems):
    """A look at each for each would take an hour."""
    keys = ", ".join(f'"key{at}": 1' for at in range(200_000))
    assert problems(f'{{{keys}, "key7": 2}}') == ['key "key7" appears twice in one object']


def test_very_many_events_may_follow_each_other(problems):
    """A walk along the whole chain for each would take an hour."""
    chain = [{"id": f"i{at}", "after": f"i{at + 1}", "duration": 0, "cpu": 1} for at in range(20_000)]
    last = {"id": "i20000", "duration": 0, "cpu": 1}
    assert problems(json.dumps({"events": [*chain, last]})) == []
    assert problems(json.dumps({"events": [*chain[-1000:], {**last, "after": "i19000"}]})) == [
        'events[0].after: "i19000" follows itself'
    ]


def test_a_recording_that_many_events_replay_is_read_once(problems, tmp_path):
    """Reading it for each would take a quarter of an hour."""
    (tmp_path / "prod.csv").write_text("elapsed_s,cpu_percent\n" + "".join(f"{at},50\n" for at in range(5000)))
    assert problems(json.dumps({"events": [{"replay": "prod.csv"}] * 20_000})) == []


def test_after_a_hundred_problems_nobody_reads_on(problems):
    told = problems(json.dumps({"events": [{"cpuu": 1, **BURN}] * 100_000}))
    assert len(told) == MAX_PROBLEMS + 1
    assert told[-1] == "and more; fix these first"


def test_what_is_long_is_shown_by_its_beginning(problems):
    long = "x" * 1_000_000
    told = problems(json.dumps({"events": [{**BURN, long: 1, "ramp": long, "steps": [long], "id": long}]}))
    assert len(told) == 4
    assert all(len(line) < 600 for line in told)


def test_one_after_another_for_more_than_a_year_is_told_of(problems):
    events = [{"duration": "200d", "cpu": 1}] * 3
    assert problems(json.dumps({"mode": "series", "events": events})) == [
        "mode: in series the events last more than a year; remove some"
    ]


@posix
@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "/dev/null"])
def test_what_is_no_file_is_not_waited_for(problems, tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    said = "is not a file; give the path of a file"
    with pytest.raises(ScheduleError) as caught:
        open_schedule(tmp_path / name, find_kinds())
    assert str(caught.value) == f"{tmp_path / name}: {said}"
    assert problems(json.dumps({"events": [{"replay": name}]})) == [f"events[0].replay: {name}: {said}"]


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "s.json").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    with pytest.raises(ScheduleError, match=r"s\.json: is larger than 64 MiB; give a smaller file$"):
        open_schedule(tmp_path / "s.json", find_kinds())


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("0,1\n1,1\n1.0000000000000002,1\n",
         "has times that are too far apart, or too close to each other, to be distinguished"),
        ("0,1\n1e308,1\n", "row 3: elapsed_s: '1e308' is not a number of seconds"),
        ("0,1\n1,1e308\n",
         "row 3: disk_write_MB: is a rate of inf GB/s, but no disk writes more than 16 GB/s; give the MB of each row"),
    ],
)  # fmt: skip
def test_a_recording_of_impossible_figures_is_told_of(problems, tmp_path, rows, said):
    (tmp_path / "odd.csv").write_text(f"elapsed_s,disk_write_MB\n{rows}")
    assert problems('{"events": [{"replay": "odd.csv"}]}') == [f"events[0].replay: odd.csv: {said}"]
