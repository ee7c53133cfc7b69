"""A run is judged by the recording that it replays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_recordings import of_frame, recording, server

from pytest_twin.analysis.fidelity import gates, measures
from pytest_twin.analysis.fidelity.gates import FidelityGates
from pytest_twin.analysis.fidelity.scorecard import compare_recordings

pytest.importorskip("scipy")


def card(recorded, run, limits=None, **how):
    return compare_recordings(("recording", "run"), recorded, run, limits, **how)


def verdicts(scorecard, name):
    resource = next(each for each in scorecard.resources if each.name == name)
    return {each.gate.name: each.verdict for each in resource.verdicts}


def value(scorecard, gate, name="cpu"):
    resource = next(each for each in scorecard.resources if each.name == name)
    return next(each.value for each in resource.verdicts if each.gate == gate)


def test_a_recording_is_faithful_to_itself_in_every_gate():
    found = card(server(), server())
    assert found.verdict == "passed"
    assert {
        each.verdict for resource in found.resources for each in resource.verdicts if each.gate != gates.CV_RMSE
    } == {"passed"}
    assert verdicts(found, "disk_write")["cv_rmse"] == "not judged"  # its bursts are rare
    assert found.coupling.verdict == "passed"
    assert [value(found, gate) for gate in (gates.BIAS, gates.SKILL, gates.LAG, gates.DRIFT)] == pytest.approx(
        [0, 1, 0, 0]
    )


def test_the_bias_is_normalized_as_by_ashrae():
    cpu = np.tile([0.2, 0.6], 50)
    assert value(card(recording(cpu=cpu), recording(cpu=0.95 * cpu)), gates.BIAS) == pytest.approx(-5 * 100 / 99)


@pytest.mark.parametrize(("bursts", "verdict"), [(1, "not judged"), (2, "not judged"), (4, "failed")])
def test_the_bias_of_a_few_bursts_is_a_matter_of_chance(bursts, verdict):
    """Each replay of one burst is some per cent larger or smaller, and so is its mean."""
    sent = np.zeros(300)
    sent[10 : 10 + 40 * bursts : 40] = 1e6
    found = card(recording(net_sent=sent), recording(net_sent=0.9 * sent))
    assert verdicts(found, "net_sent")["bias"] == verdict
    if verdict == "not judged":
        bias = next(each for each in found.resources[0].verdicts if each.gate == gates.BIAS)
        assert bias.remark == "fewer than 3 values make up the recorded mean"


@pytest.mark.parametrize(("late", "verdict"), [(0, "passed"), (600, "failed")])
def test_noise_that_lasts_is_no_lag(late, verdict):
    """Ten thousand seconds with noise that lasts half a minute are some hundreds of independent values."""
    wave, rng = 0.5 + 0.3 * np.sin(np.linspace(0, 9, 10_000)), np.random.default_rng(2)

    def noisy():
        noise = np.convolve(rng.normal(0, 0.05, 10_060), np.ones(60) / 60**0.5, "valid")[:10_000]
        return pd.DataFrame({"cpu": wave + noise}, pd.Index(np.arange(1.0, 10_001), name="elapsed_s"))

    for _ in range(5):
        one, other = noisy(), noisy()
        found = verdicts(card(of_frame(one), of_frame(other.shift(late).bfill())), "cpu")
        assert found["lag"] == verdict
        assert late or found["drift"] == "passed"


def test_changes_as_small_as_those_of_an_idle_machine_are_not_judged():
    """Memory that rises slowly by a point or two: the shortest event is long enough for more than noise."""
    rng = np.random.default_rng(4)
    mem = 0.03 + 0.01 * np.sin(np.linspace(0, 12, 400))
    one, other = (recording(mem=mem + rng.normal(0, 0.001, 400)) for _ in range(2))
    found = card(one, other)
    assert verdicts(found, "mem")["change_correlation"] == "passed"
    assert found.resources[0].event_s > 5


@pytest.mark.parametrize("rows", [-7, 3, 25])
def test_the_lag_is_how_much_later_the_run_is(rows):
    frame = server().frame
    found = card(server(), of_frame(frame.shift(rows).bfill().ffill()))
    assert value(found, gates.LAG) == rows
    assert value(found, gates.DRIFT) == 0
    assert verdicts(found, "cpu")["lag"] == "failed"


def test_a_run_at_another_speed_drifts():
    frame = server().frame
    found = card(server(), of_frame(frame.set_axis(frame.index / 1.03)))
    assert value(found, gates.DRIFT) == pytest.approx(-0.03 * 400, abs=3)
    assert verdicts(found, "cpu")["drift"] == "failed"


def test_noise_moves_no_lag_of_a_slow_load():
    slow = 0.5 + 0.3 * np.sin(np.linspace(0, 3, 600))
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0, 0.01, (2, 600))
        found = card(recording(cpu=slow + noise[0]), recording(cpu=slow + noise[1]))
        assert verdicts(found, "cpu")["lag"] == verdicts(found, "cpu")["drift"] == "passed"


def test_of_a_periodic_load_the_shortest_lag_counts():
    cpu = np.tile([0.1, 0.1, 0.9, 0.5], 100)
    assert value(card(recording(cpu=cpu), recording(cpu=np.roll(cpu, 1))), gates.LAG) == 1


def test_both_are_resampled_to_the_coarser_interval():
    cpu = server().frame["cpu"].to_numpy()
    found = card(recording(2.0, cpu=cpu), recording(0.5, cpu=np.repeat(cpu, 4)))
    assert (found.interval_s, found.intervals_s) == (2.0, (2.0, 0.5))
    assert found.verdict == "passed"
    assert value(found, gates.CORRELATION) == pytest.approx(1)


def test_what_does_not_vary_or_is_not_on_both_sides_is_not_judged():
    frame = server().frame
    flat = frame.assign(disk_read=0.0)
    found = card(of_frame(flat.assign(net_sent=5.0)), of_frame(flat.assign(net_received=5.0)))
    for name in ("disk_read", "net_sent", "net_received"):
        assert set(verdicts(found, name).values()) == {"not judged"}, name
    reasons = {each.name: each.verdicts[0].remark for each in found.resources}
    assert reasons["disk_read"] == "the recording does not vary"
    assert reasons["net_sent"] == "the run has no such column"
    assert reasons["net_received"] == "the recording has no such column"
    assert found.verdict == "passed"


def test_a_column_without_values_is_no_column():
    frame = server().frame
    found = card(of_frame(frame), of_frame(frame.assign(mem=np.nan)))
    assert {each.verdicts[0].remark for each in found.resources if each.name == "mem"} == {"the run has no such column"}


@pytest.mark.parametrize(
    ("name", "deviation", "least"),
    [("disk_write", 9e4, "100 kB/s"), ("net_received", 900, "1 kB/s")],
)
def test_a_rate_that_varies_no_more_than_an_idle_machine_does_is_not_judged(name, deviation, least):
    values = np.random.default_rng(1).normal(4 * deviation, deviation, 300)
    found = card(recording(**{name: values}), recording(**{name: values[::-1]}))
    assert found.verdict == "not judged"
    reason = f"the recording varies no more than an idle machine does (standard deviation below {least})"
    assert found.resources[0].verdicts[0].remark == reason
    assert card(recording(**{name: 3 * values}), recording(**{name: 3 * values})).verdict == "passed"


@pytest.mark.parametrize(
    ("level", "spread", "reason"),
    [
        (1.0, 0.0, "the recording does not vary"),
        (1.0, 0.006, "a standard deviation below 1.5 points"),
        (0.5, 0.01, "a standard deviation below 1.5 points"),
        (0.01, 0.004, "a standard deviation below 1.5 points"),
    ],
    ids=["full", "about full", "steady", "idle"],
)
def test_of_a_flat_recording_the_level_is_judged_and_not_the_shape(level, spread, reason):
    """What is left of its variation is chance, which no replay can repeat."""

    def played(level, seed):
        values = level + np.random.default_rng(seed).normal(0, spread, 600)
        return recording(cpu=values.clip(0, 1))

    found = card(played(level, 1), played(level, 2))
    assert found.verdict == "passed"
    shape = [each for each in found.resources[0].verdicts if each.gate in gates.SHAPE_GATES]
    assert {(each.verdict, reason in each.remark) for each in shape} == {("not judged", True)}
    assert {each.verdict for each in found.resources[0].verdicts if each not in shape} == {"passed"}
    wrong = verdicts(card(played(level, 1), played(abs(level - 0.4), 2)), "cpu")
    assert {name for name, verdict in wrong.items() if verdict == "failed"} == {"bias", "cv_rmse", "p95", "p99"}


def test_of_a_flat_rate_the_level_is_judged_and_not_the_shape():
    """A rate of 50 MB/s that is held within two per cent."""
    one, other = (np.random.default_rng(seed).normal(5e7, 1e6, 600) for seed in (1, 2))
    found = verdicts(card(recording(disk_write=one), recording(disk_write=other)), "disk_write")
    assert {name for name, verdict in found.items() if verdict == "passed"} == {
        "coverage", "bias", "cv_rmse", "p95", "p99"
    }  # fmt: skip
    assert "failed" not in found.values()
    assert verdicts(card(recording(disk_write=one), recording(disk_write=other / 2)), "disk_write")["bias"] == "failed"


def test_a_flat_resource_is_coupled_with_none():
    noise = np.random.default_rng(1).normal(0, 0.0005, (2, 600))
    one, other = (of_frame(server().frame[["cpu"]].assign(mem=0.5 + each)) for each in noise)
    found = card(one, other)
    assert verdicts(found, "mem")["bias"] == "passed"
    assert found.coupling.verdict == "not judged"


def test_nothing_that_can_be_judged_is_no_pass():
    assert card(recording(net_sent=np.full(60, 0.5)), recording(net_sent=np.full(60, 0.5))).verdict == "not judged"
    assert card(recording(cpu=np.full(60, 0.5)), recording(mem=np.full(60, 0.5))).verdict == "not judged"


def test_a_constant_run_fails_and_its_correlation_is_not_judged():
    found = verdicts(card(server(), of_frame(server().frame * 0 + 0.3)), "cpu")
    assert (found["skill"], found["change_ratio"]) == ("failed", "failed")
    assert (found["correlation"], found["change_correlation"], found["lag"]) == ("not judged",) * 3


def test_a_run_without_a_common_value_fails_the_coverage_and_nothing_else_is_judged():
    short = of_frame(server().frame.iloc[:5])
    found = verdicts(card(server(), short), "cpu")
    assert found.pop("coverage") == "failed"
    assert set(found.values()) == {"not judged"}


def test_a_gap_of_the_recording_is_not_the_fault_of_the_run():
    frame = server().frame
    holed = frame.drop(index=frame.index[100:200])
    assert value(card(of_frame(holed), of_frame(frame)), gates.COVERAGE) == 1
    assert value(card(of_frame(frame), of_frame(holed)), gates.COVERAGE) == pytest.approx(5 / 6, abs=0.01)


def test_resources_that_are_shifted_against_each_other_fail_the_coupling():
    frame = server().frame
    found = card(server(), of_frame(frame.assign(mem=np.roll(frame["mem"], 60))))
    assert found.coupling.verdict == "failed"
    assert found.coupling.remark == "cpu and mem"


def test_memory_in_bytes_counts_where_the_share_is_not_on_both_sides():
    frame = server().frame[["cpu", "mem"]]
    with_bytes = frame.assign(mem_bytes=frame["mem"] * 2**34)
    assert [each.name for each in card(of_frame(with_bytes), of_frame(with_bytes)).resources] == ["cpu", "mem"]
    without = with_bytes.drop(columns="mem")
    assert verdicts(card(of_frame(with_bytes), of_frame(without)), "mem_bytes")["bias"] == "passed"
    assert [each.name for each in card(of_frame(with_bytes), of_frame(with_bytes), only=["mem_bytes"]).resources] == [
        "mem_bytes"
    ]


def test_limits_and_the_shortest_event_can_be_given():
    loose = FidelityGates(max_bias=30)
    run = of_frame(server().frame * 0.8)
    assert verdicts(card(server(), run), "cpu")["bias"] == "failed"
    assert verdicts(card(server(), run, loose), "cpu")["bias"] == "passed"
    assert {each.event_s for each in card(server(), run, event_s=7.2).resources} == {7}


def test_the_shortest_event_is_where_a_slow_load_has_changed():
    assert measures.shortest_event(np.tile([0.0, 1.0], 50)) == 1
    assert 10 < measures.shortest_event(np.sin(np.linspace(0, 6.28, 400))) < 30


def test_a_run_that_goes_on_is_judged_up_to_the_end_of_the_recording():
    frame = server().frame
    found = card(of_frame(frame.iloc[:500]), of_frame(frame))
    assert found.verdict == "passed"
    assert found.remarks == ("the run is longer than the recording; 100 s at its end are not judged",)


def test_a_percentile_is_judged_where_enough_values_are_beyond_it():
    frame = server().frame
    short = verdicts(card(of_frame(frame.iloc[:200]), of_frame(frame.iloc[:200])), "cpu")
    assert (short["p95"], short["p99"]) == ("passed", "not judged")


def test_points_are_hundredths_of_the_usual_range_or_of_a_quarter_of_the_machine():
    values = np.linspace(0.4, 0.5, 1000)
    rate = 1e8 * values
    found = card(recording(cpu=values, disk_write=rate), recording(cpu=values + 0.01, disk_write=rate + 1e6))
    assert value(found, gates.P95) == pytest.approx(4)
    assert value(found, gates.P95, "disk_write") == pytest.approx(1 / 0.098)


def test_the_parts_of_the_cpu_are_judged_only_without_it():
    """A load computes in user mode, whatever the recorded machine did."""
    frame = server().frame
    whole = frame.assign(cpu_user=frame["cpu"] / 2, cpu_system=frame["cpu"] / 2, net_sent=1e6, net_loopback=1e6)
    names = [each.name for each in card(of_frame(whole), of_frame(whole)).resources]
    assert names == ["cpu", "mem", "disk_write", "net_sent"]
    parts = of_frame(whole[["cpu_user", "cpu_system"]])
    assert [each.name for each in card(parts, parts).resources] == ["cpu_user", "cpu_system"]
    assert [each.name for each in card(of_frame(whole), parts, only=["cpu_user"]).resources] == ["cpu_user"]


def test_what_cannot_be_judged_in_a_run_has_the_reason():
    found = card(server(), server(), unplayed={"mem": "it was not played"})
    assert set(verdicts(found, "mem").values()) == {"not judged"}
    assert {each.remark for each in found.resources[1].verdicts} == {"it was not played"}
    assert set(verdicts(found, "cpu").values()) == {"passed"}
