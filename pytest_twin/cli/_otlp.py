"""Send a run to an OpenTelemetry collector, or write it into a file as OTLP JSON."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pytest_twin._system.child_process import ProcessContext
from pytest_twin._system.private_files import new_file
from pytest_twin.export.otlp.client import OtlpProcess
from pytest_twin.export.otlp.config import OtlpConfig, OtlpError, check_requirements, read_config
from pytest_twin.export.otlp.outcome import WARNING, outcome_line
from pytest_twin.export.otlp_json import BEGINNING, lines_of_run
from pytest_twin.report.formats import ReportError, refuse_to_replace
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS, TESTS
from pytest_twin.run_folder.recovery import recover
from pytest_twin.settings.parsers import DEFAULT_COLLECTOR, ENVIRONMENT

GRACE_S = 5.0  # for what is done before each message


def export_otlp(path: Path, target: str, *, per_test: bool, traceparent: str | None) -> None:
    """Export a run, and print a line about it.

    Args:
        path: The run folder.
        target: The URL of a collector, a file, or `ENVIRONMENT` for the collector that the environment names.
        per_test: Whether each test has a trace of its own.
        traceparent: The parent of the session; None is that of the environment.

    Raises:
        click.ClickException: It cannot be exported.
    """
    try:
        check_requirements()
        is_file = target != ENVIRONMENT and ":/" not in target
        url = DEFAULT_COLLECTOR if is_file else None if target == ENVIRONMENT else target
        config = read_config(os.environ, url, per_test=per_test, traceparent=traceparent)
        _check_run(path)
        if is_file:
            _write(path, config, Path(target))
        else:
            _send(path, config)
    except (OtlpError, ReportError) as error:
        raise click.ClickException(f"--otlp: {error}") from None


def _check_run(path: Path) -> None:
    """Check that there is a run, and complete the files of one that was killed.

    Raises:
        OtlpError: There is none.
    """
    folder = RunFolder(path)
    if folder.is_incomplete:
        recover(folder)
    if not any((folder / name).is_file() for name in (ANNOTATIONS, TESTS)):
        raise OtlpError(f"{path} has no {ANNOTATIONS} or {TESTS}; give the folder of a run")


def _write(path: Path, config: OtlpConfig, target: Path) -> None:
    refuse_to_replace(target, BEGINNING)
    try:
        with new_file(target) as file:
            file.writelines(line.encode("utf-8", "backslashreplace") for line in lines_of_run(path, config))
    except OSError as error:
        raise OtlpError(f"{target}: {error.strerror}") from None
    click.echo(str(target))


def _send(path: Path, config: OtlpConfig) -> None:
    """Send a run: by the same process as pytest does, which can be ended whatever the other side does.

    Raises:
        click.exceptions.Exit: Not all of it was taken.
    """
    if config.disabled:
        click.echo(outcome_line(config, {}))
        return
    process = OtlpProcess(config, ProcessContext())
    process.export(path.absolute())
    longest_s = max((signal.timeout_s for signal in config.signals.values()), default=0.0)
    line = outcome_line(config, process.wait(longest_s + GRACE_S))
    if line.startswith(WARNING):
        raise click.ClickException(line.removeprefix(WARNING))
    click.echo(line)
