"""The schedule of the old script collection, whose commands are read and never executed."""

import re
from datetime import UTC, datetime

import pytest
from any_values import VALUES, tried
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.schedule.legacy import LegacyError, LegacyEvent, parse_legacy_event
from pytest_twin.stressors import find_kinds

KINDS = find_kinds()
KNOWN = "known are cpu_stress.py, mem_stress.py, disk_stress.py"
TYPES = {"cpu_stress.py": "cpu_spike", "mem_stress.py": "memory_load", "disk_stress.py": "disk_io"}
FLAGS = {
    "cpu_stress.py": "--procs, --duration",
    "mem_stress.py": "--step_mb, --steps, --sleep",
    "disk_stress.py": "--size_mb, --block_mb, --path, --sleep",
}
ACCEPTED = re.compile(
    r"""\s*  ( ( "([^";&|`$<>\n]*[\\/])?(python[\d.]*|py)(\.exe)?"
        | ([^\s";&|`$<>]*[\\/])?(python[\d.]*|py)(\.exe)? )\s+ )?
    ( "([^";&|`$<>\n]*[\\/])?(cpu|mem|disk)_stress\.py" | ([^\s";&|`$<>]*[\\/])?(cpu|mem|disk)_stress\.py )
    ( \s+--(procs|duration|step_mb|steps|sleep|size_mb|block_mb)[=\s]\s*"?[\d.]+"?
    | \s+--path[=\s]\s*("[^"]*"|[^\s"]+) )*\s*""",
    re.VERBOSE,
)
TOKENS = st.sampled_from(
    [
        "python",
        "python3.11",
        "py",
        r"C:\py\python.exe",
        "cpu_stress.py",
        "mem_stress.py",
        r"stressors\disk_stress.py",
        "./stressors/cpu_stress.py",
        "--procs",
        "--procs=2",
        "--sleep",
        "--path",
        "--size_mb",
        "8",
        "0.5",
        "-1",
        "a/b",
        "sh",
        "-c",
        "rm",
        "-rf",
        "/",
        ";",
        "&&",
        "&",
        "|",
        ">",
        "`reboot`",
        "$(reboot)",
        "$HOME",
        "../",
        "cpu_stress",
        '"',
        '"8"',
        '"a b/cpu_stress.py"',
        r'"C:\my py\python.exe"',
        '--path="a b/c"',
    ]
) | st.just("\n")

EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from([*TYPES.values(), "x"]),
        "duration_s": VALUES,
        "cmd": VALUES,
        "start": VALUES | st.datetimes().map(str),
        "other": VALUES,
    },
)


def event(cmd, **changes):
    name = next((name for name in TYPES if isinstance(cmd, str) and name in cmd), "cpu_stress.py")
    return {"type": TYPES[name], "duration_s": 180, "cmd": cmd, "start": "2025-10-11T02:30:00", **changes}


def load(cmd):
    return parse_legacy_event(event(cmd)).load


def problems(event):
    with pytest.raises(LegacyError) as caught:
        parse_legacy_event(event)
    assert str(caught.value) == "; ".join(problem for _, problem in caught.value.problems)
    return caught.value.problems


def test_an_event_is_read_in_todays_words():
    assert parse_legacy_event(event("python stressors/cpu_stress.py --procs 8 --duration 180")) == LegacyEvent(
        "cpu_spike", datetime(2025, 10, 11, 2, 30, tzinfo=UTC), 180.0, {"cpu": 8}
    )


@pytest.mark.parametrize(
    "before",
    [
        "",
        "python ",
        "python3 ",
        "python3.12 ",
        "py ",
        "PYTHON.EXE ",
        "/usr/bin/python3 ",
        "C:\\Python\\python.exe ",
        '"C:\\Program Files\\Python\\python.exe" ',
    ],
)
@pytest.mark.parametrize(
    "folder", ["", "stressors/", "stressors\\", "./", "..\\old\\", "C:\\twin\\stressors\\", "/opt/twin/"]
)
def test_the_stressor_is_found_behind_either_separator_and_any_python(before, folder):
    assert load(f"{before}{folder}cpu_stress.py --procs 8") == {"cpu": 8}


def test_the_stressor_may_stand_in_quotes():
    assert load('python "C:\\my scripts\\cpu_stress.py" --procs "8"') == {"cpu": 8}


@pytest.mark.parametrize(
    ("cmd", "keywords"),
    [
        ("cpu_stress.py", {"cpu": "100%"}),
        ("cpu_stress.py --duration 60", {"cpu": "100%"}),
        ("cpu_stress.py --procs=4", {"cpu": 4}),
        ("cpu_stress.py --procs 0", {"cpu": 0}),
        ("mem_stress.py", {"mem": "5000MiB", "ramp": "100s", "steps": 10}),
        ("mem_stress.py --step_mb 100 --steps 4 --sleep 2.5", {"mem": "400MiB", "ramp": "10s", "steps": 4}),
        ("mem_stress.py --step_mb 100 --steps 4 --sleep 0", {"mem": "400MiB"}),
        ("disk_stress.py", {"disk": "1500MiB", "block": "10MiB", "loop": True}),
        (
            "disk_stress.py --size_mb 200 --block_mb 0.5 --sleep 0.1",
            {"disk": "200MiB", "block": "0.5MiB", "pause": "0.1s", "loop": True},
        ),
        ("disk_stress.py --path temp.bin", {"disk": "1500MiB", "block": "10MiB", "loop": True}),
        (
            'disk_stress.py --path "D:\\my data\\temp.bin"',
            {"disk": "1500MiB", "block": "10MiB", "loop": True, "directory": "D:/my data"},
        ),
        (
            "disk_stress.py --path=/var/x=y/t",
            {"disk": "1500MiB", "block": "10MiB", "loop": True, "directory": "/var/x=y"},
        ),
    ],
)
def test_flags_become_the_keywords_of_a_load(cmd, keywords):
    assert load(cmd) == keywords
    parse_load(keywords, KINDS)


@pytest.mark.parametrize(
    "cmd",
    [
        "",
        "python",
        "sh",
        "rm -rf /",
        "python -c 'import os'",
        "python -m stressors",
        "sudo cpu_stress.py",
        "sh -c cpu_stress.py",
        "; cpu_stress.py",
        "`reboot` cpu_stress.py",
        "$(reboot)",
        "reboot && cpu_stress.py",
        "cpu_stress",
        "cpu_stress.py;reboot",
        "cpu_stress.pyc",
        "cpu_stress.py/reboot",
        "my_cpu_stress.py",
        "python3 -u cpu_stress.py",
    ],
)
def test_any_other_program_is_refused(cmd):
    assert problems(event(cmd, type="cpu_spike")) == [("cmd", f"{cmd!r} is not a known stressor; {KNOWN}")]


def test_a_long_command_is_cut_in_the_message():
    assert problems(event("x" * 200)) == [("cmd", f"{'x' * 100!r}... is not a known stressor; {KNOWN}")]


@pytest.mark.parametrize("cmd", [None, 5, ["cpu_stress.py"], {}])
def test_a_command_is_text(cmd):
    assert problems(event(cmd)) == [("cmd", f"{cmd!r} is not a command")]


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize(
    "word", [";", "&&", "&", "|", ">", "`reboot`", "$(reboot)", "reboot", "--shell", "-p", "--", "--procs;", "''"]
)
def test_anything_behind_the_stressor_but_its_flags_is_refused(name, word):
    assert problems(event(f"{name} {word} 8")) == [
        ("cmd", f"{word!r} is not a flag of {name}; its flags are {FLAGS[name]}")
    ]


@pytest.mark.parametrize("value", ["-1", "8;", "8&", "`8`", "$N", "1e3", "0x8", "1.5", "٣", "--duration", "1234567890"])
def test_a_number_of_processes_is_a_whole_number(value):
    assert problems(event(f"cpu_stress.py --procs {value}")) == [
        ("cmd", f"--procs {value!r} is not a whole number from 0 up")
    ]


def test_a_flag_without_its_value_is_refused():
    assert problems(event("mem_stress.py --sleep")) == [("cmd", "--sleep '' is not a number from 0 up")]


@pytest.mark.parametrize("rest", ["", " --sleep 1"])
def test_a_path_without_its_value_is_not_told_that_it_is_no_number(rest):
    ((key, problem),) = problems(event(f"disk_stress.py --path{rest}"))
    assert key == "cmd"
    assert "number" not in problem


def test_a_path_in_quotes_may_stand_behind_an_equals_sign():
    assert load('disk_stress.py --path="D:\\my data\\temp.bin"')["directory"] == "D:/my data"


@pytest.mark.parametrize(
    ("cmd", "keyword", "amount"),
    [
        ("disk_stress.py --size_mb 1048576", "disk", "1048576MiB"),
        ("mem_stress.py --step_mb 123456.7 --steps 1 --sleep 0", "mem", "123456.7MiB"),
    ],
)
def test_a_large_amount_keeps_every_digit(cmd, keyword, amount):
    assert load(cmd)[keyword] == amount


@pytest.mark.parametrize("cmd", ['cpu_stress.py " --procs 8', 'cpu_stress.py --procs 8"', '"cpu_stress.py --procs 8'])
def test_a_quote_that_is_not_closed_is_refused(cmd):
    assert [key for key, _ in problems(event(cmd))] == ["cmd"]


@pytest.mark.parametrize(
    "cmd",
    [
        "reboot;/cpu_stress.py",
        "`reboot`/cpu_stress.py",
        "$(reboot)/cpu_stress.py",
        "a&&b/cpu_stress.py",
        "a|b\\cpu_stress.py",
        '"rm -rf x; ./cpu_stress.py"',
        "reboot;/python cpu_stress.py",
    ],
)
def test_shell_text_in_front_of_a_separator_is_refused(cmd):
    assert problems(event(cmd)) == [("cmd", f"{cmd!r} is not a known stressor; {KNOWN}")]


def test_the_type_and_the_command_must_be_of_the_same_kind():
    assert problems(event("mem_stress.py", type="cpu_spike")) == [
        ("cmd", "names mem_stress.py, but the type is cpu_spike")
    ]


@pytest.mark.parametrize("kind", [None, "cpu", "gpu_spike", 5])
def test_an_unknown_type_says_which_there_are(kind):
    assert problems(event("cpu_stress.py", type=kind)) == [
        ("type", f"{kind!r} is not one of cpu_spike, memory_load, disk_io")
    ]


@pytest.mark.parametrize("kind", [[], {}, ["cpu_spike"]])
def test_a_type_that_is_no_text_says_which_there_are(kind):
    assert problems(event("cpu_stress.py", type=kind)) == [
        ("type", f"{kind!r} is not one of cpu_spike, memory_load, disk_io")
    ]


@pytest.mark.parametrize("start", [None, 5, "", "soon", "11.10.2025", "2025-13-01T00:00:00", "02:30"])
def test_a_start_is_a_time_of_the_calendar(start):
    assert problems(event("cpu_stress.py", start=start)) == [
        ("start", f"{start!r} is not a time such as 2025-10-11T02:30:00")
    ]


@pytest.mark.parametrize(
    ("start", "hour"),
    [
        ("2025-10-11T02:30:00", 2),
        ("2025-10-11 02:30", 2),
        ("2025-10-11T02:30:00Z", 2),
        ("2025-10-11T02:30:00+02:00", 0),
    ],
)
def test_a_start_without_a_zone_is_utc(start, hour):
    assert parse_legacy_event(event("cpu_stress.py", start=start)).start == datetime(2025, 10, 11, hour, 30, tzinfo=UTC)


def test_everything_that_is_wrong_with_an_event_is_said_at_once():
    assert problems({"type": "x", "duration_s": -5, "cmd": "reboot", "when": 1}) == [
        ("when", "unknown key"),
        ("type", "'x' is not one of cpu_spike, memory_load, disk_io"),
        ("duration_s", "-5 is below 0"),
        ("start", "is missing"),
        ("cmd", f"'reboot' is not a known stressor; {KNOWN}"),
    ]


@pytest.mark.parametrize("value", [None, 5, "cpu_stress.py", []])
def test_an_event_is_an_object(value):
    assert problems(value) == [("", "is not an object")]


@example(["reboot;/cpu_stress.py"])
@example(["cpu_stress.py", '"', "--procs", "8"])
@given(st.lists(TOKENS | st.text(r";&|`$<>\/ab 8", max_size=4), max_size=7))
@settings(max_examples=300, deadline=None)
def test_no_command_is_accepted_but_a_known_stressor_and_its_flags(words):
    cmd = " ".join(words)
    try:
        parse_legacy_event(event(cmd))
    except LegacyError:
        return
    assert ACCEPTED.fullmatch(cmd)


@given(st.sampled_from(list(TYPES)), st.lists(TOKENS, max_size=5))
@settings(max_examples=200, deadline=None)
def test_words_behind_a_stressor_are_flags_with_values_or_refused(name, words):
    cmd = " ".join(["python", name, *words])
    try:
        parse_legacy_event(event(cmd, type=TYPES[name]))
    except LegacyError:
        return
    assert ACCEPTED.fullmatch(cmd)


@given(EVENTS)
@settings(max_examples=150, deadline=None)
def test_whatever_an_event_holds_it_is_read_or_a_legacy_error(event):
    old, error = tried(LegacyError, parse_legacy_event, event)
    assert error.problems if error else old.start.tzinfo


@given(VALUES)
@settings(max_examples=50, deadline=None)
def test_whatever_stands_in_the_list_it_is_a_legacy_error(value):
    assert problems(value)
