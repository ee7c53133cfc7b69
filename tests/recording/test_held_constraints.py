"""The constraints of a process: the figures of attempts, and the files for the sampler."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_twin.loads.constraint import parse_constraint
from pytest_twin.model.attempt_row import ConstraintFigures
from pytest_twin.recording.constraints import HeldConstraints


@pytest.fixture
def held(tmp_path):
    return HeldConstraints(str(tmp_path / ".constraints"))


@pytest.fixture
def constrain(held, tmp_path):
    """Begins, updates and ends constraints as the replies of the supervisor do."""

    class Constrain:
        def begin(self, text, usec=0):
            self.set(text, usec)
            achieved = {"stat": self.stat(text), "stat_began_s": usec / 1e6}
            held.on_reply(self.load(text), {"event": "ready", "achieved": achieved})

        def set(self, text, usec):
            (tmp_path / f"{text}.stat").write_text(f"throttled_usec {usec}\n")

        def end(self, text, **figures):
            (tmp_path / f"{text}.stat").unlink()
            held.on_reply(self.load(text), {"event": "end", "achieved": figures})

        def stat(self, text):
            return str(tmp_path / f"{text}.stat")

        def load(self, text):
            return SimpleNamespace(id=text, part=parse_constraint(text))

    return Constrain()


def files(tmp_path):
    folder = tmp_path / ".constraints"
    return [path.read_text() for path in folder.iterdir()] if folder.exists() else []


def test_without_a_constraint_there_are_no_figures(held):
    figures = held.figures_since(held.begin_attempt())
    assert figures == ConstraintFigures("", None)


def test_what_the_file_had_before_the_constraint_does_not_count(held, constrain):
    border = held.begin_attempt()
    constrain.begin("cpu=0.5", usec=2_000_000)
    constrain.set("cpu=0.5", 2_250_000)
    assert held.figures_since(border) == ConstraintFigures("cpu=0.5", pytest.approx(0.25))


def test_an_attempt_has_what_was_added_in_its_time(held, constrain):
    constrain.begin("cpu=0.5")
    constrain.set("cpu=0.5", 1_000_000)
    border = held.begin_attempt()
    constrain.set("cpu=0.5", 1_250_000)
    assert held.figures_since(border) == ConstraintFigures("cpu=0.5", pytest.approx(0.25))


def test_constraints_that_begin_or_end_in_its_time_count_too(held, constrain):
    constrain.begin("cpu=0.5")
    border = held.begin_attempt()
    constrain.begin("cpu=0.25")
    constrain.end("cpu=0.25", throttled_s=0.5)
    constrain.end("cpu=0.5", throttled_s=0.125)
    constrain.begin("cpu=0.1")
    assert held.figures_since(border) == ConstraintFigures("cpu=0.5, cpu=0.25, cpu=0.1", 0.625)
    constrain.end("cpu=0.1", throttled_s=3.0)
    assert held.figures_since(held.begin_attempt()) == ConstraintFigures("", None)


def test_equal_constraints_are_written_once(held, constrain):
    border = held.begin_attempt()
    for _ in range(2):
        constrain.begin("cpu=0.5")
        constrain.end("cpu=0.5", throttled_s=0.5)
    assert held.figures_since(border) == ConstraintFigures("cpu=0.5", 1.0)


def test_an_unknown_throttled_time_makes_the_sum_unknown(held, constrain):
    border = held.begin_attempt()
    constrain.begin("cpu=0.5")
    constrain.begin("cpu=0.25")
    constrain.end("cpu=0.25")  # its enforcer died
    assert held.figures_since(border) == ConstraintFigures("cpu=0.5, cpu=0.25", None)


def test_what_does_not_limit_cpu_time_throttles_nothing(held, constrain, tmp_path):
    border = held.begin_attempt()
    constrain.begin("mem=1GiB")
    assert held.figures_since(border) == ConstraintFigures("mem=1GiB", 0.0)
    assert files(tmp_path) == []


def test_the_sampler_finds_the_file_of_the_throttled_time_while_the_constraint_is_held(held, constrain, tmp_path):
    constrain.begin("cpu=0.5")
    assert files(tmp_path) == ["0.0 " + constrain.stat("cpu=0.5")]
    constrain.end("cpu=0.5", throttled_s=0.5)
    assert files(tmp_path) == []


def test_the_first_start_of_the_schedule_holds_for_all(held, tmp_path):
    first = held.share_start()
    assert HeldConstraints(str(tmp_path / ".constraints")).share_start() == first
    assert held.share_start() == first
    assert [path.name for path in (tmp_path / ".constraints").iterdir()] == ["schedule-start"]
