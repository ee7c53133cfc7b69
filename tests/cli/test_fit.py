"""``pytest-twin fit``, as typed."""

from __future__ import annotations

import importlib.util
import json
import os

import numpy as np
import pytest
from click.testing import CliRunner
from made_recordings import recording
from made_runs import stamp

import pytest_twin
from pytest_twin import read_recording
from pytest_twin.analysis.fidelity.gates import BIAS
from pytest_twin.analysis.fidelity.scorecard import compare_recordings
from pytest_twin.cli import main
from pytest_twin.loads.registry import kinds
from pytest_twin.loads.schedule.parser import parse_schedule
from pytest_twin.model.machine_formats.parser import parse_text
from pytest_twin.run_folder.schedule_file import open_schedule

pytest.importorskip("scipy")
pytest.importorskip("ruptures")
ROWS = 600


def write(path, rows=ROWS, noise=0.5, **columns):
    """Write the recording of a machine with four regimes as a dataset with some of the legacy columns."""
    at, rng = np.arange(rows), np.random.default_rng(1)
    cpu = np.select([at < 150, at < 250, at < 450], [10, 70, 40], 20) + rng.normal(0, noise, rows)
    mem = np.interp(at, [0, 250, 450, rows], [30, 30, 60, 60]) + rng.normal(0, noise / 10, rows)
    disk = np.where((at >= 150) & (at < 250), 40, 1) + rng.normal(0, noise / 10, rows)
    given = columns or {"cpu_percent": cpu, "ram_used_percent": mem, "disk_write_MB": disk}
    lines = [f"timestamp,{','.join(given)}"]
    for place, cells in enumerate(zip(*(np.broadcast_to(each, rows) for each in given.values()), strict=True)):
        lines.append(",".join([stamp(place), *(f"{cell:.3f}" for cell in cells)]))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def twin(tmp_path, monkeypatch):
    """Runs ``pytest-twin fit`` in a folder with a recording."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "1000")
    write(tmp_path / "server.csv")

    def run(*words, status=0):
        done = CliRunner().invoke(main, ["fit", *words])
        assert done.exit_code == status, done.output
        return done

    return run


def test_a_schedule_is_written_that_passes_on_what_it_has_not_seen(twin, tmp_path):
    text = twin("server.csv", "-o", "twin.json").output
    assert "a fit to the other half as a replay of the held-out half of server.csv: passed\n" in text
    assert "twin.json: 4 events for 10m\n" in text
    assert "the held-out half, in intervals of 1 s: passed\nall rows, in intervals of 1 s: passed\n" in text
    schedule = open_schedule(tmp_path / "twin.json", kinds())
    assert [event.start_s for event in schedule.events] == [0, 150, 250, 450]
    assert all(event.note for event in schedule.events)
    assert schedule.events[1].load.keywords["cpu"] == "70%"


def test_the_number_of_events_can_be_limited(twin, tmp_path):
    twin("server.csv", "-o", "twin.json", "--events", "2")
    assert len(json.loads((tmp_path / "twin.json").read_text())["events"]) == 2
    twin("server.csv", "-o", "twin.json", "--tolerance", "100")
    assert len(json.loads((tmp_path / "twin.json").read_text())["events"]) == 1


def test_a_gate_that_fails_is_told_with_its_value_and_the_schedule_is_written(twin, tmp_path):
    write(tmp_path / "noisy.csv", noise=20)
    text = twin("noisy.csv", "-o", "twin.json").output
    assert "the held-out half, in intervals of 1 s: failed (" in text
    assert "cpu: skill 0." in text
    assert "the limit is ≥ 0.6" in text
    assert (tmp_path / "twin.json").exists()


@pytest.mark.usefixtures("twin")
def test_without_a_file_the_schedule_is_on_standard_output_alone(capsys):
    main(["fit", "server.csv"], standalone_mode=False)  # the runner of click 8.1 mixes what is printed where
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)["events"]) == 4
    assert "the schedule: 4 events for 10m\n" in printed.err


def test_a_part_of_a_recording_may_be_fitted(twin, tmp_path):
    twin("server.csv", "-o", "twin.json", "--window", "from=150s to=450s")
    schedule = open_schedule(tmp_path / "twin.json", kinds())
    assert [event.start_s for event in schedule.events] == [0, 100]


def test_variants_are_other_days_of_the_same_kind_and_the_same_for_a_seed(twin, tmp_path):
    words = ("server.csv", "-o", "twin.json", "--variants", "3", "--seed", "7")
    text = twin(*words).output
    variants = [(tmp_path / f"twin-{number}.json").read_text() for number in (1, 2, 3)]
    whole = (tmp_path / "twin.json").read_text()
    assert len({whole, *variants}) == 4
    assert all(f"twin-{number}.json" in text for number in (1, 2, 3))
    for each in variants:
        assert sorted(map(amounts, json.loads(each)["events"])) == sorted(map(amounts, json.loads(whole)["events"]))
        assert parse_schedule(each, "twin", kinds(), parse_text).duration_s == ROWS
    twin(*words)
    assert [(tmp_path / f"twin-{number}.json").read_text() for number in (1, 2, 3)] == variants


def amounts(event):
    return [event.get(key, "") for key in ("cpu", "mem", "disk")]


def test_variants_that_are_not_found_are_told(twin, tmp_path):
    text = twin("server.csv", "-o", "twin.json", "--variants", "2", "--tolerance", "100").output
    assert text.endswith(
        "only 0 of 2 variants: the events in other places are not like the recording; "
        "fit more events (--events, --tolerance)\n"
    )
    assert not [name for name in os.listdir(tmp_path) if name.startswith("twin-")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.csv"], "nowhere.csv: No such file or directory"),
        (["text.csv"], "text.csv: "),
        (["short.csv"], "short.csv: has 12 intervals; a fit needs 20 at least"),
        (["idle.csv"], "idle.csv: has nothing to fit: no load in cpu, mem"),
        (["received.csv"], "received.csv: has nothing to fit: no values of cpu, mem, disk_write, disk_read, net_sent"),
        (["server.csv", "--events", "0"], "Invalid value for '--events': 0 is not in the range 1<=x<=200."),
        (["server.csv", "--tolerance", "nan"], "Invalid value for '--tolerance': 'nan' is not a number"),
        (["server.csv", "--variants", "2"], "--variants needs --output, whose name the files get"),
    ],
)
def test_bad_input_is_told_in_one_line(twin, tmp_path, words, message):
    (tmp_path / "text.csv").write_text("no recording\n")
    write(tmp_path / "short.csv", 12)
    write(tmp_path / "idle.csv", 50, cpu_percent=0, ram_used_percent=40)
    write(tmp_path / "received.csv", 50, net_recv_MB=3)
    output = twin(*words, status=2).output
    (line,) = [line for line in output.splitlines() if "Error" in line]
    assert line.startswith(f"Error: {message}")
    assert "Traceback" not in output


def test_a_schedule_that_cannot_be_written_is_told_in_one_line(twin):
    text = twin("server.csv", "-o", "nowhere/twin.json", status=1).output
    assert text.endswith("Error: nowhere/twin.json: No such file or directory\n")


def test_ruptures_that_is_missing_is_told_in_one_line(twin, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr("pytest_twin.cli.fit.find_spec", lambda name: None if name == "ruptures" else found(name))
    text = twin("server.csv", "-o", "twin.json", status=2).output
    assert text == "Error: fit needs ruptures; pip install 'pytest-twin[twin]'\n"


def test_a_clock_that_jumps_is_told_in_one_line(twin, tmp_path):
    lines = (tmp_path / "server.csv").read_text().splitlines()
    later = [line.replace("2026", "2028") for line in lines[300:]]
    assert later[0] != lines[300]
    (tmp_path / "server.csv").write_text("\n".join([*lines[:300], *later]) + "\n")
    text = twin("server.csv", "-o", "twin.json", status=2).output
    assert text.startswith("Error: server.csv: row 301: no row for ")
    assert text.endswith(" has rows; keep the rows before or after the gap\n")
    assert text.count("\n") == 1
    assert not (tmp_path / "twin.json").exists()


@pytest.mark.slow
def test_a_fitted_schedule_that_is_played_is_like_its_recording(twin, tmp_path):
    """By the CPU time of the load itself, at levels that it gets on a busy machine too."""
    cpu = np.repeat([4.0, 12.0, 6.0], 8)
    write(tmp_path / "short.csv", rows=len(cpu), cpu_percent=cpu, disk_write_MB=np.repeat([0.0, 2.0, 0.0], 8))
    twin("short.csv", "-o", "twin.json")
    done = CliRunner().invoke(main, ["run", "twin.json", "--report-dir", "played", "--interval", "0.5"])
    if "starved: " in done.output:
        pytest.skip("the machine is too busy for a load of 12 %")
    assert done.exit_code == 0, done.output
    run = pytest_twin.load(tmp_path / "played")
    loads = run.events[run.events["event"] == "end"]
    assert loads["type"].value_counts().to_dict() == {"cpu": 3, "disk": 1}
    assert (loads["achieved"] / loads["asked"]).between(0.7, 1.3).all()
    played = recording(0.5, cpu=run.samples["stress_cpu_percent"].to_numpy() / 100)
    card = compare_recordings(("short", "played"), read_recording("short.csv"), played, only=["cpu"])
    bias = next(each.value for each in card.resources[0].verdicts if each.gate == BIAS)
    assert abs(bias) < 30
    assert card.resources[0].wasserstein < 10
