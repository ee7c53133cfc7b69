"""Functions that subcommands share: options, parameter types, loads, a recording, signals."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from pytest_twin._system.interruptible_event import InterruptSafeEvent
from pytest_twin.loads.modifiers import MODIFIERS
from pytest_twin.loads.registry import kinds
from pytest_twin.loads.schedule.window import parse_window
from pytest_twin.loads.spec import Load, LoadError
from pytest_twin.loads.validation import read_limit, read_load
from pytest_twin.model.demand_change import DemandChange, parse_changes
from pytest_twin.model.quantity import parse_duration, parse_size
from pytest_twin.recording.recording import Recording
from pytest_twin.report.terminal import summary
from pytest_twin.report.wording import wrap_line
from pytest_twin.run_folder.folder import RunFolder, RunFolderError
from pytest_twin.settings import options, parsers
from pytest_twin.settings.options import Settings, SettingsError
from pytest_twin.telemetry.sampler import SamplerError
from pytest_twin.telemetry.sampler_config import SamplerConfig

if TYPE_CHECKING:
    from pytest_twin.export.prometheus.exporter import Exporter
    from pytest_twin.loads.applied import AppliedLoad

F = TypeVar("F", bound=Callable[..., Any])
EXPORTED = (*options.PROMETHEUS, *options.PROMETHEUS_DETAILS)  # settings of commands that record
SHORTER_NAMES = {"schedule_speed": "speed"}  # settings that have another name on this command line


def settings_options(*names: str, **defaults: object) -> Callable[[F], F]:
    """Return a decorator that adds options for settings, named without the plugin's prefix.

    Args:
        names: The settings.
        defaults: Defaults of the command that differ from those of the settings; to be given to `settings_of` too.
    """

    def add(command: F) -> F:
        for name in reversed(names):
            option = options.OPTIONS[name]
            word = SHORTER_NAMES.get(name, name)
            switch = option.type == "bool"
            how: dict[str, Any] = {"is_flag": True, "default": None} if switch else {"metavar": option.metavar}
            text = options.help_of(name, defaults.get(name))
            click.option(f"--{word.replace('_', '-')}", word, help=text, **how)(command)
        return command

    return add


def settings_of(given: Mapping[str, object], **defaults: object) -> Settings:
    """Return the settings: options take precedence over pyproject.toml, which does so over the command's defaults.

    Raises:
        click.UsageError: A value is invalid.
    """
    flags = {name: given[word] for name in options.OPTIONS if (word := SHORTER_NAMES.get(name, name)) in given}
    try:
        return Settings.of(flags, options.read_pyproject(Path("pyproject.toml")), defaults)
    except SettingsError as error:
        raise _usage_error(error) from None


def _usage_error(error: SettingsError) -> click.UsageError:
    """Return the error with the invalid setting named as it was written: on the command line, or in pyproject.toml."""
    name, colon, problem = str(error).partition(":")
    setting = name.removeprefix("twin_")
    word = SHORTER_NAMES.get(setting, setting)
    context = click.get_current_context()
    written = {each.name: each for each in context.command.params}.get(word)
    if name == setting or colon == "":
        return click.UsageError(str(error))  # of the file as a whole
    if written is None or context.get_parameter_source(word) is not ParameterSource.COMMANDLINE:
        return click.UsageError(f"pyproject.toml: {setting}:{problem}")
    place = written.opts[0] if isinstance(written, click.Option) else written.human_readable_name.strip("[]")
    return click.UsageError(f"{place}:{problem}")


class Duration(click.ParamType):  # type: ignore[type-arg]  # it takes one from click 8.4 on
    """A parameter type: seconds, or text such as ``1m30s``."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the parsed value, or fail with a message."""
        try:
            return parse_duration(value if not isinstance(value, str) or not value.isdecimal() else float(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class FiniteRange(click.FloatRange):
    """A parameter type: a number within bounds; unlike click's it rejects NaN, which no bound excludes."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the parsed value, or fail with a message."""
        number: float = super().convert(value, param, ctx)  # type: ignore[arg-type]  # it is a text
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


class DemandChanges(click.ParamType):  # type: ignore[type-arg]
    """A parameter type: changes of a demand, such as ``cpu*1.5 mem+4GiB``."""

    name = "changes"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[DemandChange, ...]:
        """Return the parsed value, or fail with a message."""
        try:
            return value if isinstance(value, tuple) else parse_changes(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def scale_option(text: str) -> Callable[[F], F]:
    """Return a decorator that adds the option `--scale`, with a help text."""
    example = 'such as "cpu*1.5 mem+4GiB disk*2"'
    return click.option(
        "--scale", "changes", type=DemandChanges(), default=(), metavar="CHANGES", help=f"{text}, {example}"
    )


class Size(click.ParamType):  # type: ignore[type-arg]
    """A parameter type: bytes, from text such as ``100MB``."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the parsed value, or fail with a message."""
        try:
            return int(parse_size(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class WindowWords(click.ParamType):  # type: ignore[type-arg]
    """A parameter type: the keywords of a part of a recording, from text such as ``from=10:00 to=11:00``."""

    name = "window"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Mapping[str, Any]:
        """Return the keywords, which `parse_window` accepts, or fail with a message."""
        try:
            words = parsers.parse_window(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)
        try:
            parse_window(words)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return words


def window_option(text: str) -> Callable[[F], F]:
    """Return a decorator that adds an option for a part of a recording, with this help."""
    example = 'such as "from=10:00 to=11:00" (UTC, or offsets such as from=90s) or busiest=5m'
    return click.option("--window", type=WindowWords(), metavar="WINDOW", help=f"{text}, {example}")


def load_options(command: F) -> F:
    """Add an option for each kind of load and for each modifier; a decorator."""
    for name, modifier in reversed(MODIFIERS.items()):
        is_switch = modifier.schema.get("type") == "boolean"
        click.option(f"--{name.replace('_', '-')}", name, is_flag=is_switch, default=None, help=modifier.help)(command)
    for name, kind in reversed(kinds().items()):
        click.option(f"--{name.replace('_', '-')}", name, metavar="AMOUNT", help=kind.amounts)(command)
    return command


def load_of(given: Mapping[str, Any]) -> Load:
    """Return the load that the options describe.

    Raises:
        click.UsageError: The options are invalid; one line each.
    """
    words = {name: given[name] for name in (*kinds(), *MODIFIERS) if given.get(name) not in {None, False}}
    if "steps" in words and str(words["steps"]).isdecimal():
        words["steps"] = int(words["steps"])
    try:
        return read_load(words)
    except LoadError as error:
        raise click.UsageError(
            "\n".join(f"--{key.replace('_', '-')}: {problem}" for key, problem in error.problems)
        ) from None


def write_or_print(text: str, output: Path | None) -> None:
    """Write a text to a file, or to standard output if `output` is None."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")  # the name of a file may be no Unicode
    if output is None:
        click.echo(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{output}: {error.strerror}") from None


def echo_line(text: str, *, err: bool = False) -> None:
    """Print a line, broken between words where it is too wide for the terminal."""
    click.echo("\n".join(wrap_line(text)), err=err)


def finish(recording: Recording, applied: Mapping[str, AppliedLoad]) -> None:
    """Print why loads were missed, then the summary, and exit with 1 if any was.

    A strict load is missed if it got less than requested.

    Args:
        recording: The recording, which is over.
        applied: The loads by the names to print.

    Raises:
        click.exceptions.Exit: A load was missed.
    """
    told = set()
    for name, each in applied.items():
        if why := each.problem if each.part.strict else each.failure:
            echo_line(f"{name}: {why}", err=True)
            told.add(f"{each.part}: {why}")
    print_summary(recording, told)
    if told:
        raise click.exceptions.Exit(1)


def print_summary(recording: Recording, told: Collection[str] = ()) -> None:
    """Print the summary of a recording that is over.

    Args:
        recording: The recording.
        told: Why loads were missed, where it was printed already, as in ``cpu=75%: starved``.
    """
    folder = recording.folder
    for line in summary(folder, recording.sampler_stats, recording.dropped, Path.cwd(), warned=told):
        echo_line(line)


@contextmanager
def stop_on_signals() -> Iterator[InterruptSafeEvent]:
    """Yield an event that SIGINT and SIGTERM set, instead of ending the process."""
    stop = InterruptSafeEvent()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def limit_of(settings: Settings) -> Load | None:
    """Return the maximum total load.

    Raises:
        click.UsageError: It is invalid.
    """
    try:
        return read_limit(settings.limit)
    except SettingsError as error:
        raise _usage_error(error) from None


def _start_exporter(settings: Settings) -> Exporter | None:
    """Start the process that exports the run; None if the settings ask for none.

    Raises:
        click.UsageError: It cannot export, as where its port is in use.
    """
    if not settings.prometheus_option:
        return None
    from pytest_twin.export.prometheus.config import PrometheusConfig
    from pytest_twin.export.prometheus.exporter import Exporter, ExporterError

    try:
        exporter = Exporter(PrometheusConfig.of(settings, Path()))
    except ExporterError as error:
        option = (error.setting or settings.prometheus_option).replace("_", "-")
        raise click.UsageError(f"--{option}: {error}") from None
    for place in exporter.places:
        click.echo(f"metrics for Prometheus: {place}", err=True)
    return exporter


@contextmanager
def _exported(exporter: Exporter | None, recording: Recording) -> Iterator[None]:
    """Export a recording during the block."""
    if exporter is None:
        yield
        return
    exporter.begin(recording.folder.path, recording.clock.epoch)
    try:
        yield
    finally:
        for problem in exporter.stop():
            echo_line(f"warning: prometheus: {problem}", err=True)


@contextmanager
def open_recording(
    settings: Settings,
    *,
    append: bool = False,
    rotate_at: int = 0,
    before_sampling: Callable[[Recording], None] = lambda _: None,
) -> Iterator[Recording]:
    """Record during the block; the arguments are as those of `Recording`.

    Raises:
        click.ClickException: The report directory cannot be used, or the sampler failed.
    """
    folder = RunFolder(settings.report_dir)
    limit = limit_of(settings)
    sampling = SamplerConfig(settings.interval, per_core=settings.per_core, rotate_at=rotate_at)
    recording = Recording(folder, sampling, append=append, limit=limit, before_sampling=before_sampling)
    exporter = _start_exporter(settings)
    try:
        with recording, _exported(exporter, recording):
            yield recording
    except (RunFolderError, SamplerError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        if exporter is not None:  # it runs even where the recording could not begin
            exporter.stop()
