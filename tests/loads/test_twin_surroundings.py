"""What surrounded the tests of a recorded run, as loads."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_recordings import recording

from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.registry import kinds
from pytest_twin.loads.twin.others import has_trees, others_of, parallel_cpus, share_of_tests
from pytest_twin.loads.twin.surroundings import (
    HOLD_S,
    MOST_LEVELS,
    WORK,
    RecordedLoad,
    Stretch,
    Surroundings,
    beside_work,
    shifted,
    with_competitors,
)
from pytest_twin.stressors.spec.profile import Profile


def samples(**columns):
    return pd.DataFrame({name: np.asarray(values, dtype=float) for name, values in columns.items()})


def value_at(event, keyword, seconds):
    parts = [part for part in event.load.parts if part.kind.keyword == keyword]
    return sum(Profile(list(part.profile)).at(seconds) for part in parts)


def surroundings(others=None, loads=(), stretches=None, **more):
    return Surroundings("ci", others, 0.0, loads, stretches or {}, kinds(), **more)


def load_of(began, ended, test="", **words):
    return RecordedLoad(Stretch(began, ended), parse_load(words, kinds()), test)


def test_others_are_the_host_less_the_tests_and_less_our_stressors():
    found = others_of(
        samples(
            cpu_percent=[90, 50, 20],
            tests_cpu_percent=[30, 50, 30],
            stress_cpu_percent=[np.nan, 0, 0],
            ram_used_percent=[50, 50, 50],
            ram_total_GB=[4, 4, 4],
            tests_resident_MB=[0, 1024, 4096],
            net_sent_MB=[1, 1, 1],
        ),
        4,
        4,
    )
    assert np.isnan(found["cpu_percent"][0])
    assert found["cpu_percent"][1:].tolist() == [0, 0]
    assert found["ram_used_percent"].tolist() == [50, 25, 0]
    assert "net_sent_MB" not in found


def test_others_had_no_more_of_the_cpus_of_the_tests_than_these_left():
    rows = samples(cpu_percent=[75, 50, 50], tests_cpu_percent=[25, 50, 0])
    assert others_of(rows, 2, 1)["cpu_percent"].tolist() == [50, 0, 50]
    assert others_of(rows, 2, None)["cpu_percent"].tolist() == [50, 0, 50]


def test_what_tests_wrote_is_not_counted_where_it_reaches_the_disk_later():
    rows = samples(
        cpu_percent=[0] * 5, tests_cpu_percent=[0] * 5, disk_write_MB=[1, 0, 9, 3, 0], tests_write_MB=[0, 9, 0, 0, 0]
    )
    assert others_of(rows, 2, None)["disk_write_MB"].tolist() == [1, 0, 0, 3, 0]


def test_a_recording_without_tests_has_no_trees():
    assert not has_trees(samples(cpu_percent=[1], tests_cpu_percent=[np.nan]))
    assert has_trees(samples(cpu_percent=[1], tests_cpu_percent=[0]))
    assert parallel_cpus(samples(cpu_percent=[1]), 4) is None
    assert parallel_cpus(samples(tests_cpu_percent=[26, 27, 25]), 4) == 2
    assert parallel_cpus(samples(tests_cpu_percent=[5, 25, 20]), 4) == 1


def test_what_the_tests_used_is_known_between_the_rows_that_tell_it():
    rows = samples(elapsed_s=[1, 2, 3, 4], tests_cpu_percent=[10, np.nan, 30, 50])
    assert list(share_of_tests(rows, pd.Index([0.5, 1.0, 2.0, 4.0]))) == pytest.approx([0.1, 0.1, 0.2, 0.5])


def test_its_own_stretch_of_time_surrounds_a_test_and_then_its_mean():
    others = recording(cpu=[0.1, 0.2, 0.4, 0.9])
    (event,) = surroundings(others, stretches={"test_it": Stretch(1.0, 3.0)}).around("test_it", None, 77.0).events
    assert [value_at(event, "cpu", at) for at in (0.5, 1.5)] == pytest.approx([0.2, 0.4])
    assert value_at(event, "cpu", 60.0) == pytest.approx(0.3)
    assert event.duration_s == HOLD_S


def beside(cpu, worked):
    """What others had beside a test that worked as much in each second."""
    others = recording(cpu=cpu, **{WORK: worked})
    return [round(value, 6) for value in beside_work(others).frame["cpu"]]


def test_what_others_had_while_the_test_slept_does_not_surround_it():
    assert beside([0.5, 0.9], [0.5, 0.0]) == [0.5, 0.5]
    assert beside([0.5, 0.8], [0.4, 0.2]) == [0.56, 0.56]  # for most of the second row it slept


def test_beside_a_test_that_only_slept_others_had_their_mean():
    assert beside([0.2, 0.6], [0.0, 0.0]) == [0.4, 0.4]
    assert beside([0.2, np.nan, 0.4], [0.0, 0.0, 0.0]) == [0.2, 0.4]


def test_beside_a_long_test_each_piece_of_time_has_its_own_level():
    assert beside([0.1, 0.3, 0.6, 0.8, 0.9], [0.5] * 5) == [0.2, 0.2, 0.7, 0.7, 0.9]


def test_a_day_beside_a_test_has_no_more_levels_than_a_profile_may_have_points():
    assert len(set(beside(np.linspace(0, 1, 5000), np.full(5000, 0.5)))) <= MOST_LEVELS + 1


def test_others_without_a_cpu_stay_as_they_are():
    others = recording(disk_read=[1.0, 2.0], **{WORK: [0.5, 0.5]})
    assert beside_work(others) is others
    unknown = recording(cpu=[np.nan], **{WORK: [0.5]})
    assert beside_work(unknown) is unknown


def test_a_test_has_the_level_of_its_own_stretch_around_it():
    others = recording(cpu=[0.9, 0.2, 0.4, 0.9], **{WORK: [0.0, 0.5, 0.5, 0.0]})
    (event,) = surroundings(others, stretches={"test_it": Stretch(1.0, 4.0)}).around("test_it", None, 0.0).events
    assert [value_at(event, "cpu", at) for at in (0.5, 1.5)] == pytest.approx([0.3, 0.3])


def test_the_recording_surrounds_other_tests_from_the_first_one_on_until_its_end():
    around = surroundings(recording(cpu=[0.1, 0.2, 0.4, 0.9]))
    (event,) = around.around("test_other", None, 1.0).events
    assert [value_at(event, "cpu", at) for at in (0.5, 1.5, 2.5)] == pytest.approx([0.2, 0.4, 0.9])
    assert value_at(event, "cpu", 3.5) == 0
    (late,) = around.around("test_other", None, 10.0).events
    assert value_at(late, "cpu", 0.5) == 0


def test_nothing_surrounds_a_test_on_an_idle_machine():
    idle = surroundings(recording(cpu=[0.0, 0.0]), stretches={"test_it": Stretch(0.0, 2.0)})
    assert idle.around("test_it", None, 0.0) is None
    assert surroundings().around("test_it", None, 0.0) is None


def test_loads_that_were_scheduled_during_its_stretch_surround_a_test():
    loads = [load_of(0, 4, cpu=2), load_of(5, 6, mem="1MiB"), load_of(8, 9, cpu=3), load_of(3, 5.5, "test_b", cpu=7)]
    found = surroundings(loads=loads, stretches={"test_a": Stretch(3.0, 5.5)}).around("test_a", None, 0.0)
    assert [(event.start_s, event.duration_s, str(event.load)) for event in found.events] == [
        (0.0, 1.0, "cpu=2"),
        (2.0, HOLD_S, "mem=1MiB"),
    ]


def test_a_load_of_the_marks_of_a_test_is_applied_once():
    loads = [load_of(3, 5, "test_a", cpu=2), load_of(3, 5, "test_a", mem="1MiB")]
    found = surroundings(loads=loads, stretches={"test_a": Stretch(3.0, 5.0)})
    marked = found.around("test_a", parse_load({"cpu": 2}, kinds()), 0.0)
    assert [str(event.load.parts[0]) for event in marked.events] == ["mem=1MiB"]


def test_what_is_left_of_a_load_begins_in_the_middle_of_it():
    (part,) = shifted(parse_load({"cpu": "80%", "ramp": "8s"}, kinds()), 2.0).parts
    assert part.profile == ((0.0, pytest.approx(0.2)), (6.0, pytest.approx(0.8)))


@pytest.mark.parametrize(("share", "workers"), [("10%", 1), ("50%", 2), ("67%", 4), ("100%", 6)])
def test_a_load_gets_its_share_beside_a_busy_test_by_more_workers(share, workers):
    (part,) = parse_load({"cpu": share}, kinds()).parts
    assert with_competitors(part).options["per_cpu"] == workers


def test_a_load_of_another_kind_stays_as_it_is():
    (part,) = parse_load({"mem": "10%"}, kinds()).parts
    assert with_competitors(part) is part
