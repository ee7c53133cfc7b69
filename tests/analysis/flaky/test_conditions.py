"""The conditions of a search, and the commands that run a test under them again."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from pytest_twin.analysis.flaky.conditions import IDLE, conditions
from pytest_twin.loads.validation import read_load

MIB = 1 << 20


def test_every_condition_is_a_load_that_the_grammar_of_marks_knows():
    for each in conditions(1):
        load = read_load(each.for_peak(50 * MIB).keywords)
        assert str(load) == str(each.for_peak(50 * MIB))


def test_one_cpu_is_a_condition_only_where_there_are_more():
    assert "constrain cpus=1" in map(str, conditions(2))
    assert "constrain cpus=1" not in map(str, conditions(1))


def test_the_memory_of_a_test_is_limited_to_one_and_a_half_times_its_peak_or_more():
    memory = next(each for each in conditions(2) if each.family == "memory")
    assert memory.for_peak(1000 * MIB).constrain == "mem=1500MiB"
    assert memory.for_peak(50 * MIB).constrain == "mem=114MiB"  # what allocators reserve fits too
    assert memory.for_peak(50 * MIB, data_bytes=400 * MIB).constrain == "mem=464MiB"


def test_the_command_of_a_condition_has_its_load_and_its_constraint():
    both = next(each for each in conditions(2) if str(each) == "cpu=100% constrain cpu=0.25")
    assert both.command("tests/x.py::test_y", 10) == (
        'pytest "tests/x.py::test_y" --twin-stress cpu=100% --twin-constrain cpu=0.25 --twin-repeat 10'
    )
    assert IDLE.command("tests/x.py::test_y", 10) == ""


@pytest.mark.parametrize(
    "nodeid",
    [
        "tests/x.py::test_y[a b]",
        'x.py::test_y["quoted"]',
        "x.py::test_y['single']",
        "x.py::test_y[$HOME `id` \\n]",
        "x.py::test_y[wow!]",
        "x.py::test_y[new\nline]",
        "x.py::test_y[é-ü]",
    ],
)
def test_a_shell_reads_the_node_id_of_a_command_as_one_word(nodeid):
    command = conditions(2)[-1].command(nodeid, 10)
    assert shlex.split(command)[1] == nodeid
    script = command.replace("pytest ", "printf '%s\\n' ", 1)
    printed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed.startswith(f"{nodeid}\n--twin-constrain\ncpu=0.05\n")
