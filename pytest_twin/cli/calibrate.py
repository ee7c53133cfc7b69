"""``pytest-twin calibrate``: measure what this machine does under loads of known size."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from pytest_twin._system.procfs import PROC
from pytest_twin.cli._options import FiniteRange, stop_on_signals
from pytest_twin.loads.twin.others import MOST_BUSY
from pytest_twin.model.machine_calibration import MachineCalibration
from pytest_twin.model.quantity import format_share
from pytest_twin.recording.load_calibration import CalibrationError, measure_machine
from pytest_twin.recording.recording import Recording
from pytest_twin.run_folder.folder import RunFolder, RunFolderError
from pytest_twin.settings.options import Settings
from pytest_twin.telemetry import calibration
from pytest_twin.telemetry.sampler import SamplerError
from pytest_twin.telemetry.sampler_config import SamplerConfig

DEFAULT_S, SHORTEST_S, LONGEST_S = 120.0, 10.0, 180.0
TOO_BUSY = 0.5  # the share of the CPUs that others use beside which nothing can be measured
INTERRUPTED = 130


class NotCalibratedError(click.ClickException):
    """Nothing could be measured."""

    exit_code = 2


@click.command
@click.option(
    "--seconds", default=DEFAULT_S, show_default=True, type=FiniteRange(SHORTEST_S, LONGEST_S),
    help="about how long it takes",
)  # fmt: skip
def command(seconds: float) -> None:
    """Measure the CPU pressure of this machine under known loads.

    It also measures the rate of the disk. pytest-twin predict --what-if uses both. They are kept until the machine
    restarts, as the scores of its fingerprint are. Run it while nothing else runs on the machine. Loads of up to three
    times all CPUs are applied.

    The exit status is 2 if nothing could be measured.
    """
    if not Path(PROC, "pressure", "cpu").exists():
        raise NotCalibratedError(f"this machine has no {PROC}/pressure/cpu; there is no pressure to measure")
    click.echo(f"applies loads for about {seconds:.0f} s")
    with stop_on_signals() as stop, tempfile.TemporaryDirectory(dir=".", prefix=".twin-calibrate-") as folder:
        try:
            with Recording(RunFolder(Path(folder)), SamplerConfig(Settings().interval)) as recording:
                found = measure_machine(recording, stop.wait, seconds)
        except (CalibrationError, RunFolderError, SamplerError) as error:
            raise NotCalibratedError(str(error)) from None
    if found is None:
        raise click.exceptions.Exit(INTERRUPTED)
    _show(found)
    others = f"others used {format_share(found.demands[0])} of the CPUs; calibrate while nothing else runs"
    if found.demands[0] > TOO_BUSY:
        raise NotCalibratedError(others)
    if found.demands[0] > MOST_BUSY:
        click.echo(f"note: {others}")
    if not calibration.keep_calibration(found):
        raise NotCalibratedError(f"cannot be kept in {calibration.cache_folder()}; make it writable")


def _show(found: MachineCalibration) -> None:
    click.echo("demand for CPU time   CPU pressure")
    for demand, pressure in zip(found.demands, found.pressures, strict=True):
        click.echo(f"{format_share(demand, 1):>18} {format_share(pressure, 1):>14}")
    click.echo(f"disk: {found.disk_rate / 1e6:.4g} MB/s" if found.disk_rate else "disk: could not be measured")
