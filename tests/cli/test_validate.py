"""``pytest-twin validate``, as typed."""

from __future__ import annotations

import importlib.util
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from made_recordings import server
from made_runs import stamp

from pytest_twin.analysis.prediction.measured_overload import FULL
from pytest_twin.cli import main
from pytest_twin.model.machine_calibration import MachineCalibration
from pytest_twin.run_folder.layout import DATASET
from pytest_twin.telemetry import calibration

pytest.importorskip("scipy")


def write(path, factor=1.0, **columns):
    """Write the recording of a server as a dataset with some of the legacy columns."""
    frame = server(300).frame
    given = {"cpu_percent": 100 * factor * frame["cpu"], "ram_used_percent": 100 * frame["mem"], **columns}
    rows = [f"timestamp,{','.join(given)}"]
    for place, cells in enumerate(zip(*(np.broadcast_to(each, 300) for each in given.values()), strict=True)):
        rows.append(",".join([stamp(place), *(f"{cell:.6f}" for cell in cells)]))
    path.write_text("\n".join(rows) + "\n")


@pytest.fixture
def twin(tmp_path, monkeypatch):
    """Runs ``pytest-twin validate`` in a folder with a recording, a faithful run and a scaled one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "1000")
    write(tmp_path / "server.csv")
    write(tmp_path / "scaled.csv", 0.9)

    def run(*words, status=0):
        done = CliRunner().invoke(main, ["validate", *words])
        assert done.exit_code == status, done.output
        return done.output

    return run


def test_a_recording_passes_by_itself_with_0(twin):
    assert "server.csv as a replay of server.csv: passed\n" in twin("server.csv", "server.csv")


def test_a_gate_that_failed_ends_with_1(twin):
    text = twin("server.csv", "scaled.csv", status=1)
    assert "cpu: mean bias (NMBE) -10 %, the limit is ±5 %: the run is scaled or offset" in text


def test_each_limit_is_an_option_and_a_key_of_pyproject(twin, tmp_path):
    assert "passed" in twin("server.csv", "scaled.csv", "--max-bias", "15", "--max-peak-error", "12")
    settings = tmp_path / "pyproject.toml"
    settings.write_text("[tool.pytest-twin.gates]\nmax_bias = 15\nmax_peak_error = 12\n")
    assert "passed" in twin("server.csv", "scaled.csv")
    twin("server.csv", "scaled.csv", "--max-bias", "5", status=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.pytest-twin.gates]\nmax_bais = 1\n", '[tool.pytest-twin.gates]: unknown gate "max_bais"; did you mean'),
        ("[tool.pytest-twin.gates]\nmax_bias = 'a'\n", "[tool.pytest-twin.gates]: max_bias: 'a' is not a number of at"),
        ("[tool.pytest-twin]\ngates = 3\n", "[tool.pytest-twin]: gates is not a table; write [tool.pytest-twin.gates]"),
    ],
)
def test_a_bad_configuration_is_told_in_one_line(twin, tmp_path, text, message):
    (tmp_path / "pyproject.toml").write_text(text)
    assert f"Error: pyproject.toml: {message}" in twin("server.csv", "server.csv", status=2)


def test_a_bad_limit_is_an_error_of_its_option(twin):
    assert "Invalid value for '--min-coverage'" in twin("server.csv", "server.csv", "--min-coverage", "95", status=2)


def test_what_cannot_be_judged_ends_with_2(twin, tmp_path):
    text = twin("server.csv", "server.csv", "--resource", "net_sent", status=2)
    assert text.endswith("Error: no resource can be judged; see above\n")
    assert "Error: " in twin("server.csv", "nowhere.csv", status=2)
    (tmp_path / "text.csv").write_text("no recording\n")
    assert "Traceback" not in twin("text.csv", "server.csv", status=2)


def test_scipy_that_is_missing_is_told_in_one_line(twin, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "pytest_twin.report.fidelity.build.find_spec", lambda name: None if name == "scipy" else found(name)
    )
    text = twin("server.csv", "server.csv", status=2)
    assert text == "Error: validate needs scipy; pip install 'pytest-twin[twin]'\n"


def test_the_document_goes_to_standard_output_or_to_a_file(twin, tmp_path):
    printed = json.loads(twin("server.csv", "server.csv", "--json", "-"))
    assert printed["verdict"] == "passed"
    assert set(printed["resources"]) == {"cpu", "mem"}
    twin("server.csv", "server.csv", "--json", "card.json", "--html", "card.html")
    assert json.loads((tmp_path / "card.json").read_text()) == printed
    assert (tmp_path / "card.html").read_text().startswith("<!doctype html>")


def test_only_the_chosen_resources_are_judged(twin):
    printed = json.loads(twin("server.csv", "scaled.csv", "--resource", "mem", "--event", "5s", "--json", "-"))
    assert set(printed["resources"]) == {"mem"}
    assert printed["resources"]["mem"]["event_s"] == 5


def test_a_run_is_compared_with_the_part_that_it_replays(twin, tmp_path):
    rows = (tmp_path / "server.csv").read_text().splitlines(keepends=True)
    (tmp_path / "part.csv").write_text("".join([rows[0], *rows[101:201]]))
    assert "the recording lasts 1:40 min" in twin("server.csv", "part.csv", "--window", "from=100s to=200s")
    twin("server.csv", "part.csv", "--window", "to=100s", status=1)
    said = "server.csv: busiest: 3600 s are more than the recording has, which lasts 300 s"
    assert twin("server.csv", "part.csv", "--window", "busiest=1h", status=2) == f"Error: {said}\n"


def test_a_scaled_replay_is_judged_by_the_scaled_recording(twin):
    assert "passed" in twin("server.csv", "scaled.csv", "--scale", "cpu*0.9")
    twin("server.csv", "server.csv", "--scale", "cpu*0.9", status=1)


def test_a_demand_above_the_machine_is_judged_by_all_of_it(twin, tmp_path):
    cpu = np.minimum(100.0, 150 * server(300).frame["cpu"])
    assert cpu.max() == 100.0
    write(tmp_path / "busier.csv", cpu_percent=cpu)
    assert "passed" in twin("server.csv", "busier.csv", "--scale", "cpu*1.5")


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        ("cpu*0", "Invalid value for '--scale': 'cpu*0': '0' is not a factor above 0 and up to 1000"),
        ("disk*2", "server.csv: scale: the recording has no values of disk_read or disk_write"),
    ],
)
def test_a_scale_that_cannot_be_applied_is_told_in_one_line(twin, scale, message):
    assert twin("server.csv", "server.csv", "--scale", scale, status=2).splitlines()[-1] == f"Error: {message}"


def test_what_was_ambiguous_in_a_recording_is_a_note(twin, tmp_path):
    write(tmp_path / "over.csv", 4)
    text = twin("over.csv", "over.csv")
    assert text.count("note: over.csv: row ") == 1
    assert "cpu_percent is above 100 %; it is read as 100 % (" in text


@pytest.mark.parametrize("words", [["jumped.csv", "server.csv"], ["server.csv", "jumped.csv"]])
def test_a_clock_that_jumps_is_told_in_one_line(twin, tmp_path, words):
    """Instead of years of intervals without values."""
    lines = (tmp_path / "server.csv").read_text().splitlines()
    later = [line.replace("2026", "2028") for line in lines[100:]]
    assert later[0] != lines[100]
    (tmp_path / "jumped.csv").write_text("\n".join([*lines[:100], *later]) + "\n")
    text = twin(*words, status=2)
    assert re.fullmatch(
        r"Error: jumped\.csv: row 101: no row for \d+ s before it, and less than 10 % of its \S+ has rows; "
        r"keep the rows before or after the gap\n",
        text,
    )


@pytest.mark.parametrize("event", [{"replay": "../sent.csv"}, {"net": "1MB/s"}])
def test_a_schedule_sends_over_the_loopback_interface(twin, tmp_path, event):
    """Which is what the run has sent then; it receives nothing over a network."""
    sent = 2 + np.sin(np.arange(300) / 5)
    write(tmp_path / "sent.csv", net_sent_MB=sent, net_recv_MB=sent)
    (tmp_path / "run").mkdir()
    write(tmp_path / "run" / DATASET, net_sent_MB=0, net_recv_MB=0, net_loopback_MB=sent)
    assert "net_sent: skill -" in twin("sent.csv", "run", status=1)
    (tmp_path / "run" / "schedule.json").write_text(json.dumps({"events": [event]}))
    text = twin("sent.csv", "run")
    assert "run as a replay of sent.csv: passed\n" in text
    assert "  net_received: a schedule does not receive over a network\n" in text
    found = json.loads(twin("sent.csv", "run", "--json", "-"))["resources"]
    assert [found[name]["verdict"] for name in ("net_sent", "net_received")] == ["passed", "not judged"]
    assert "net_loopback" not in found


@pytest.mark.parametrize("schedule", [{"events": [{"cpu": 1}, 5]}, {"events": 3}, []])
def test_without_such_a_schedule_the_loopback_interface_does_not_count(twin, tmp_path, schedule):
    sent = 2 + np.sin(np.arange(300) / 5)
    (tmp_path / "run").mkdir()
    write(tmp_path / "run" / DATASET, net_sent_MB=sent, net_recv_MB=sent, net_loopback_MB=5 * sent)
    (tmp_path / "run" / "schedule.json").write_text(json.dumps(schedule))
    assert json.loads(twin("run", "run", "--json", "-"))["resources"]["net_received"]["verdict"] == "passed"


def test_the_overload_that_was_predicted_is_told_beside_that_of_the_run(twin, tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "cache_folder", lambda: tmp_path / "cache")
    calibration.keep_calibration(MachineCalibration((0.0, 0.99, 1.0), (0.2, 0.2, 0.2), None))
    busy = 1.5 * server(300).frame["cpu"].to_numpy()
    (tmp_path / "run").mkdir()
    write(tmp_path / "run" / DATASET, cpu_percent=100 * np.minimum(busy, 1), pressure_cpu_percent=np.full(300, 30.0),
          elapsed_s=np.arange(1, 301))  # fmt: skip
    share = f"{100 * np.mean(busy > 1):.1f} %"
    said = (
        f"note: cpu*1.5: demand above all CPUs for {share} of the time predicted, no CPU time left for "
        f"{100 * np.mean(busy >= FULL):.1f} % in the run; CPU pressure 20.0 % predicted, 30.0 % in the run\n"
    )
    assert said in twin("server.csv", "run", "--scale", "cpu*1.5")
    unknown = "no CPU time left for an unknown share in the run"
    assert unknown in twin("server.csv", "scaled.csv", "--scale", "cpu*0.9")
    assert "CPU pressure" not in twin("server.csv", "scaled.csv", "--scale", "mem*1", status=1)


def write_replay(folder, of_others):
    """Write the run folder of a faithful replay; a share of its CPU usage, 32 % on average, is not the load's."""
    folder.mkdir()
    write(folder / DATASET, stress_cpu_percent=(1 - of_others) * 100 * server(300).frame["cpu"])


def test_programs_beside_a_run_are_a_note_in_each_output(twin, tmp_path):
    write_replay(tmp_path / "run", 0.5)
    note = "run: other programs used 16 % of the CPUs, which changes the result; replay while nothing else runs"
    text = twin("server.csv", "run", "--json", "card.json", "--html", "card.html")
    assert f"note: {note}\n" in text
    assert json.loads((tmp_path / "card.json").read_text())["remarks"] == [note]
    assert note in (tmp_path / "card.html").read_text()


@pytest.mark.parametrize("of_others", [0.1, 1])  # the latter without any load, so it is no replay
def test_a_quiet_machine_and_a_run_without_loads_have_no_note(twin, tmp_path, of_others):
    write_replay(tmp_path / "run", of_others)
    assert "other programs" not in twin("server.csv", "run")
