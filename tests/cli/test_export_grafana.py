"""``pytest-twin export --grafana``: what is printed, and the errors."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from grafana_server import TOKEN, grafana_server, hang, raw_server
from made_runs import MadeRun, busy_run

from pytest_twin.cli import main


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


@pytest.fixture
def run_folder(tmp_path):
    return busy_run(tmp_path / "run").write()


def export(*words):
    done = CliRunner().invoke(main, ["export", *map(str, words)])
    assert TOKEN not in done.output
    assert "hunter2" not in done.output
    return done.exit_code, done.output


def test_it_posts_a_run_and_prints_how_many(run_folder, token_file):
    with grafana_server() as grafana:
        words = (run_folder, "--grafana", grafana.url, "--token-file", token_file)
        assert export(*words) == (0, f"{grafana.url}: posted 4 annotations\n")
        assert export(*words) == (0, f"{grafana.url}: posted 0 annotations (4 were there already)\n")
        assert len(grafana.kept) == 4


def test_a_format_may_be_written_by_the_same_command(run_folder, token_file):
    with grafana_server() as grafana:
        words = (run_folder, "--format", "csv-long", "--grafana", grafana.url, "--token-file", token_file)
        status, output = export(*words)
    assert status == 0
    assert output.splitlines()[1] == f"{grafana.url}: posted 4 annotations"
    assert len(list((run_folder / "export").iterdir())) == 1


def test_a_run_in_which_nothing_happened_asks_nobody(tmp_path, token_file):
    run = MadeRun(tmp_path / "run").sampled(1).write()
    with grafana_server() as grafana:
        done = export(run, "--grafana", grafana.url, "--token-file", token_file)
        assert done == (0, f"{run}: no loads, constraints, phases, notes or failed tests to post\n")
        assert grafana.asked == []


def test_a_refusal_is_one_line_and_status_1(run_folder, token_file):
    with grafana_server() as grafana:
        grafana.status = 403
        done = export(run_folder, "--grafana", grafana.url, "--token-file", token_file)
        text = "HTTP status 403: the token has no permission; give its service account the role Editor"
        assert done == (1, f"Error: {grafana.url}: {text}\n")


def test_a_server_that_hangs_is_one_line(run_folder, token_file):
    with raw_server(hang) as url:
        done = export(run_folder, "--grafana", url, "--token-file", token_file)
    assert done == (1, f"Error: {url}: does not answer; gave up after 2 s\n")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "nothing to do; give --format, --otlp or --grafana"),
        (("-o", "x"), "nothing to do; give --format, --otlp or --grafana"),
        (("--token-file", "token"), "nothing to do; give --format, --otlp or --grafana"),
        (("--format", "influx", "--token-file", "token"), "--token-file: there is no --grafana to use it for"),
        (("--grafana", "http://host"), "--grafana: needs a token; give the file that it is in with --token-file"),
        (("--grafana", "http://host", "-o", "x"), "--output: there is no --format to write"),
        (
            ("--grafana", "ftp://host", "--token-file", "token"),
            "--grafana: unknown scheme 'ftp'; write http:// or https://, as in https://grafana.example.com",
        ),
        (
            ("--grafana", "https://admin:hunter2@host", "--token-file", "token"),
            "--grafana: has a user name or a password; remove it, and give a token with --token-file",
        ),
        (("--grafana", "http://host", "--token-file", "none"), "--token-file: none: No such file or directory"),
    ],
)
def test_bad_input_is_one_line(words, text, tmp_path, monkeypatch, token_file):
    monkeypatch.chdir(tmp_path)
    status, output = export(*words)
    assert (status, output.partition("\n\n")[2]) == (2, f"Error: {text}\n")


def test_a_folder_without_a_run_is_told(tmp_path, token_file):
    done = export(tmp_path, "--grafana", "http://host", "--token-file", token_file)
    files = "system_metrics_dataset.csv, annotations.csv or tests.csv"
    assert done == (1, f"Error: {tmp_path} has no {files}; give the folder of a run\n")
