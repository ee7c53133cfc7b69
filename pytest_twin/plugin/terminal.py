"""What pytest prints of a recorded session: in its header, with the collected tests, and in its summary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pytest_twin.plugin.marks import NO_REQUEST, describe_requests, has_workers, nodeid_of
from pytest_twin.plugin.stash import (
    EXPORTER,
    OTLP,
    REPEAT_PLUGIN,
    REQUEST,
    SESSION_CONSTRAINT,
    SESSION_SCHEDULE,
    SESSION_STRESS,
    SETTINGS,
    TWIN,
)
from pytest_twin.settings import options

if TYPE_CHECKING:
    import pytest

    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.loads.spec import Load
    from pytest_twin.plugin.session import RecordedSession
    from pytest_twin.recording.recording import Recording

COPIED = ("files: ", "report: ")  # lines that stay whole, since people copy a path or a command of them


def header_lines(config: pytest.Config) -> list[str]:
    """Return the interval, the report directory, what surrounds the tests, and notes; nothing if nothing is known."""
    settings, schedule = config.stash[SETTINGS], config.stash[SESSION_SCHEDULE]
    if not settings.enabled and schedule is None:
        return []
    parts = [f"recording every {settings.interval:g} s into {settings.report_dir}"]
    notes = [*_excess_notes([config.stash[SESSION_CONSTRAINT]])]
    if settings.constrain is not None:
        parts.append(f"tests constrained to {options.constraint_text(settings.constrain)}")
    if schedule is not None:
        source = settings.like or settings.schedule
        parts.append(f"{source}: {_schedule_facts(schedule.faster(settings.schedule_speed))}")
        notes += [f"{source}: {remark}" for remark in _schedule_remarks(config, schedule)]
    if settings.like is not None:
        notes += [f"like {settings.like}: {line}" for line in config.stash[TWIN].lines]
    if settings.repeat is not None:
        parts.append(f"each test {settings.repeat}")
    if stress := config.stash[SESSION_STRESS]:
        parts.append(f"each test under {stress}")
    exporter = config.stash.get(EXPORTER, None)
    exported = exporter.lines if exporter is not None else []
    return _wrapped([f"twin: {', '.join(parts)}", *exported, *(f"twin: {note}" for note in notes)])


def _schedule_facts(schedule: Schedule) -> str:
    from pytest_twin.report.wording import format_count

    when = "around each test" if schedule.is_for_each_test else "from the first test to the end of the last one"
    return f"{format_count(len(schedule.events), 'load')} over {schedule.duration_s:.1f} s, {when}"


def _schedule_remarks(config: pytest.Config, schedule: Schedule) -> Iterator[str]:
    from pytest_twin.loads.disk_speed import schedule_remarks

    settings = config.stash[SETTINGS]
    folder = config.invocation_params.dir / settings.report_dir
    yield from schedule.remarks if settings.dry_run else schedule_remarks(schedule, folder)
    yield from _excess_notes(event.load for event in schedule.events)


def collected_lines(config: pytest.Config, items: Sequence[pytest.Item]) -> list[str]:
    """Return the constraints of marks that take nothing away, and in a dry run the loads of each test."""
    notes = notes_on_marks(items)
    around = None
    if (twin := config.stash.get(TWIN, None)) is not None and twin.surroundings is not None:
        from pytest_twin.plugin.like import recorded_count, schedule_around

        around = partial(schedule_around, twin.surroundings)
        if not has_workers(config):
            notes.append(f"twin: {recorded_count(twin.surroundings, [nodeid_of(item) for item in items])}")
    if not config.stash[SETTINGS].dry_run:
        return _wrapped(notes)
    settings, schedule = config.stash[SETTINGS], config.stash[SESSION_SCHEDULE]
    stress, faster = config.stash[SESSION_STRESS], schedule.faster(settings.schedule_speed) if schedule else None
    lines = list(describe_requests(items, faster, stress, around))
    if settings.constrain is not None:
        lines.insert(0, f"each process that runs tests: constrain {options.constraint_text(settings.constrain)}")
    heading = "twin: dry run, no test is run; loads that would be applied:"
    return [*_wrapped(notes), heading, *(lines or ["none"])]


def notes_on_marks(items: Iterable[pytest.Item]) -> list[str]:
    """Return a line for each constraint of a mark that takes nothing away."""
    return [f"twin: {note}" for note in _excess_notes(item.stash.get(REQUEST, NO_REQUEST).load for item in items)]


def _excess_notes(loads: Iterable[Load | None]) -> Iterable[str]:
    """Return a line for each constraint with more than this machine has, which is right where it runs on several."""
    parts = {str(part): part for load in loads if load is not None for part in load.parts if part.is_constraint}
    if not parts:
        return ()
    from pytest_twin.loads.constraint import excess

    return [f"{text} takes nothing away: {remark}" for text, part in parts.items() for _, remark in excess(part)]


def _wrapped(lines: Sequence[str]) -> list[str]:
    if not lines:  # most sessions print nothing of ours, and import nothing for it
        return []
    from pytest_twin.report.wording import wrap_line

    return [part for line in lines for part in wrap_line(line)]


def write_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config, run: RecordedSession) -> None:
    """Write what was recorded and applied, the heaviest tests, where the files are, and what went wrong."""
    for error in (run.worker_error, run.strict_error):
        if error:
            terminalreporter.write_line(f"ERROR: {error}", red=True)
    for line in dict.fromkeys(run.notes_of_workers):
        write_line(terminalreporter, line)
    with run.guard:
        _write_recorded(terminalreporter, config, run)
    for line in dict.fromkeys((*run.guard.lines, *run.errors_of_workers)):
        write_line(terminalreporter, line, yellow=True)


def _write_recorded(terminalreporter: pytest.TerminalReporter, config: pytest.Config, run: RecordedSession) -> None:
    if run.recording is None:
        return
    terminalreporter.write_sep("=", "pytest-twin")
    for line, is_failure in _lines(terminalreporter, config, run, run.recording):
        write_line(terminalreporter, line, red=is_failure, yellow=line.startswith("warning"))


def write_line(terminalreporter: pytest.TerminalReporter, line: str, **style: bool) -> None:
    """Write a line, broken between words where it is too wide for the terminal."""
    for part in [line] if line.startswith(COPIED) else _wrapped([line]):
        terminalreporter.write_line(part, **style)


def _lines(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config, run: RecordedSession, recording: Recording
) -> Iterator[tuple[str, bool]]:
    """Yield each line of the summary, and whether it is about a failure."""
    from pytest_twin.model.shell_word import shell_word
    from pytest_twin.plugin.measured_budgets import measured_lines
    from pytest_twin.report.terminal import summary
    from pytest_twin.report.wording import relative_path

    if run.settings.repeat is not None:
        from pytest_twin.plugin.repeat_hooks import repetition_lines

        hooks = config.pluginmanager.get_plugin(REPEAT_PLUGIN)
        yield from ((line, line.startswith("failed")) for line in repetition_lines(hooks, terminalreporter.stats))
    base_dir, folder = config.invocation_params.dir, recording.folder
    dropped = recording.dropped + run.dropped_by_workers
    warned = _shown_warnings(terminalreporter) | set(run.strict_error.replace(" strict: ", ": ").splitlines())
    otlp, baseline = config.stash.get(OTLP, None), run.baseline
    lines = (
        *summary(folder, recording.sampler_stats, dropped, base_dir, recording.overview, warned),
        *measured_lines(terminalreporter.stats),
        *([run.schedule_cut] if run.schedule_cut else []),
        *run.messages,
        *(otlp.finish(base_dir) if otlp is not None else ()),
        *(baseline.lines if baseline is not None else ()),
    )
    yield from ((line, False) for line in lines)
    yield from ((f"FAILED {line}", True) for line in (baseline.failure if baseline is not None else ()))
    command = f"pytest-twin report {shell_word(relative_path(folder.path, base_dir))}"
    yield from ((line, False) for line in run.reports or [f"report: {command}"])


def _shown_warnings(terminalreporter: pytest.TerminalReporter) -> set[str]:
    """Return the texts of our warnings that pytest shows."""
    from pytest_twin.plugin.load_context import TwinWarning

    if not terminalreporter.hasopt("w"):
        return set()
    found = (each.message.partition(f"{TwinWarning.__name__}: ") for each in terminalreporter.stats.get("warnings", ()))
    return {text.partition("\n")[0] for _, sign, text in found if sign}
