"""The pytest door: options, markers, and the moment at which recording becomes necessary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_twin.plugin.marks import (
    MARKERS,
    adopt_module_marks,
    asks,
    check,
    described,
    has_workers,
    is_rehearsed,
    kinds,
    read_rules,
)
from pytest_twin.plugin.stash import RULES, RUN, SCHEDULE_TEXTS, SESSION_SCHEDULE, SETTINGS
from pytest_twin.settings import options
from pytest_twin.settings.options import Settings, SettingsError

if TYPE_CHECKING:
    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.plugin.baseline import BaselineComparison
    from pytest_twin.plugin.session import RecordedSession

pytest_plugins = ["pytest_twin.plugin.fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make an option and an ini option of each setting."""
    group = parser.getgroup("twin", "performance-aware testing")
    for name, option in options.options().items():
        how: dict[str, Any] = {"action": "store_true"} if option.type == "bool" else {"metavar": option.metavar}
        text = options.help_of(name).replace("%", "%%")  # which argparse formats; what it makes of it is the text again
        group.addoption(options.flag(name), dest=options.ini_name(name), default=None, help=text, **how)
        parser.addini(options.ini_name(name), f"{option.help} (pytest-twin)", type=option.type, default=None)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Offer hooks of our own."""
    from pytest_twin.plugin import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings and the schedule; both are checked before anything starts."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    settings = config.stash[SETTINGS] = _settings(config)
    if settings.dry_run:
        config.option.dist = "no"  # pytest-xdist looks after us: what its workers would print nobody sees
    _check_fail_on(config, settings)
    _check_limit(settings)
    config.stash[RULES] = read_rules(settings.budgets)
    if not hasattr(config, "workerinput"):
        _check_reports(config, settings)
    config.stash[SESSION_SCHEDULE] = _schedule(config, settings)
    if (settings.enabled or settings.schedule or has_workers(config)) and not is_rehearsed(config):
        from pytest_twin.plugin.session_hooks import run_of

        run = run_of(config)
        run.weighing = _weighing(config, settings)
        if has_workers(config):
            from pytest_twin.plugin.xdist_controller_hooks import XdistControllerHooks

            config.pluginmanager.register(XdistControllerHooks(run))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let doctests have the marks of their module."""
    adopt_module_marks(items)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Check what the tests ask for, and make ready to record if any asks for something."""
    asking = [item for item in session.items if asks(item)]
    try:
        if asking:
            _make_ready(session, asking)
        run: RecordedSession | None = session.config.pluginmanager.get_plugin(RUN)
        if run is not None and not session.config.option.collectonly:
            run.take_turns(session.items)
    except pytest.UsageError as error:
        if not hasattr(session.config, "workeroutput"):
            raise
        session.config.workeroutput["twin_error"] = str(error)  # the controller tells it, and no test runs
        session.items.clear()


def _make_ready(session: pytest.Session, asking: list[pytest.Item]) -> None:
    """Check what the tests ask for, and have a run for them.

    Raises:
        pytest.UsageError: Something is wrong with what they ask for, or with the report directory.
    """
    check(asking)
    if is_rehearsed(session.config):
        return
    from pytest_twin.plugin.session_hooks import run_of

    run = run_of(session.config)
    if hasattr(session.config, "workerinput") and not session.config.option.collectonly:
        run.start()  # the part that it opens tells the controller that recording is wanted


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what will be done, where that is known already."""
    settings, schedule = config.stash[SETTINGS], config.stash[SESSION_SCHEDULE]
    if not settings.enabled and schedule is None:
        return []
    notes: list[str] = []
    words = [f"every {settings.interval:g} s into {settings.report_dir}"]
    if schedule is not None:
        from pytest_twin.loads.disk_speed import schedule_remarks
        from pytest_twin.report.wording import format_count

        faster = schedule.faster(settings.schedule_speed)
        words.append(
            f"{settings.schedule}: {format_count(len(schedule.events), 'load')} over {faster.duration_s:.1f} s"
        )
        notes += (
            schedule.remarks
            if settings.dry_run
            else schedule_remarks(schedule, config.invocation_params.dir / settings.report_dir)
        )
    return [f"twin: {', '.join(words)}", *(f"twin: {settings.schedule}: {note}" for note in notes)]


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """In a dry run: what would be applied to which test."""
    if not config.stash[SETTINGS].dry_run:
        return []
    settings, schedule = config.stash[SETTINGS], config.stash[SESSION_SCHEDULE]
    lines = list(described(items, schedule.faster(settings.schedule_speed) if schedule else None))
    return ["twin: a dry run, no test is run; this would be applied", *(lines or ["nothing"])]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """In a dry run no test is run."""
    return True if session.config.stash[SETTINGS].dry_run else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was recorded, what was applied, what was heavy, and where the files are."""
    if hasattr(config, "workerinput"):  # nobody reads what a worker prints, and the controller says all of it
        return
    run: RecordedSession | None = config.pluginmanager.get_plugin(RUN)
    for error in (run.worker_error, run.strict_error) if run is not None else ():
        if error:
            terminalreporter.write_line(f"ERROR: {error}", red=True)
    if run is not None:
        with run.guard:
            _summarize(terminalreporter, config, run)
        for line in dict.fromkeys((*run.guard.lines, *run.errors_by_workers)):
            terminalreporter.write_line(line, yellow=True)
    if run is None or run.recording is None:
        settings = config.stash[SETTINGS]
        if settings.report and not settings.dry_run:
            terminalreporter.write_line("twin: nothing was recorded, so there is no report")


def _summarize(terminalreporter: pytest.TerminalReporter, config: pytest.Config, run: RecordedSession) -> None:
    if run.recording is None:
        return
    from pytest_twin.report.terminal import summary

    terminalreporter.write_sep("=", "pytest-twin")
    base_dir = config.invocation_params.dir
    dropped = run.recording.dropped + run.dropped_by_workers
    for line in summary(run.recording.folder, run.recording.sampler_stats, dropped, base_dir, run.recording.tables):
        terminalreporter.write_line(line)
    for line in run.reports:
        terminalreporter.write_line(line, yellow=line.startswith("warning"))
    if run.weighing is not None:
        _tell_weighing(terminalreporter, run.weighing)


def _tell_weighing(terminalreporter: pytest.TerminalReporter, weighing: BaselineComparison) -> None:
    for line in weighing.lines:
        terminalreporter.write_line(line)
    for line in weighing.failure:
        terminalreporter.write_line(f"FAILED {line}", red=True)


def _settings(config: pytest.Config) -> Settings:
    """The settings: a flag wins over pytest's configuration, which wins over ``[tool.pytest-twin]``."""
    names = options.options()
    try:
        flags = {name: getattr(config.option, options.ini_name(name), None) for name in names}
        inis = {name: config.getini(options.ini_name(name)) for name in names}
        return Settings.of(flags, inis, options.read_pyproject(config.rootpath / "pyproject.toml"))
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from None
    except (TypeError, ValueError) as error:  # what older versions of pytest raise for an ini value of another type
        raise pytest.UsageError(f"twin: {error}") from None


def _check_fail_on(config: pytest.Config, settings: Settings) -> None:
    """Refuse limits that somebody typed and that nothing would be judged by; those of a configuration may wait."""
    if getattr(config.option, options.ini_name("fail_on"), None) and settings.compare is None:
        raise pytest.UsageError(
            f"{options.flag('fail_on')}: there is nothing to compare with; give {options.flag('compare')} RUNS too"
        )


def _check_limit(settings: Settings) -> None:
    if settings.limit:
        from pytest_twin.loads.validation import read_limit

        try:
            read_limit(settings.limit)
        except SettingsError as error:
            raise pytest.UsageError(str(error)) from None


def _weighing(config: pytest.Config, settings: Settings) -> BaselineComparison | None:
    """What the session is saved as and compared with; a pytest-xdist worker leaves that to its controller."""
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
    if settings.schedule is None:
        return None
    from pytest_twin.loads.schedule.file import open_schedule
    from pytest_twin.loads.schedule.schedule import ScheduleError

    try:
        texts = config.stash[SCHEDULE_TEXTS] = getattr(config, "workerinput", {}).get("twin_schedule", {})
        return open_schedule(config.invocation_params.dir / settings.schedule, kinds(), texts)
    except ScheduleError as error:
        raise pytest.UsageError("\n".join(error.problems)) from None
