"""``pytest-twin serve``: the metrics of a run for Prometheus, while it goes on or when it is over."""

from __future__ import annotations

from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from pytest_twin.cli._options import settings_of, settings_options, stop_on_signals
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.settings.parsers import LOOPBACK

PORT = 9464
OPTIONS = ("prometheus", "prometheus_host", "prometheus_tests", "prometheus_cert", "prometheus_key")
READ_S = 1.0


@click.command
@click.argument("report_dir", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@settings_options(*OPTIONS)
def command(report_dir: Path | None, **given: Any) -> None:
    """Serve the metrics of a run for Prometheus.

    It serves until Ctrl-C, on port 9464 if --prometheus is not given.

    DIR is the report directory of a run, which may go on, be over, or not exist yet. Of a run that is over, the last
    values are served.
    """
    if find_spec("prometheus_client") is None:
        raise click.UsageError("serve needs prometheus-client; pip install 'pytest-twin[export]'")
    from pytest_twin.export.prometheus.collector import RunCollector
    from pytest_twin.export.prometheus.config import PrometheusConfig
    from pytest_twin.export.prometheus.outlets import Endpoint, OutletError
    from pytest_twin.export.prometheus.run_metrics import MetricOptions

    settings = settings_of({"report_dir": report_dir, **given})
    config = PrometheusConfig.of(settings.replace(prometheus=settings.prometheus or (LOOPBACK, PORT)), Path())
    options = MetricOptions(config.has_host, config.tests)
    with closing(RunCollector(RunFolder(settings.report_dir), options)) as run, stop_on_signals() as stop:
        assert config.address is not None  # noqa: S101 - for the type checker
        try:
            endpoint = Endpoint(config.address, run.registry(), config.certificate, config.key)
        except OutletError as error:
            raise click.UsageError(str(error)) from None
        click.echo(f"metrics for Prometheus: {endpoint.text}")
        if not settings.report_dir.is_dir():
            click.echo(f"{settings.report_dir}: waiting for the run folder", err=True)
        shown = ""
        while not stop.wait(READ_S):
            run.read()
            if run.error and run.error != shown:
                click.echo(f"warning: {run.error}", err=True)
            shown = run.error
        endpoint.close(keep=False)
