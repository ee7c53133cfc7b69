"""The command line, as typed."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner
from load_rows import KEPT_FROM_THE_CPUS, loads_that

import pytest_twin
from pytest_twin.cli import main, record
from pytest_twin.cli._options import finish
from pytest_twin.cli.check import _quiet_lines
from pytest_twin.loads.validation import read_load
from pytest_twin.model.clock import Clock
from pytest_twin.recording import recording
from pytest_twin.recording.continuation import continue_clock
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.telemetry.cpu_usage import BusyProcess
from pytest_twin.telemetry.sampler import SamplerStats

COMMAND = [sys.executable, "-m", "pytest_twin"]


@pytest.fixture
def twin(tmp_path, monkeypatch):
    """Runs ``pytest-twin`` in an empty folder, where lines may be long."""
    monkeypatch.setenv("COLUMNS", "1000")

    def run(*words, status=0):
        done = subprocess.run([*COMMAND, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == status or is_starved(done), done.stdout + done.stderr
        return done.stdout if status == 0 else done.stderr

    return run


def is_starved(done) -> bool:
    """Whether a command has failed for nothing but loads that others kept from the CPUs."""
    last = done.stderr.splitlines()[-1:]
    return done.returncode == 1 and any(reason.strip('"') in line for line in last for reason in KEPT_FROM_THE_CPUS)


@pytest.fixture
def recorded(tmp_path, eventually):
    """Records until a condition holds."""

    def run(condition, *words):
        process = subprocess.Popen([*COMMAND, "record", *words], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        eventually(lambda: condition() or process.poll() is not None, within=60)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        return said

    return run


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def ended(path):
    """The ids of the loads that have ended."""
    return {row["id"] for row in loads_that("end", rows(path / "twin-report" / "annotations.csv"))}


@pytest.mark.slow
def test_help_lists_the_commands(twin):
    text = twin("--help")
    for command in ("check", "constrain", "fingerprint", "merge", "record", "run", "schedule", "stress", "watch"):
        assert f"\n  {command} " in text
        assert "Usage: " in twin(command, "--help")


def help_at_80_columns(*words):
    run = CliRunner().invoke(main, [*words, "--help"], terminal_width=80)
    assert run.exit_code == 0, run.output
    return run.output


def test_the_help_describes_every_command_in_a_whole_sentence_on_one_line():
    text = help_at_80_columns()
    assert max(map(len, text.splitlines())) <= 80
    _, _, commands = text.partition("\nCommands:\n")
    sentences = dict(re.findall(r"^  (\S+) +(.+)$", commands, re.MULTILINE))
    assert list(sentences) == main.list_commands(click.Context(main))
    for command, sentence in sentences.items():
        assert re.match(r"[A-Z][^.]", sentence), command
        assert sentence.endswith("."), command


@pytest.mark.parametrize("command", [(), *((each,) for each in main.list_commands(click.Context(main)))])
def test_no_line_of_a_help_is_cut(command):
    text = help_at_80_columns(*command)
    assert [line for line in text.splitlines() if line.endswith(("...", "\u2026")) and "Usage: " not in line] == []
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("command", main.list_commands(click.Context(main)))
def test_every_option_of_a_command_has_a_help(command):
    options = main.get_command(click.Context(main), command).params
    assert [each.name for each in options if isinstance(each, click.Option) and not each.help] == []


def test_help_tells_only_defaults_that_there_are(twin):
    text = "".join(twin("stress", "--help").split())  # lines may also be wrapped behind a hyphen
    assert "directoryoftherun'sfiles(default:twin-report)" in text
    assert "--limit" in text
    assert "None" not in text


def test_check_shows_the_machine_and_what_it_lacks(twin, monkeypatch):
    monkeypatch.delenv("COLUMNS")
    text = twin("check", "--seconds", "0.2")
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert re.match(r"usable: [\d.]+ CPUs, [\d.]+ of [\d.]+ GiB of memory free, [\d.]+ of [\d.]+ GiB", lines[0])
    assert re.search(r"^quiet enough to measure: (yes|no), \d+ % of the CPUs are in use", text, re.MULTILINE)
    assert "not available here" in text or "all metrics are available here" in text
    assert lines[-1] == "all metrics with their values: pytest-twin check -v"
    for resource in ("cpu", "cpus", "mem", "io"):
        assert re.search(rf"^constrain {resource}: (by \w|not possible here \()", text, re.MULTILINE)


def test_check_shows_all_metrics_where_more_is_asked_for(twin):
    text = twin("check", "--seconds", "0.2", "-v")
    assert re.search(r"^cpu_percent +[\d.]+ % ", text, re.MULTILINE)
    assert "check -v" not in text


def test_check_tells_who_keeps_the_machine_busy():
    busy = [BusyProcess(7, "cc1", 1.5), BusyProcess(9, "ld", 0.25)]
    assert list(_quiet_lines({"cpu_percent": 88.0, "cpu_steal_percent": 3.0}, busy)) == [
        "quiet enough to measure: no, 88 % of the CPUs are in use, and the host of this virtual machine took 3 %",
        "    busy: cc1 (process 7), 1.50 CPUs",
        "    busy: ld (process 9), 0.25 CPUs",
    ]
    assert list(_quiet_lines({"cpu_percent": 88.0}, []))[1:] == ["    busy: no process that can be seen from here"]
    assert list(_quiet_lines({"cpu_percent": 4.0}, busy)) == [
        "quiet enough to measure: yes, 4 % of the CPUs are in use"
    ]
    assert list(_quiet_lines({}, busy)) == [
        "quiet enough to measure: unknown, since the usage of the CPUs cannot be read"
    ]


def test_check_tells_what_only_a_scope_of_systemd_can_enforce(monkeypatch):
    from pytest_twin.cli import check

    monkeypatch.setattr(
        check,
        "find_backends",
        lambda: {"mem": {"control group": "no", "stop signals": ""}, "io": {"control group": "no"}},
    )
    in_scope = {"mem": {"control group": ""}, "io": {"control group": ""}}
    monkeypatch.setattr(check, "_find_backends_in_scope", lambda: in_scope)
    by_command = "by systemd with --twin-constrain or `pytest-twin constrain`"
    assert list(check._constraint_lines()) == [
        f"constrain mem: {by_command}; by stop signals with a mark",
        f"constrain io: {by_command}; not with a mark",
    ]


def test_record_writes_a_row_an_interval(twin, tmp_path):
    text = twin("record", "--interval", "0.1", "--duration", "1s")
    samples = rows(tmp_path / "twin-report" / "system_metrics_dataset.csv")
    count, missed = map(int, re.search(r"^(\d+) samples?(?:, (\d+) missed)?$", text, re.MULTILINE).groups(default="0"))
    assert count == len(samples)
    times = [float(row["elapsed_s"]) for row in samples]
    assert times[-1] > 0.9
    due = (times[-2] - times[0]) / 0.1 if count > 1 else 0.0  # the last one comes when it ends
    assert due - 1.1 < count - 2 + missed
    assert count - 2 < due + 1.1  # one that is late comes near to the next
    assert samples[0]["tests_cpu_percent"] == ""
    assert re.search(r"^ +mean +p95 +peak\nCPU( +\d+\.\d %){3}$", text, re.MULTILINE)
    assert text.splitlines()[-1] == "run tests as beside it:     pytest --twin-like=twin-report"


def test_a_recording_that_is_too_short_for_figures_says_so(twin):
    text = twin("record", "--interval", "30", "--duration", "0.1s")
    assert text.splitlines()[-1] == "no figures: twin-report: has fewer than two rows"


@pytest.fixture
def settings_of_record(monkeypatch):
    """What the command would record with."""
    given = []

    def open_recording(settings, **_):
        given.append(settings)
        raise click.Abort

    monkeypatch.setattr(record, "open_recording", open_recording)

    def settings(*words):
        CliRunner().invoke(main, ["record", *words])
        return given.pop()

    return settings


def test_record_samples_as_often_as_its_help_says(settings_of_record, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = re.search(r"between two samples \(default: ([\d.]+)\)", " ".join(help_at_80_columns("record").split()))
    assert said is not None
    assert settings_of_record().interval == float(said[1])


def test_record_has_a_column_for_each_cpu_where_it_is_asked_to(twin, tmp_path):
    twin("record", "--interval", "0.1", "--duration", "300ms", "--per-core")
    header = (tmp_path / "twin-report/system_metrics_dataset.csv").read_text().partition("\n")[0]
    assert "cpu0_percent" in header.split(",")


def test_record_does_not_append_rows_of_other_columns(twin, tmp_path):
    twin("record", "--interval", "0.1", "--duration", "300ms")
    before = (tmp_path / "twin-report/system_metrics_dataset.csv").read_bytes()
    said = twin("record", "--duration", "300ms", "--append", "--per-core", status=1)
    assert "system_metrics_dataset.csv" in said
    assert "has different columns; choose another directory" in said
    assert len(said.splitlines()) == 1
    assert (tmp_path / "twin-report/system_metrics_dataset.csv").read_bytes() == before


def test_record_appends_where_it_is_asked_to(twin, tmp_path):
    twin("record", "--interval", "0.1", "--duration", "300ms")
    before = rows(tmp_path / "twin-report" / "system_metrics_dataset.csv")
    twin("record", "--interval", "0.1", "--duration", "300ms", "--append")
    after = rows(tmp_path / "twin-report" / "system_metrics_dataset.csv")
    assert after[: len(before)] == before
    assert len(after) > len(before)
    assert {row["timestamp"] for row in after} >= {row["timestamp"] for row in before}


@pytest.mark.parametrize(
    "form",
    [(), *(pytest.param(form, marks=pytest.mark.slow) for form in (("--gzip",), ("--rotate", "4kB"), ("--parquet",)))],
)
def test_the_seconds_of_a_recording_go_on_where_it_is_appended_to(twin, tmp_path, form):
    if "--parquet" in form:
        pytest.importorskip("pyarrow")
    for more in ((), ("--append",), ("--append",)):
        twin("record", "--interval", "0.05", "--duration", "300ms", *form, *more)
        time.sleep(0.5)
    samples = pytest_twin.load(tmp_path / "twin-report").samples
    elapsed, calendar = samples["elapsed_s"], samples.index.to_series().diff().dt.total_seconds()
    assert elapsed.is_monotonic_increasing
    assert elapsed.is_unique
    assert (elapsed.diff() - calendar).abs().max() < 0.01
    assert (elapsed.diff() > 0.5).sum() >= 2


def test_the_seconds_go_on_also_where_the_calendar_was_put_back(tmp_path):
    (tmp_path / "system_metrics_dataset.csv").write_text(
        "timestamp,elapsed_s\n2999-01-01T00:00:00.000Z,700.0\n2999-01-01T00:00:01.000Z,70", encoding="ascii"
    )
    (tmp_path / "annotations.csv").write_text("timestamp,elapsed_s\n1999-01-01T00:00:00Z,inf\n", encoding="ascii")
    clock = continue_clock(Clock(50.0, 1_000.0), RunFolder(tmp_path))
    assert (clock.elapsed(51.0), clock.stamp(clock.elapsed(51.0))) == (701.0, "1970-01-01T00:16:41.000Z")


def test_a_run_that_waits_for_a_cpu_between_its_first_looks_at_two_clocks_looks_again(monkeypatch):
    at, waits = [50.0], iter([0.0, 3.0])  # before each look

    def now():
        at[0] += next(waits, 0.0)
        return at[0]

    monkeypatch.setattr(recording, "monotonic", now)
    monkeypatch.setattr(recording.time, "time", lambda: 1_000 + now())
    clock = recording.new_clock()
    assert clock.epoch - clock.began == 1_000


def test_a_recording_behind_nothing_begins_at_0(tmp_path):
    clock = Clock(50.0, 1_000.0)
    assert continue_clock(clock, RunFolder(tmp_path)) is clock


@pytest.mark.slow
def test_a_long_record_is_written_in_pieces_which_can_be_compressed(recorded, tmp_path):
    def has_a_new_piece():
        return list((tmp_path / "twin-report").glob("system_metrics_dataset.0*.csv"))

    for more in ((), ("--append",)):
        text = recorded(has_a_new_piece, "--interval", "0.02", "--rotate", "4kB", "--gzip", *more)
    samples = pytest_twin.load(tmp_path / "twin-report").samples
    assert samples.index.is_unique
    assert len(samples) > int(text.split()[0])
    assert len(list((tmp_path / "twin-report").glob("system_metrics_dataset.0*.csv.gz"))) >= 2
    assert list((tmp_path / "twin-report").glob("system_metrics_dataset*.csv")) == []


@pytest.mark.slow
def test_a_record_can_become_parquet(twin, tmp_path):
    pytest.importorskip("pyarrow")
    twin("record", "--interval", "0.05", "--duration", "500ms", "--rotate", "1kB", "--parquet")
    [path] = (tmp_path / "twin-report").glob("system_metrics_dataset*")
    assert path.name == "system_metrics_dataset.parquet"
    assert len(pytest_twin.load(tmp_path / "twin-report").samples) >= 1


def test_parquet_without_pyarrow_is_refused_before_anything_is_recorded(tmp_path):
    hide = "from importlib import util; util.find_spec = lambda name, *_: None"
    program = f"import click; {hide}; from pytest_twin.cli import record; record.command(['--parquet'])"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "Error: --parquet needs pyarrow; pip install 'pytest-twin[parquet]'"
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_record_ends_cleanly_on_a_signal(tmp_path, eventually, number):
    run = subprocess.Popen([*COMMAND, "record", "--interval", "0.05"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    dataset = tmp_path / "twin-report" / "system_metrics_dataset.csv"
    eventually(lambda: dataset.exists() and len(rows(dataset)) > 3)
    run.send_signal(number)
    out, _ = run.communicate(timeout=60)
    assert run.returncode == 0
    assert "samples" in out
    assert dataset.read_text().endswith("\n")


def test_a_schedule_is_the_same_for_the_same_seed(twin, tmp_path):
    words = ("schedule", "--hours", "18", "--events", "66")
    twin(*words, "--seed", "42", "-o", "a.json")
    assert (tmp_path / "a.json").read_text() == twin(*words, "--seed", "42")
    assert (tmp_path / "a.json").read_text() != twin(*words, "--seed", "43")
    document = json.loads((tmp_path / "a.json").read_text())
    assert len(document["events"]) == 66
    assert document["seed"] == 42


def test_a_drawn_schedule_heeds_its_options(twin):
    text = twin("schedule", "--hours", "1", "--events", "30", "--no-overlap", "--weight", "disk=0", "--weight", "mem=0",
                "--intensity", "cpu=10%,2", "--shortest", "10s", "--longest", "20s")  # fmt: skip
    events = json.loads(text)["events"]
    assert {event["cpu"] for event in events} == {"10%", "2"}
    spans = [(float(event["start"][:-1]), float(event["duration"][:-1])) for event in events]
    assert all(10 <= lasts <= 20 for _, lasts in spans)
    assert all(start + lasts <= later for (start, lasts), (later, _) in pairwise(spans))


def test_run_plays_a_schedule_and_records(twin, tmp_path):
    events = [
        {"id": "a", "duration": "30s", "threads": 5},
        {"id": "b", "start": "10s", "duration": "30s", "mem": "5MiB"},
    ]
    (tmp_path / "plan.json").write_text(json.dumps({"events": events}))
    text = twin("run", "plan.json", "--speed", "60", "--interval", "0.05")
    assert "mem=5MiB " in text
    assert ended(tmp_path) == {"a", "b"}
    assert (tmp_path / "twin-report" / "schedule.json").exists()


def test_the_schedule_of_a_run_finds_its_recording_and_has_its_speed(twin, tmp_path):
    """So that it can be played again, and its report finds what it replays."""
    (tmp_path / "server.csv").write_text("elapsed_s,cpu_percent\n" + "".join(f"{at},5\n" for at in range(1, 9)))
    (tmp_path / "plan.json").write_text(json.dumps({"events": [{"replay": "server.csv"}]}))
    twin("run", "plan.json", "--speed", "8", "--interval", "0.05", "--report-dir", "out/replayed")
    written = json.loads((tmp_path / "out/replayed/schedule.json").read_text())["events"][0]
    assert (written["replay"], written["speed"], written["duration"]) == (str(Path("../../server.csv")), 8, "1s")
    assert "replay=../../server.csv" in twin("run", "out/replayed/schedule.json", "--dry-run").replace("\\", "/")


def test_an_event_for_certain_tests_leaves_no_gap_in_a_series(twin, tmp_path):
    events = [
        {"id": "a", "duration": "5s", "cpu": 1, "tests": "db/*"},
        {"id": "b", "start": 1, "duration": 1, "mem": 5},
    ]
    (tmp_path / "plan.json").write_text(json.dumps({"events": events}))
    text = twin("run", "plan.json", "--mode", "series", "--dry-run")
    assert text.splitlines() == ["     0.000 s +1.000 s  mem=5  [b]"]


def test_run_can_play_in_series(twin, tmp_path):
    events = [{"id": "a", "duration": "300ms", "cpu": 1}, {"id": "b", "duration": "300ms", "mem": 5}]
    (tmp_path / "plan.json").write_text(json.dumps({"events": events}))
    text = twin("run", "plan.json", "--mode", "series", "--dry-run")
    assert text.splitlines() == ["     0.000 s +0.300 s  cpu=1  [a]", "     0.300 s +0.300 s  mem=5  [b]"]
    assert not (tmp_path / "twin-report").exists()


def test_run_tells_how_a_recording_was_read_and_the_most_that_it_asks_for(twin, tmp_path):
    (tmp_path / "prod.csv").write_text("elapsed_s,disk_write_MB\n0,81000\n0.1,81001\n0.2,81001.5\n")
    (tmp_path / "plan.json").write_text('{"events": [{"replay": "prod.csv"}]}')
    dry = twin("run", "plan.json", "--dry-run")
    assert dry.splitlines() == ["     0.000 s +0.300 s  replay=prod.csv speed=1.0 (at most disk=10.49MB/s)  [e1]"]
    done = subprocess.run([*COMMAND, "run", "plan.json"], cwd=tmp_path, capture_output=True, text=True, check=False)
    remark = "disk_write_MB is a running total (81000 to 81001.5): its growth is read"
    assert done.stderr.splitlines()[0] == f"note: plan.json: prod.csv: {remark}"
    assert json.loads((tmp_path / "twin-report/schedule.json").read_text())["events"][0]["note"] == remark


def test_run_plays_a_recording_or_a_part_of_it_and_says_how_much(tmp_path):
    (tmp_path / "prod").mkdir()
    (tmp_path / "prod" / "system_metrics_dataset.csv").write_text("elapsed_s,disk_write_MB\n1,2\n2,2\n3,2\n")

    def run(*words):
        done = subprocess.run([*COMMAND, "run", *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stderr.splitlines()[0], done.stdout

    said, planned = run("prod", "--dry-run")
    assert said == "note: prod: all of it is played, 3 s"
    assert planned.startswith("     0.000 s +3.000 s  replay=prod")
    said, _ = run("prod", "--window", "from=1s to=1.5s")
    assert said == "note: prod: 0.5 s of 3 s are played (16.7 %), from 1 s after its start"
    (event,) = json.loads((tmp_path / "twin-report/schedule.json").read_text())["events"]
    assert event["from"], event["to"] == ("1s", "1.5s")
    assert ended(tmp_path) == {"e1"}


def test_the_first_sample_of_a_replay_covers_its_first_interval(tmp_path):
    (tmp_path / "prod.csv").write_text("elapsed_s,disk_write_MB\n0.5,1\n1,1\n")
    subprocess.run([*COMMAND, "run", "prod.csv", "--interval", "0.5"], cwd=tmp_path, capture_output=True, check=True)
    start = next(row for row in rows(tmp_path / "twin-report/annotations.csv") if row["event"] == "start")
    first = rows(tmp_path / "twin-report/system_metrics_dataset.csv")[0]
    late_s = float(first["elapsed_s"]) - 0.5 - float(start["elapsed_s"])
    assert -0.001 <= late_s < 0.5  # the sampler begins when the replay does, and not before


def test_stress_holds_one_load_and_reports_it(twin, tmp_path):
    text = twin("stress", "--cpu", "10%", "--mem", "20MiB", "--duration", "500ms", "--interval", "0.05")
    assert "cpu=10% " in text
    assert "20.0MiB" in text
    events = rows(tmp_path / "twin-report" / "annotations.csv")
    assert len(loads_that("end", events)) == 2


def test_stress_says_why_a_load_failed(twin):
    said = twin("stress", "--disk", "1MB/s", "--directory", "/no/such/place", "--duration", "1s", status=1)
    assert said.splitlines()[-1] == "disk=1MB/s: /no/such/place is not a directory"


@pytest.mark.parametrize("command", ["run", "stress"])
def test_an_amount_that_is_not_written_in_its_time_is_missed(twin, tmp_path, command):
    load = {"disk": "999TB", "pause": "10ms", "block": "64KiB"}
    (tmp_path / "plan.json").write_text(json.dumps({"events": [{"id": "a", "duration": "2s", **load}]}))
    options = [word for name, value in load.items() for word in (f"--{name}", value)]
    said = twin(command, *({"run": ["plan.json"], "stress": [*options, "--duration", "2s"]}[command]), status=1)
    assert re.search(r"^disk=999TB( \[a\])?: starved: achieved 0 % of the request \(", said, re.MULTILINE)


def test_run_says_which_loads_were_missed_and_goes_on_with_the_others(twin, tmp_path):
    events = [
        {"id": "a", "duration": "1s", "disk": "1MB/s", "directory": "/no/such/place"},
        {"id": "b", "duration": "300ms", "mem": "5MiB"},
    ]
    (tmp_path / "plan.json").write_text(json.dumps({"events": events}))
    said = twin("run", "plan.json", status=1)
    assert "disk=1MB/s [a]: /no/such/place is not a directory" in said.splitlines()
    assert ended(tmp_path) == {"b"}


@pytest.mark.parametrize("command", ["run", "stress"])
def test_why_a_load_was_missed_is_told_once(tmp_path, command):
    load = {"disk": "1MB/s", "directory": "/no/such/place"}
    (tmp_path / "plan.json").write_text(json.dumps({"events": [{"duration": "1s", **load}]}))
    words = {"run": ["plan.json"], "stress": [word for name, value in load.items() for word in (f"--{name}", value)]}
    typed = [*COMMAND, command, *words[command]]
    done = subprocess.run(typed, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (done.stdout + done.stderr).count("is not a directory") == 1
    assert re.search(r"^disk=1MB/s +1 +\d\.\d s  \(see above\)$", done.stdout, re.MULTILINE)


def test_less_than_was_asked_fails_what_is_strict(capsys, tmp_path):
    part = read_load({"mem": "40MiB"}).parts[0]
    less = SimpleNamespace(part=part, failure="", problem="stopped at 10 MiB")
    recording = SimpleNamespace(folder=RunFolder(tmp_path), sampler_stats=SamplerStats(), dropped=0)
    finish(recording, {"less": less})
    with pytest.raises(click.exceptions.Exit):
        finish(recording, {"strictly": SimpleNamespace(**{**vars(less), "part": replace(part, strict=True)})})
    assert capsys.readouterr().err == "strictly: stopped at 10 MiB\n"


def test_the_fingerprint_tells_no_names_unless_asked(twin):
    plain, named = json.loads(twin("fingerprint")), json.loads(twin("fingerprint", "--identify"))
    assert named.keys() - plain.keys() == {"host", "user"}
    assert plain["python"]["version"] == sys.version.split()[0]


def test_options_stand_in_pyproject_and_flags_win(settings_of_record, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest-twin]\ninterval = 0.5\nreport_dir = 'elsewhere'\n")
    assert settings_of_record().interval == 0.5
    settings = settings_of_record("--interval", "0.05")
    assert (settings.interval, settings.report_dir) == (0.05, Path("elsewhere"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["record", "--interval", "no"], "Error: --interval: 'no' is not a number above 0; write one such as 0.1"),
        (["record", "--duration", "soon"], "Error: Invalid value for '--duration': 'soon' is not a duration; *"),
        (["record", "--rotate", "much"], "Error: Invalid value for '--rotate': 'much' is not an amount; *"),
        (["record", "--rotate", "5"], "Error: Invalid value for '--rotate': '5' is not a size; write one such as *"),
        (["stress"], "Error: nothing to apply; give a load such as --cpu 75%"),
        (["stress", "--cpu", "150%"], 'Error: --cpu: "150%" is over 100%; give 0-100%'),
        (
            ["stress", "--mem", "900TiB", "--duration", "1s"],
            "Error: --mem: 921600.0GiB is more than this machine has (*",
        ),
        (["run", "none.json"], "Error: none.json: No such file or directory"),
        (["schedule", "--weight", "cpo=1"], 'Error: unknown kind "cpo"; did you mean "cpu"?'),
        (["schedule", "--intensity", "cpu=200%"], 'Error: --intensity cpu: "200%" is over 100%; give 0-100%'),
        (["schedule", "--hours", "nan"], "Error: Invalid value for '--hours': 'nan' is not a number"),
        (["schedule", "--hours", "inf"], "Error: Invalid value for '--hours': inf is not in the range *"),
        (["schedule", "--weight", "cpu=nan"], "Error: --weight: give numbers from 0 up, not all of them 0"),
        (["schedule", "--weight", "cpu=1e308", "--weight", "disk=1e308"], "Error: --weight: give numbers from 0 up, *"),
        (["schedule", "--seed", "9" * 30], "Error: Invalid value for '--seed': 9* is not in the range *"),
        (["check", "--seconds", "nan"], "Error: Invalid value for '--seconds': 'nan' is not a number"),
        (["record", "--interval", "nan"], "Error: --interval: 'nan' is not a number above 0; *"),
        (["run", "none.json", "--limit", "cpu=nan"], "Error: --limit: cpu: 'nan' is not an amount; *"),
        (["run", "none.json", "--limit", f"cpu={'9' * 5000}"], "Error: --limit: cpu: '999*"),
        (["run", "none.json", "--speed", "inf"], "Error: --speed: 'inf' is not a number above 0; *"),
        (
            ["run", "none.csv", "--window", "busy"],
            "Error: Invalid value for '--window': 'busy' is not a part of a rec*",
        ),
        (["run", "none.csv", "--window", "busy=1m"], 'Error: Invalid value for *: unknown keyword "busy"; known are *'),
        (
            ["run", "none.csv", "--window", "from=25:00"],
            "Error: Invalid value for '--window': from: '25:00' is not a *",
        ),
        pytest.param(
            ["report", "x" * 256],
            "Error: DIR: 'xxx* cannot be used: File name too long",
            marks=pytest.mark.skipif(sys.version_info >= (3, 14), reason="Path.exists says that it is not there"),
        ),
        (["nonsense"], 'Error: unknown command "nonsense"; known are baselines, calibrate, *'),
        (["reprot"], 'Error: unknown command "reprot"; did you mean "report"?'),
    ],
)
def test_a_mistake_is_told_in_one_line(twin, words, message):
    from fnmatch import fnmatchcase

    last = twin(*words, status=2).rstrip().splitlines()[-1]
    assert fnmatchcase(last, message.replace("[", "[[]")), last


def test_a_path_that_cannot_be_used_is_told_in_one_line(twin, tmp_path):
    (tmp_path / "empty").mkdir()
    said = twin("merge", "x" * 256, "empty", "-o", "all", status=1)
    assert said.count("\n") == 1
    # from Python 3.14 on, `Path.exists` takes such a path for one that is not there
    assert said.endswith(("...: File name too long\n", "; give the folder of a run\n"))


def test_an_interrupted_run_leaves_no_load(tmp_path, eventually):
    import psutil

    (tmp_path / "plan.json").write_text('{"events": [{"duration": "1h", "threads": 5}]}')
    run = subprocess.Popen([*COMMAND, "run", "plan.json"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    annotations = tmp_path / "twin-report" / "annotations.csv"
    eventually(lambda: annotations.exists() and len(rows(annotations)) == 1)
    children = psutil.Process(run.pid).children(recursive=True)
    time.sleep(0.2)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    assert run.returncode == 130
    assert psutil.wait_procs(children, timeout=60)[1] == []
    assert [row["event"] for row in rows(annotations)] == ["start", "end"]


def test_a_schedule_without_tests_skips_constraints(twin, tmp_path):
    plan = [{"duration": "1s", "threads": 2, "constrain": {"cpu": 0.5}}, {"duration": "1s", "constrain": "cpus=1"}]
    (tmp_path / "plan.json").write_text(json.dumps({"events": plan}))
    done = subprocess.run(
        [*COMMAND, "run", "plan.json", "--dry-run"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr == "note: constraints are skipped, because no test runs here\n"
    assert [line.split()[3:] for line in done.stdout.splitlines()] == [["s", "threads=2", "[e1]"]]
