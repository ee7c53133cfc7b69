"""Schedules: read with every error that is in them, and written so that they are read again."""

import json
from dataclasses import replace

import pytest
from any_values import VALUES, tried
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_twin.loads.modifiers import MODIFIERS
from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.schedule import SESSION, TEST
from pytest_twin.loads.schedule.parser import parse_schedule
from pytest_twin.loads.schedule.schedule import (
    MOST_EVENTS,
    PARALLEL,
    SERIES,
    Schedule,
    ScheduledLoad,
    ScheduleError,
)
from pytest_twin.loads.schedule.schema import EVENT_FIELDS
from pytest_twin.loads.spec import Load
from pytest_twin.model.machine_formats.parser import parse_text
from pytest_twin.stressors import find_kinds
from pytest_twin.stressors.constraint import KEYWORD

KINDS = find_kinds()
NAME = "schedule.json"
KNOWN_TOP = "known are $schema, anchor, events, mode, seed, version"
KNOWN_EVENT = f"known are {', '.join(sorted([*EVENT_FIELDS, *KINDS, KEYWORD, *MODIFIERS]))}"
KNOWN_STRESSORS = "known are cpu_stress.py, mem_stress.py, disk_stress.py"
NOT_A_DURATION = 'is not a duration; write seconds, or text such as "500ms" or "1m30s"'
RECORDED = "elapsed_s,cpu_percent\n0,50\n2,100\n"
WRITTEN = "elapsed_s,disk_write_MB\n0,81000\n1,81002\n2,81003\n"
BURN = {"duration": "1s", "cpu": 1}


def recording(path):
    if path == "absent.csv":
        raise FileNotFoundError(2, "No such file or directory", path)
    return parse_text({"prod.csv": RECORDED, "written.csv": WRITTEN}.get(path, ""))


def load(text, name=NAME):
    return parse_schedule(text if isinstance(text, str) else json.dumps(text), name, KINDS, recording)


def plan(*events, **top):
    return load({**top, "events": list(events)})


def times(schedule):
    return {event.id: (event.start_s, event.duration_s) for event in schedule.events}


def problems(text, name=NAME):
    with pytest.raises(ScheduleError) as caught:
        load(text, name)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def problem(event, **top):
    """What is wrong with one event, without the file's name and its place."""
    (line,) = problems({**top, "events": [event]})
    assert line.startswith(f"{NAME}: events[0]")
    return line.removeprefix(f"{NAME}: events[0]")


# What a schedule is


def test_a_schedule_of_nothing_is_one():
    assert plan() == Schedule((), SESSION, PARALLEL, 0)
    assert plan().duration_s == 0


def test_an_event_is_a_load_with_its_time():
    assert plan(
        {"start": "2s", "duration": "1m", "cpu": "75%", "mem": 512, "tests": "tests/db/*", "note": "peak"}
    ).events == (ScheduledLoad("e1", 2.0, 60.0, parse_load({"cpu": "75%", "mem": 512}, KINDS), "tests/db/*", "peak"),)


def test_a_schedule_has_an_anchor_and_a_seed():
    schedule = plan(version=1, anchor="test", mode="parallel", seed=7)
    assert (schedule.anchor, schedule.mode, schedule.seed) == (TEST, PARALLEL, 7)


def test_a_schedule_may_name_its_json_schema():
    assert load({"$schema": "https://example.org/schedule.schema.json", "events": []}) == Schedule(())


def test_events_are_in_the_order_of_their_starts():
    assert list(times(plan({**BURN, "start": 5}, {**BURN, "start": 1}, {**BURN, "start": 5}))) == ["e2", "e1", "e3"]


def test_a_schedule_lasts_until_its_last_end():
    assert plan({"duration": 10, "cpu": 1}, {"start": 3, "duration": 2, "cpu": 1}).duration_s == 10


def test_an_event_may_follow_another():
    schedule = plan(
        {**BURN, "id": "spike", "start": 2, "duration": 30},
        {**BURN, "after": "spike"},
        {**BURN, "after": "e2", "start": 5},
    )
    assert times(schedule) == {"spike": (2, 30), "e2": (32, 1), "e3": (38, 1)}


def test_an_event_may_follow_one_that_stands_behind_it():
    assert times(plan({**BURN, "after": "b"}, {**BURN, "id": "b", "start": 4})) == {"b": (4, 1), "e1": (5, 1)}


def test_a_repeated_event_comes_again_at_every_beat():
    schedule = plan({**BURN, "id": "beat", "start": 2, "repeat": {"every": "30s", "count": 3}})
    assert times(schedule) == {"beat": (2, 1), "beat#2": (32, 1), "beat#3": (62, 1)}


def test_what_follows_a_repeated_event_waits_for_its_last_turn():
    schedule = plan({**BURN, "id": "beat", "repeat": {"every": 10, "count": 3}}, {**BURN, "after": "beat"})
    assert times(schedule)["e2"] == (21, 1)


def test_in_series_events_come_one_after_another():
    schedule = plan({"duration": 5, "cpu": 1, "start": 9}, {"duration": 3, "cpu": 1, "start": 2}, mode="series")
    assert times(schedule) == {"e2": (0, 3), "e1": (3, 5)}
    assert schedule.mode == SERIES


def test_a_chain_of_many_events_is_worked_out():
    events = [{**BURN, "id": str(at), **({"after": str(at + 1)} if at < 500 else {})} for at in range(501)]
    assert plan(*events).events[-1].start_s == 500


def test_a_faster_schedule_keeps_its_amounts_and_shrinks_its_times():
    schedule = plan({"start": 10, "duration": 20, "mem": "30B", "ramp": 10})
    faster = schedule.faster(10)
    assert times(faster) == {"e1": (1, 2)}
    assert faster.events[0].load.parts[0].profile == ((0.0, 0.0), (1.0, 30.0))


def test_a_replay_lasts_as_long_as_the_recording():
    (event,) = plan({"replay": "prod.csv"}).events
    assert event.duration_s == 4
    assert event.load.parts[0].profile == ((0.0, 0.5), (2.0, 0.5), (2.0, 1.0), (4.0, 1.0))


def test_a_replay_may_be_faster_and_may_be_cut():
    fast, cut = plan({"replay": "prod.csv", "speed": 4}, {"replay": "prod.csv", "duration": "3s"}).events
    assert (fast.duration_s, fast.load.parts[0].profile[-1]) == (1, (1.0, 1.0))
    assert cut.duration_s == 3


REMARK = "disk_write_MB is a running total (81000 to 81003): its growth is read"


def test_how_a_recording_was_read_is_told_of_the_schedule_and_noted_with_the_event():
    schedule = plan({"replay": "written.csv"}, {"replay": "written.csv", "note": "mine"}, {"replay": "prod.csv"})
    assert schedule.remarks == (f"written.csv: {REMARK}",)
    assert [event.note for event in schedule.events] == [REMARK, f"mine; {REMARK}", ""]
    again = load(schedule.document())
    assert [event.note for event in again.events] == [REMARK, f"mine; {REMARK}", ""]


def test_an_event_that_replays_says_the_most_that_it_asks_for():
    cpu, disk = plan({"replay": "prod.csv"}, {"replay": "written.csv"}).events
    assert str(cpu).endswith("replay=prod.csv (at most cpu=100%)  [e1]")
    assert str(disk).endswith("replay=written.csv (at most disk=2.097MB/s)  [e2]")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("plan.yaml", "events:\n  - cpu: 1\n", "is YAML; write the schedule as JSON or TOML"),
        ("plan.yml", "", "is YAML; write the schedule as JSON or TOML"),
        (NAME, "# mine\nversion: 1\nevents:\n- cpu: 1\n", "is YAML; write the schedule as JSON or TOML"),
        (NAME, "- start: 1s\n  cpu: 1\n", "is YAML; write the schedule as JSON or TOML"),
        (NAME, "seed = 7\n[[events]]\ncpu = 1\n", "is TOML; give it a name that ends in .toml"),
    ],
)
def test_a_schedule_in_another_format_says_what_is_expected(name, text, said):
    assert problems(text, name) == [f"{name}: {said}"]


def test_json_in_a_file_of_another_name_is_read():
    assert load('{"events": []}', "plan.yaml").events == ()


def test_toml_is_read_too():
    text = """
    seed = 7
    [[events]]
    start = 2
    duration = "30s"
    cpu = "50%"
    repeat = {every = "1m", count = 2}
    """
    assert times(load(text, "schedule.toml")) == {"e1": (2, 30), "e1#2": (62, 30)}


def test_a_legacy_list_is_rebased_to_its_first_start():
    schedule = load(
        [
            {"type": "memory_load", "duration_s": 60, "cmd": "python mem_stress.py", "start": "2025-10-11T02:31:30"},
            {
                "type": "cpu_spike",
                "duration_s": 180,
                "cmd": "python cpu_stress.py --procs 8",
                "start": "2025-10-11T02:30:00",
            },
        ]
    )
    assert schedule == Schedule(
        (
            ScheduledLoad("e2", 0.0, 180.0, parse_load({"cpu": 8}, KINDS), note="cpu_spike"),
            ScheduledLoad(
                "e1", 90.0, 60.0, parse_load({"mem": "5000MiB", "ramp": "100s", "steps": 10}, KINDS), note="memory_load"
            ),
        )
    )


def test_a_legacy_list_of_nothing_is_a_schedule_of_nothing():
    assert load([]) == Schedule(())


# What is wrong with a file


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "is not JSON: line 1, column 1: expecting a value"),
        ("{", "is not JSON: line 1, column 2: expecting property name enclosed in double quotes"),
        ('{"events":\n ["cpu]}', "is not JSON: line 2, column 3: unterminated string"),
        ('{"events": [], "events": []}', 'key "events" appears twice in one object'),
        ('{"events": [{"cpu": NaN}]}', "NaN is not a JSON number"),
        ('{"events": [{"cpu": -Infinity}]}', "-Infinity is not a JSON number"),
        ("[" * 100_000, "is nested too deeply"),
        ('"cpu"', "is not an object with events, nor a legacy list"),
        ("5", "is not an object with events, nor a legacy list"),
        ("{}", f"events: must be a list of at most {MOST_EVENTS} events"),
        ('{"events": {}}', f"events: must be a list of at most {MOST_EVENTS} events"),
        ('{"name": "web", "version": "1.0.0", "scripts": {}}', 'is no schedule: it has no list of "events"'),
    ],
)
def test_a_file_that_is_no_schedule_says_so(text, line):
    assert problems(text) == [f"{NAME}: {line}"]


def test_a_file_that_is_no_toml_says_where():
    assert problems("events = [", "s.toml") == ["s.toml: is not TOML: end of document: invalid value"]
    assert problems('a = 1\nb = "c\n', "s.toml") == ["s.toml: is not TOML: line 2, column 7: illegal character '\\n'"]


@pytest.mark.parametrize(
    ("key", "raw", "line"),
    [
        ("version", 2, "version: 2 is not one of 1"),
        ("version", True, "version: True is not one of 1"),
        ("anchor", "run", "anchor: 'run' is not one of 'session', 'test'"),
        ("mode", "both", "mode: 'both' is not one of 'parallel', 'series'"),
        ("seed", -1, "seed: -1 is not a whole number from 0 to 9223372036854775807"),
        ("seed", 1.5, "seed: 1.5 is not a whole number from 0 to 9223372036854775807"),
        ("sed", 1, 'unknown key "sed"; did you mean "seed"?'),
        ("zzz", 1, f'unknown key "zzz"; {KNOWN_TOP}'),
    ],
)
def test_a_key_of_the_whole_schedule_is_checked(key, raw, line):
    assert problems({key: raw, "events": []}) == [f"{NAME}: {line}"]


def test_the_name_of_the_json_schema_is_text():
    assert problems({"$schema": 5, "events": []}) == [f"{NAME}: $schema: 5 is not the address of a schema"]


@pytest.mark.parametrize("event", [5, "cpu", None, [], True])
def test_an_event_is_an_object(event):
    assert problem(event) == " is not an object".replace(" ", ": ", 1)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"duration": -5}, ".duration: -5 is below 0"),
        ({"duration": "soon"}, f".duration: 'soon' {NOT_A_DURATION}"),
        ({"duration": None}, f".duration: None {NOT_A_DURATION}"),
        ({"duration": "500d"}, ".duration: 500d is longer than a year"),
        ({"start": "-2s"}, ".start: -2s is below 0"),
        ({"cpu": "150%"}, '.cpu: "150%" is over 100%; give 0-100%'),
        ({"cpu": "fast"}, ".cpu: 'fast' is not an amount; give a whole number of workers, or a share such as \"75%\""),
        ({"steps": 3}, ".steps: needs a ramp: the time over which the steps are taken"),
        ({"loop": True}, ".loop: disk only: write the amount repeatedly"),
        ({"id": ""}, ".id: '' is not a name"),
        ({"id": 5}, ".id: 5 is not a name"),
        ({"id": "x" * 1001}, f".id: '{'x' * 100}'... has more than 1000 characters"),
        ({"tests": []}, ".tests: [] is not a pattern of test ids"),
        ({"note": False}, ".note: False is not a note"),
        ({"note": "a\0b"}, ".note: 'a\\x00b' is not a note"),
        ({"after": 1}, ".after: 1 is not the id of an event"),
        ({"after": "lunch"}, '.after: there is no event "lunch"'),
        ({"speed": 2}, ".speed: applies only to a replay"),
        ({"repeat": 3}, '.repeat: must be an object such as {"every": "30s", "count": 3}'),
        ({"repeat": {"every": 5}}, '.repeat: must be an object such as {"every": "30s", "count": 3}'),
        ({"repeat": {"every": "x", "count": 3}}, f".repeat: 'x' {NOT_A_DURATION}"),
        ({"repeat": {"every": 5, "count": 0}}, ".repeat: 0 is not a whole number from 1 to 100000"),
        ({"durration": 5}, ': unknown key "durration"; did you mean "duration"?'),
        ({"zzz": 5}, f': unknown key "zzz"; {KNOWN_EVENT}'),
    ],
)
def test_an_event_that_is_wrong_says_where_and_what(changes, line):
    assert problem({**BURN, **changes}) == line


def test_an_event_without_a_duration_says_what_to_write():
    assert problem({"cpu": 1}) == ': has no duration; write one such as "30s"'


def test_an_event_without_a_load_says_what_to_give():
    assert problem({"duration": 1}) == f": applies no load; give {', '.join(KINDS)} or replay"


def test_a_modifier_alone_applies_nothing():
    assert problem({"duration": 1, "ramp": 1}) == f": applies no load; give {', '.join(KINDS)} or replay"


def test_an_event_that_comes_after_itself_is_refused():
    assert problem({**BURN, "id": "a", "after": "a"}) == '.after: "a" follows itself'


def test_events_that_come_after_each_other_are_refused():
    assert problems({"events": [{**BURN, "after": "e2"}, {**BURN, "after": "e1"}]}) == [
        f'{NAME}: events[0].after: "e1" follows itself'
    ]


def test_an_id_that_is_taken_says_by_whom():
    assert problems({"events": [{**BURN, "id": "a"}, {**BURN, "id": "a"}]}) == [
        f'{NAME}: events[1].id: "a" is already the id of events[0]'
    ]


def test_too_many_events_are_refused():
    assert problems({"events": [{**BURN, "repeat": {"every": 1, "count": MOST_EVENTS}}, BURN]}) == [
        f"{NAME}: events: are more than {MOST_EVENTS} with their repetitions"
    ]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"replay": ""}, ".replay: '' is not the path of a recording"),
        ({"replay": 5}, ".replay: 5 is not the path of a recording"),
        ({"replay": "absent.csv"}, ".replay: absent.csv: No such file or directory"),
        ({"replay": "empty.csv"}, ".replay: empty.csv: is empty"),
        ({"replay": "prod.csv", "cpu": 1}, ": has both replay and cpu; split it into two events"),
        ({"replay": "prod.csv", "speed": 0}, ".speed: 0 is not a number above 0"),
        ({"replay": "prod.csv", "speed": "2"}, ".speed: '2' is not a number above 0"),
        ({"replay": "prod.csv", "speed": True}, ".speed: True is not a number above 0"),
    ],
)
def test_a_replay_that_is_wrong_says_where_and_what(event, line):
    assert problem(event) == line


def test_everything_that_is_wrong_is_said_at_once():
    assert problems({"mode": "x", "events": [{"cpu": "150%", "ramp": "x"}, 5, {**BURN, "after": "nobody"}]}) == [
        f"{NAME}: mode: 'x' is not one of 'parallel', 'series'",
        f'{NAME}: events[0].cpu: "150%" is over 100%; give 0-100%',
        f"{NAME}: events[0].ramp: 'x' {NOT_A_DURATION}",
        f'{NAME}: events[0]: has no duration; write one such as "30s"',
        f"{NAME}: events[1]: is not an object",
        f'{NAME}: events[2].after: there is no event "nobody"',
    ]


def test_everything_that_is_wrong_with_a_legacy_list_is_said_at_once():
    good = {"type": "cpu_spike", "duration_s": 1, "cmd": "cpu_stress.py", "start": "2025-10-11T02:30:00"}
    assert problems(
        [{**good, "cmd": "rm -rf /"}, 5, {**good, "cmd": "cpu_stress.py --procs 20000"}, {**good, "duration_s": -1}]
    ) == [
        f"{NAME}: events[0].cmd: 'rm -rf /' is not a known stressor; {KNOWN_STRESSORS}",
        f"{NAME}: events[1]: is not an object",
        f"{NAME}: events[3].duration_s: -1 is below 0",
        f"{NAME}: events[2].cmd: cpu: 20000 is too large; give at most 10000",
    ]


# Bugs


@pytest.mark.parametrize(
    ("event", "place"),
    [
        ({**BURN, "a\nb": 1}, "events[0]"),
        ({**BURN, "after": "a\nb"}, "events[0].after"),
        ({**BURN, "id": "a\nb", "after": "a\nb"}, "events[0].after"),
        ({"replay": "a\nb"}, "events[0].replay"),
        ({"replay": "prod.csv", "a\nb": 1, "cpu": 1}, "events[0]"),
        ({**BURN, "cpu": "-5\n%"}, "events[0].cpu"),
        ({**BURN, "duration": "-5s\n"}, "events[0].duration"),
        ({**BURN, "start": "400d\u2028"}, "events[0].start"),
    ],
)
def test_a_line_end_in_the_file_is_none_in_a_problem(event, place):
    for line in problems({"events": [event]}):
        assert line.splitlines() == [line]
        assert line.startswith(f"{NAME}: {place}: ")


def test_a_line_end_in_a_key_of_the_whole_schedule_is_none_in_a_problem():
    (line,) = problems({"a\nb": 1, "events": []})
    assert line.splitlines() == [line]


def test_a_legacy_type_that_is_no_text_is_a_schedule_error():
    assert len(problems([{"type": [], "duration_s": 1, "cmd": "cpu_stress.py", "start": "2025-10-11"}])) == 1


def test_a_recording_that_is_no_text_is_a_schedule_error():
    def unreadable(path):
        raise ValueError("is not UTF-8 text; save it as UTF-8")

    with pytest.raises(ScheduleError) as caught:
        parse_schedule('{"events": [{"replay": "x.csv"}]}', NAME, KINDS, unreadable)
    assert str(caught.value) == f"{NAME}: events[0].replay: x.csv: is not UTF-8 text; save it as UTF-8"


def test_a_repetition_does_not_take_the_name_of_another_event():
    assert problems({"events": [{**BURN, "id": "a", "repeat": {"every": 1, "count": 2}}, {**BURN, "id": "a#2"}]}) == [
        f'{NAME}: events[1].id: "a#2" is already the id of events[0]'
    ]


@pytest.mark.parametrize(
    "events",
    [
        [{**BURN, "start": "300d"}, {**BURN, "after": "e1", "start": "300d"}],
        [{**BURN, "repeat": {"every": "300d", "count": 3}}],
    ],
)
def test_a_schedule_that_is_read_can_be_read_again_however_late_it_is(events):
    schedule, error = tried(ScheduleError, plan, *events)
    assert error or load(schedule.document()) == schedule


def test_a_legacy_list_over_more_than_a_year_is_refused():
    good = {"type": "cpu_spike", "duration_s": 1, "cmd": "cpu_stress.py", "start": "2025-10-11"}
    assert problems([good, {**good, "start": "2035-10-11"}])


@pytest.mark.parametrize("speed", [1e-10, 1e-300, 5e-324])
def test_a_replay_that_lasts_longer_than_a_year_is_refused(speed):
    assert problems({"events": [{"replay": "prod.csv", "speed": speed}]})


@pytest.mark.parametrize(
    "event",
    [
        {"duration": 10, "cpu": 1, "ramp": "5s"},
        {"duration": 10, "disk": "1MB", "pause": "1s"},
        {"replay": "prod.csv"},
        {"replay": "prod.csv", "speed": 2},
    ],
)
def test_a_faster_schedule_is_read_again_as_fast(event):
    faster = plan(event).faster(4)
    again = load(faster.document())
    assert [each.load.parts for each in again.events] == [each.load.parts for each in faster.events]


# Whatever goes in

WORDS = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=8)
SPANS = st.integers(0, 500) | st.sampled_from(["500ms", "1.5s", "1m30s", "0s", 0.1, 0.25, 1e-7])
AMOUNTS = st.fixed_dictionaries(
    {},
    optional={
        "cpu": st.sampled_from([0, 2, "8", "75%", "0%"]),
        "mem": st.sampled_from([512, 0.5, "1GiB", "25%"]),
        "disk": st.sampled_from(["50MB/s", "1500MB", "max"]),
    },
).filter(bool)
GROWTHS = st.just({}) | st.fixed_dictionaries({"ramp": SPANS}, optional={"steps": st.integers(1, 20)})
REPLAYS = st.fixed_dictionaries({"replay": st.just("prod.csv")}, optional={"speed": st.sampled_from([0.5, 1, 3, 10])})
LOADS = st.builds(dict.__or__, AMOUNTS, GROWTHS) | REPLAYS
TIMES = st.fixed_dictionaries(
    {"duration": SPANS},
    optional={
        "start": SPANS,
        "tests": WORDS,
        "note": WORDS,
        "repeat": st.fixed_dictionaries({"every": SPANS, "count": st.integers(1, 3)}),
    },
)
EVENTS = st.lists(st.builds(dict.__or__, LOADS, TIMES), max_size=5)
TOPS = st.fixed_dictionaries(
    {},
    optional={
        "anchor": st.sampled_from([SESSION, TEST]),
        "mode": st.sampled_from([PARALLEL, SERIES]),
        "seed": st.integers(0, 99),
    },
)
KEYS = [
    *("id", "start", "duration", "after", "tests", "note", "repeat", "replay", "speed", "cpu", "mem", "disk"),
    *("ramp", "steps", "block", "pause", "loop", "directory", "cpuu"),
]
TOP_KEYS = ["version", "anchor", "mode", "seed", "$schema", "evnts"]
ANY_EVENT = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), VALUES, max_size=6) | VALUES
DOCUMENTS = (
    st.fixed_dictionaries(
        {"events": st.lists(ANY_EVENT, max_size=4) | VALUES}, optional=dict.fromkeys(TOP_KEYS, VALUES)
    )
    | VALUES
)
LEGACY = st.lists(
    st.fixed_dictionaries({}, optional=dict.fromkeys(["type", "duration_s", "cmd", "start", "x"], VALUES)), max_size=4
)
TOML_LINES = [
    *("[[events]]", "[events]", "events = []", "cpu = nan", "cpu = inf", "cpu = 2025-10-11", "mem = 07:32:00"),
    *("duration = 0x7f", "duration = -inf", 'duration = "1s"', "start = 1_000", "repeat.every = 1", "repeat.count = 2"),
    *('id = """a"""', "note = 'x'", "= 1", "\x00", "seed = 1e3", "loop = true"),
]


@st.composite
def chains(draw):
    """Events of which some follow another, whichever."""
    events = draw(EVENTS)
    for event in events:
        if draw(st.booleans()):
            event["after"] = f"e{draw(st.integers(1, len(events)))}"
    return events


def nearly(schedule):
    """Times to the nanosecond, as they are written."""
    events = [
        event._replace(start_s=round(event.start_s, 9), duration_s=round(event.duration_s, 9))
        for event in schedule.events
    ]
    return replace(schedule, events=tuple(events))


@given(chains(), TOPS)
@settings(max_examples=150, deadline=None)
def test_a_schedule_that_is_written_is_read_again_as_the_same(events, top):
    schedule, error = tried(ScheduleError, load, {**top, "events": events})
    if error:
        assert all("follows itself" in line for line in error.problems)
        return
    assert nearly(load(schedule.document())) == nearly(schedule)


@given(EVENTS, TOPS)
@settings(max_examples=60, deadline=None)
def test_toml_says_the_same_as_json(events, top):
    def written(value):
        if isinstance(value, dict):
            return f"{{{', '.join(f'{key} = {json.dumps(one)}' for key, one in value.items())}}}"
        return json.dumps(value, ensure_ascii=False)

    tables = ["\n".join(f"{key} = {written(value)}" for key, value in table.items()) for table in (top, *events)]
    text = "\n[[events]]\n".join(tables) + ("" if events else "\nevents = []")
    assert load(text, "s.toml") == plan(*events, **top)


@given(EVENTS)
@settings(max_examples=60, deadline=None)
def test_in_series_no_two_events_overlap(events):
    schedule = plan(*events, mode=SERIES)
    ends = 0.0
    for event in schedule.events:
        assert event.start_s == pytest.approx(ends)
        ends = event.end_s
    assert schedule.in_series() == schedule


@given(EVENTS, st.floats(0.01, 100))
@settings(max_examples=60, deadline=None)
def test_a_faster_schedule_is_so_many_times_shorter(events, speed):
    schedule = plan(*events)
    assert schedule.faster(speed).duration_s == pytest.approx(schedule.duration_s / speed)


def wrong_or_read(text, name):
    """Whether it is a schedule; if not, each of its problems is one line that begins with the file's name."""
    schedule, error = tried(ScheduleError, load, text, name)
    if error:
        assert error.problems
        assert all(line.startswith(f"{name}: ") and line.splitlines() == [line] for line in error.problems)
        return
    assert list(schedule.events) == sorted(schedule.events, key=lambda event: event.start_s)
    assert all(isinstance(event.load, Load) and event.duration_s >= 0 <= event.start_s for event in schedule.events)


@pytest.mark.slow
@example({"events": [{"a\nb": 1}]})
@given(DOCUMENTS)
@settings(max_examples=300, deadline=None)
def test_whatever_json_holds_it_is_a_schedule_or_its_problems(document):
    wrong_or_read(json.dumps(document), NAME)


@example([{"type": [], "duration_s": 1, "cmd": "cpu_stress.py", "start": "2025-10-11"}])
@given(LEGACY)
@settings(max_examples=100, deadline=None)
def test_whatever_a_legacy_list_holds_it_is_a_schedule_or_its_problems(document):
    wrong_or_read(json.dumps(document), NAME)


@given(st.text(max_size=60) | st.text(alphabet='{}[]",:events0 \n\\eu', max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_text_is_a_schedule_or_its_problems(text):
    wrong_or_read(text, NAME)


@given(st.lists(st.sampled_from(TOML_LINES) | st.text(max_size=10), max_size=8).map("\n".join))
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_toml_schedule_or_its_problems(text):
    wrong_or_read(text, "s.toml")
