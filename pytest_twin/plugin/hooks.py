"""The entry point of the plugin: options, markers, and the decision whether this session is recorded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from pytest_twin.plugin import PlainImport
from pytest_twin.plugin.fixtures import (  # noqa: F401 - pytest finds them here
    stress_cpu,
    stress_disk,
    stress_load,
    stress_mem,
    twin_logger,
)
from pytest_twin.plugin.marks import (
    FIXTURES,
    MARKERS,
    adopt_module_marks,
    check_requests,
    has_workers,
    is_dry_run,
    kinds,
    read_rules,
    request_of,
    uses_plugin,
)
from pytest_twin.plugin.stash import (
    BUDGET_RULES,
    CONFIGURED_BUDGETS,
    EXPORTER,
    OTLP,
    RECORDED_SESSION,
    SCHEDULE_TEXTS,
    SESSION_CONSTRAINT,
    SESSION_SCHEDULE,
    SESSION_STRESS,
    SETTINGS,
    TWIN,
)
from pytest_twin.plugin.terminal import collected_lines, header_lines, notes_on_marks, write_summary
from pytest_twin.plugin.typed_options import is_typed
from pytest_twin.settings import options
from pytest_twin.settings.options import Settings, SettingsError

if TYPE_CHECKING:
    import argparse

    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.loads.spec import Load
    from pytest_twin.plugin.baseline import BaselineComparison
    from pytest_twin.plugin.session import RecordedSession


def __dir__() -> list[str]:
    """Return the hooks and fixtures: pytest searches all names of a plugin for them, in 20 µs each."""
    return [name for name in globals() if name.startswith("pytest_") or name in FIXTURES]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add a command-line option and an ini option for each setting."""
    group = parser.getgroup("twin", "performance-aware testing")
    for name, option in options.OPTIONS.items():
        how: dict[str, Any] = {"action": "store_true"} if option.type == "bool" else {"metavar": option.metavar}
        if option.bare:
            how |= {"nargs": "?", "const": option.bare}
        text = options.help_of(name).replace("%", "%%")  # argparse formats the text
        group.addoption(options.flag(name), dest=options.ini_name(name), default=None, help=text, **how)
        parser.addini(options.ini_name(name), f"{option.help} (pytest-twin)", type=option.type, default=None)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hooks that pytest-twin calls."""
    from pytest_twin.plugin import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Start again where the tests could not be constrained otherwise, before output is captured and code imported."""
    given = early_config.known_args_namespace
    with suppress(pytest.UsageError, OSError):  # the former is reported when the session is configured
        settings = _settings(early_config, given)
        if settings.constrain is not None or settings.schedule is not None or settings.flaky or settings.profile:
            from pytest_twin.plugin.restart import start_again_if_needed

            start_again_if_needed(settings, has_workers=bool(getattr(given, "numprocesses", None)))
    yield


def pytest_configure(config: pytest.Config) -> None:
    """Read and check the settings and the schedule, before anything starts."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    settings = config.stash[SETTINGS] = _settings(config, config.option)
    if settings.dry_run:
        config.option.dist = "no"  # before pytest-xdist reads it: nobody sees what its workers print
    _check_needs(config, settings)
    _check_limit(settings)
    config.stash[SESSION_STRESS] = _session_stress(settings)
    config.stash[SESSION_CONSTRAINT] = _session_constraint(config, settings)
    config.stash[BUDGET_RULES], config.stash[CONFIGURED_BUDGETS] = read_rules(settings.budgets), {}
    if not hasattr(config, "workerinput"):
        _check_reports(config, settings)
        _check_recording(config, settings)
    _start_exporter(config, settings)
    _prepare_otlp(config, settings)
    if settings.flaky and not is_dry_run(config):
        from pytest_twin.plugin.flaky.hooks import FlakyHooks

        config.pluginmanager.register(FlakyHooks(config, settings))
    config.stash[SESSION_SCHEDULE] = _schedule(config, settings)
    if (settings.enabled or settings.schedule or has_workers(config)) and not is_dry_run(config):
        from pytest_twin.plugin.session_hooks import run_of

        run = run_of(config)
        run.baseline = _find_baseline(config, settings)
        if has_workers(config):
            from pytest_twin.plugin.xdist_controller_hooks import XdistControllerHooks

            config.pluginmanager.register(XdistControllerHooks(run))
        if (settings.enabled or run.schedule is not None) and _opens_session(config):
            run.launch_sampler()


def pytest_unconfigure() -> None:
    """Remove our finder of modules: Python keeps what is in `sys.meta_path`, and through it all of pytest, to its end.

    It clears such modules one by one then, which takes 6 ms more than to collect them as garbage.
    """
    with suppress(ValueError):  # pytest ran in this interpreter before, and it was removed then
        sys.meta_path.remove(PlainImport)


def _opens_session(config: pytest.Config) -> bool:
    """Return whether a session with tests may follow: then the sampler starts while pytest prepares it."""
    return not (config.option.collectonly or config.option.help or config.option.markers)


def _writes_run(config: pytest.Config) -> bool:
    """Return whether this process writes the files of a run, if anything is recorded."""
    return not (hasattr(config, "workerinput") or is_dry_run(config) or config.option.collectonly)


def _start_exporter(config: pytest.Config, settings: Settings) -> None:
    """Start the process that exports the run, in the process that writes its files.

    Raises:
        pytest.UsageError: It cannot export, as where its port is in use.
    """
    if not settings.prometheus_option or not _writes_run(config):
        return
    from pytest_twin.plugin.exporters import SessionExporter

    config.stash[EXPORTER] = exporter = SessionExporter(settings, config.invocation_params.dir)
    config.add_cleanup(exporter.close)


def _prepare_otlp(config: pytest.Config, settings: Settings) -> None:
    """Check before the tests that the run can be exported by OTLP, in the process that writes its files.

    Raises:
        pytest.UsageError: It cannot be.
    """
    if settings.otlp is None or not _writes_run(config):
        return
    from pytest_twin.plugin.otlp import OtlpSession

    config.stash[OTLP] = session = OtlpSession(settings)
    config.add_cleanup(session.close)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give doctests the marks of their module."""
    adopt_module_marks(items)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Check the markers of the tests, and prepare to record if any test uses the plugin."""
    recorded_items = [item for item in session.items if uses_plugin(item)]
    try:
        if recorded_items:
            _prepare_run(session, recorded_items)
        run: RecordedSession | None = session.config.stash.get(RECORDED_SESSION, None)
        if run is not None:
            run.items = recorded_items
        if run is not None and run.worker and not session.config.option.collectonly:
            from pytest_twin.plugin.xdist_worker_hooks import isolate_stressed_tests

            isolate_stressed_tests(run, session.items)
            session.config.workeroutput["twin_notes"] = notes_on_marks(session.items)  # type: ignore[attr-defined]
            if run.constraint_hooks is not None and session.items:
                run.constraint_hooks.begin()  # here an error can still reach the controller
    except pytest.UsageError as error:
        if not hasattr(session.config, "workeroutput"):
            raise
        session.config.workeroutput["twin_error"] = str(error)  # the controller prints it, and no test runs
        session.items.clear()


def _prepare_run(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Check the markers of the tests that use the plugin, and make the recorded session.

    Raises:
        pytest.UsageError: A marker has an error, or the report directory cannot be used.
    """
    check_requests(items)
    if is_dry_run(session.config):
        return
    from pytest_twin.plugin.session_hooks import run_of

    run = run_of(session.config)
    loads = () if has_workers(session.config) else (request_of(item).load for item in items)
    if any(load is not None and load.has_constraints for load in loads):
        from pytest_twin.plugin.restart import go_on_in_child, needs_child

        if needs_child():
            run.cancel_sampler()
            exporter = session.config.stash.get(EXPORTER, None)
            if exporter is not None:  # the thread that listens to it is not in the child
                exporter.stop()
            run.no_child = go_on_in_child()
            if exporter is not None:
                exporter.start()
    if hasattr(session.config, "workerinput") and not session.config.option.collectonly:
        run.start()  # the part file that it opens tells the controller to record


def pytest_sessionstart(session: pytest.Session) -> None:
    """Print where the metrics are if pytest prints no header: the port may be one that nobody knows yet."""
    exporter = session.config.stash.get(EXPORTER, None)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exporter is not None and reporter is not None and session.config.option.verbose < 0:
        for line in exporter.lines:
            reporter.write_line(line)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Show the interval, the report directory and the schedule, where they are known already."""
    return header_lines(config)


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """Show the constraints of marks that take nothing away, and in a dry run the loads of each test."""
    return collected_lines(config, items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run no test in a dry run."""
    return True if session.config.stash[SETTINGS].dry_run else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show what was recorded and applied, the heaviest tests, and where the files are."""
    if hasattr(config, "workerinput"):  # nobody sees what a worker prints, and the controller prints all of it
        return
    run: RecordedSession | None = config.stash.get(RECORDED_SESSION, None)
    if run is not None:
        write_summary(terminalreporter, config, run)
    if run is None or run.recording is None:
        settings = config.stash[SETTINGS]
        if settings.report and not settings.dry_run:
            terminalreporter.write_line("twin: nothing was recorded, so there is no report")


def _settings(config: pytest.Config, given: argparse.Namespace) -> Settings:
    """Return the settings: a flag wins over pytest's configuration, which wins over ``[tool.pytest-twin]``."""
    names = options.OPTIONS
    try:
        flags = {name: getattr(given, options.ini_name(name), None) for name in names}
        inis = {name: config.getini(options.ini_name(name)) for name in names}
        given_here = Settings.of(inis, options.read_pyproject(config.rootpath / "pyproject.toml"), flags=flags)
        if given_here.like is None:
            return given_here
        from pytest_twin.plugin.like import constrain_like

        return constrain_like(config, given_here)
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from None
    except (TypeError, ValueError) as error:  # older versions of pytest, for an ini value of another type
        raise pytest.UsageError(f"twin: {error}") from None


def _check_needs(config: pytest.Config, settings: Settings) -> None:
    """Reject an option without the one that it belongs to; in a file, as in addopts, it may stand alone."""
    for name, (other, reason) in options.NEEDS.items():
        if not getattr(settings, other) and _is_typed(config, name):
            needed = f"{options.flag(other)} {options.OPTIONS[other].metavar}".strip()
            raise pytest.UsageError(f"{options.flag(name)}: {reason}; give {needed} too")


def _check_recording(config: pytest.Config, settings: Settings) -> None:
    """Reject a recording that does not exist before the tests; it is read when they are over, as it needs pandas."""
    recording = settings.predict
    if recording is not None and settings.profile and not (config.invocation_params.dir / recording).exists():
        raise pytest.UsageError(f"{settings.written('predict')}: {recording}: no such file or directory")


def _check_limit(settings: Settings) -> None:
    if settings.limit:
        from pytest_twin.loads.validation import read_limit

        try:
            read_limit(settings.limit, settings.written("limit"))
        except SettingsError as error:
            raise pytest.UsageError(str(error)) from None


def _session_stress(settings: Settings) -> Load | None:
    """Return the load around every test; nothing is imported without one."""
    if not settings.stress:
        return None
    from pytest_twin.loads.validation import read_stress

    try:
        return read_stress(settings.stress, settings.written("stress"))
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from None


def _session_constraint(config: pytest.Config, settings: Settings) -> Load | None:
    """Return the constraint of the session, if it can be enforced on this process with the tests; None without one."""
    if settings.constrain is None:
        return None
    from pytest_twin.plugin.session_constraint import check_constraint, constraint_of

    try:
        load = constraint_of(settings, must_take_away=_is_typed(config, "constrain"))
        if not (has_workers(config) or hasattr(config, "workerinput") or is_dry_run(config)):
            check_constraint(load)
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from None
    return load


def _is_typed(config: pytest.Config, name: str) -> bool:
    """Return whether the user has typed an option now, in the process that says so if it is wrong."""
    return not hasattr(config, "workerinput") and is_typed(config, name)


def _find_baseline(config: pytest.Config, settings: Settings) -> BaselineComparison | None:
    """Return the comparison with a baseline, if it is asked for; None in a pytest-xdist worker."""
    if (settings.save is None and settings.compare is None) or hasattr(config, "workerinput"):
        return None
    from pytest_twin.plugin.baseline import BaselineComparison

    try:
        return BaselineComparison(settings, config.invocation_params.dir)
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from None


def _check_reports(config: pytest.Config, settings: Settings) -> None:
    if settings.report and not settings.dry_run:
        from pytest_twin.report.formats import ReportError
        from pytest_twin.report.session_reports import check_reports

        try:
            check_reports(settings, config.invocation_params.dir)
        except ReportError as error:
            is_alias = settings.json is not None and {each.path for each in settings.report} == {settings.json}
            raise pytest.UsageError(f"{options.flag('json' if is_alias else 'report')}: {error}") from None


def _schedule(config: pytest.Config, settings: Settings) -> Schedule | None:
    if settings.like is not None:
        return config.stash[TWIN].schedule
    if settings.schedule is None:
        return None
    from pytest_twin.loads.schedule.schedule import ScheduleError
    from pytest_twin.run_folder.schedule_file import open_schedule

    try:
        texts = getattr(config, "workerinput", {}).get("twin_schedule")
        if has_workers(config):  # one on another host does not have the files
            texts = config.stash[SCHEDULE_TEXTS] = {}
        return open_schedule(config.invocation_params.dir / settings.schedule, kinds(), texts)
    except ScheduleError as error:
        raise pytest.UsageError("\n".join(error.problems)) from None
