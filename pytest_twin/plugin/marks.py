"""What a test asks for: its markers and fixtures, read and checked when it is collected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_twin.plugin.stash import REQUEST, RULES, SETTINGS, ItemRequest

if TYPE_CHECKING:
    from _pytest.nodes import Node

    from pytest_twin.analysis.budgets.budget import Budget
    from pytest_twin.analysis.budgets.rules import Rule
    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.loads.spec import Kinds, Load

# Imported by every pytest that has the plugin installed: what reads loads and schedules is imported where it is needed.

STRESS, SHARED, SCHEDULE, BUDGET = "stress", "shared", "twin_schedule", "twin_budget"
STRESSING = frozenset({"stress_load", "stress_cpu", "stress_mem", "stress_disk"})
FIXTURES = STRESSING | {"twin_logger"}
MARKERS = (
    f"{STRESS}(cpu=, mem=, disk=, ramp=, ...): apply this load while the test runs; a bare mark applies none",
    f"{SCHEDULE}(path): play this schedule of loads while the test runs",
    f"{BUDGET}(cpu_seconds=, peak_memory=, duration=, ...): fail the test if it exceeds this budget",
)


NOTHING = ItemRequest()


def kinds() -> Kinds:
    """The stressors there are."""
    from pytest_twin.loads.registry import kinds as find

    return find()


def has_workers(config: pytest.Config) -> bool:
    """Whether tests run in pytest-xdist workers; what they ask for is known only there."""
    return getattr(config.option, "dist", "no") != "no" and not hasattr(config, "workerinput")


def is_rehearsed(config: pytest.Config) -> bool:
    """Whether no test is run, and none is to be recorded: in a dry run of ours, and in pytest's ``--setup-plan``."""
    return config.stash[SETTINGS].dry_run or getattr(config.option, "setupplan", False)


def nodeid_of(item: pytest.Item) -> str:
    """The id of a test, without the group that pytest-xdist adds to it for its workers (``--dist=loadgroup``)."""
    if not getattr(item.config.option, "loadgroup", False) or item.parent is None:
        return item.nodeid
    plain = f"{item.parent.nodeid}::{item.name}"
    return plain if item.nodeid.startswith(f"{plain}@") else item.nodeid


def without_group(nodeid: str) -> str:
    """The same where nothing but that id is known."""
    plain, _, group = nodeid.rpartition("@")
    return nodeid if not plain or "]" in group or "::" in group else plain


def adopt_module_marks(items: Iterable[pytest.Item]) -> None:
    """Give doctests the ``pytestmark`` of their module, which pytest gives to functions only."""
    for item in items:
        doctest = getattr(item, "dtest", None)  # only a doctest has one, and asking for the class takes longer
        if doctest is not None:
            marks = doctest.globs.get("pytestmark", [])
            for mark in marks if isinstance(marks, list) else [marks]:
                item.add_marker(mark)


def marks_of(item: pytest.Item) -> list[pytest.Mark]:
    """The markers of ours that a test has, the closest first; a bare ``stress`` asks for nothing."""
    found: list[pytest.Mark] = []
    for node in reversed(item.listchain()):  # what `iter_markers` does, but that takes several times as long
        own = [
            mark
            for mark in node.own_markers
            if mark.name in {SCHEDULE, BUDGET} or (mark.name == STRESS and (mark.args or mark.kwargs))
        ]
        found += own if len(own) < 2 else _closest_first(node, own)
    return found


def _closest_first(node: Node, marks: list[pytest.Mark]) -> list[pytest.Mark]:
    """The marks of one node: those of a parameter first, and those of a class before those of its base classes.

    pytest has a parameter's marks last, and those of base classes last in some versions and first in others.
    """
    if isinstance(node, pytest.Class):
        groups: list[Any] = [vars(each).get("pytestmark", ()) for each in node.obj.__mro__]
    else:
        groups = [getattr(getattr(node, "callspec", None), "marks", ())]
    distances: dict[int, int] = {}
    for distance, group in enumerate(groups):
        for mark in group if isinstance(group, list | tuple) else [group]:
            distances.setdefault(id(getattr(mark, "mark", mark)), distance)
    return sorted(marks, key=lambda mark: distances.get(id(mark), len(groups)))


def asks(item: pytest.Item) -> bool:
    """Whether a test uses a marker or a fixture of ours for anything, or has a budget of the configuration."""
    return asks_itself(item) or any(rules_for(item))


def asks_itself(item: pytest.Item) -> bool:
    """Whether a test uses a marker or a fixture of ours for anything."""
    return asks_by_fixture(item) or bool(marks_of(item))


def asks_by_fixture(item: pytest.Item) -> bool:
    """Whether a test uses a fixture of ours."""
    return not FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def read_rules(tables: Sequence[Mapping[str, Any]]) -> Sequence[Rule]:
    """The budgets of the configuration.

    Raises:
        pytest.UsageError: With one line for each thing that is wrong with them.
    """
    if not tables:
        return ()
    from pytest_twin.analysis.budgets.parser import BudgetError
    from pytest_twin.analysis.budgets.rules import rules
    from pytest_twin.loads.validation import read_load

    try:
        return rules(tables, read_load)
    except BudgetError as error:
        raise pytest.UsageError(
            "\n".join(f"pyproject.toml: {key}: {problem}" for key, problem in error.problems)
        ) from None


def rules_for(item: pytest.Item) -> Iterator[Mapping[str, Any]]:
    """The limits that the configuration has for a test, table by table."""
    rules = item.config.stash.get(RULES, ())
    if rules:
        marks = {mark.name for mark in item.iter_markers()}
        yield from (rule.keywords for rule in rules if rule.selects(item.nodeid, marks))


def request_of(item: pytest.Item) -> ItemRequest:
    """What a test asks for, found out when it is collected, and once more if it gets other markers while it runs.

    Raises:
        LoadError, ScheduleError, BudgetError: Something is wrong with it.
    """
    marks = marks_of(item)
    if not marks and not any(rules_for(item)):
        return NOTHING
    request = item.stash.get(REQUEST, None)
    if request is None or request.marks != marks:
        request = ItemRequest(marks, _load_of(marks), _schedule_of(item, marks), _budget_of(item, marks))
        item.stash[REQUEST] = request
    return request


def _budget_of(item: pytest.Item, marks: Iterable[pytest.Mark]) -> Budget | None:
    """The budget of a test, None without one.

    Of two limits of the same kind the closer mark's counts, and any mark's before the configuration's, in which a later
    table counts before an earlier one.

    Raises:
        BudgetError: Something is wrong with it.
    """
    own = [mark for mark in marks if mark.name == BUDGET]
    layers = [*rules_for(item), *(mark.kwargs for mark in reversed(own))]
    if not layers:
        return None
    from pytest_twin.analysis.budgets.parser import BudgetError, merged, parse
    from pytest_twin.loads.validation import read_load

    for mark in own:
        if mark.args or not mark.kwargs:
            said = repr(mark.args[0]) if mark.args else ""
            raise BudgetError([("", f"{BUDGET}({said}) has no keyword; write {BUDGET}(cpu_seconds=2)")])
    return parse(merged(layers), read_load)


def _load_of(marks: Iterable[pytest.Mark]) -> Load:
    """The load that a test's markers ask for; of two that say different things, the closer one counts.

    Raises:
        LoadError: Something is wrong with it.
    """
    from pytest_twin.loads.spec import Load, LoadError
    from pytest_twin.loads.validation import read_load, require_kind

    said: dict[str, dict[str, Any]] = {}  # by engine, of which each has words of its own
    for mark in reversed([mark for mark in marks if mark.name == STRESS]):
        if mark.args:
            raise LoadError(
                [(str(mark.args[0]), "has no keyword; write stress(cpu=...), stress(mem=...) or stress(disk=...)")]
            )
        words = dict(mark.kwargs)
        if not isinstance(words.pop(SHARED, False), bool):
            raise LoadError([(SHARED, "is not True or False")])
        said.setdefault(str(words.get("engine", "")), {}).update(words)
    asked = [keywords for keywords in said.values() if keywords]
    load = Load.merged(map(read_load, asked))
    for keywords in asked:
        require_kind(keywords, next(iter(keywords)))
    return load


def wants_alone(item: pytest.Item, each: Schedule | None) -> bool:
    """Whether a test should not run at the same time as others: it is put under load, and does not say ``shared``.

    Args:
        item: The test.
        each: The schedule that is played around each test that it selects.
    """
    request = request_of(item)
    shares = (mark.kwargs[SHARED] for mark in request.marks if mark.name == STRESS and SHARED in mark.kwargs)
    return _is_repeated(request) if next(shares, False) else needs_load(item, each)


def needs_load(item: pytest.Item, each: Schedule | None) -> bool:
    """Whether a test is put under load, or may put itself there.

    Args:
        item: The test.
        each: The schedule that is played around each test that it selects.
    """
    request = request_of(item)
    if _is_repeated(request) or not STRESSING.isdisjoint(getattr(item, "fixturenames", ())):
        return True
    if request.schedule or request.load:
        return True
    from pytest_twin.loads.player import selects

    return each is not None and any(selects(event, item.nodeid) for event in each.events)


def _is_repeated(request: ItemRequest) -> bool:
    return request.budget is not None and request.budget.repeats


def _schedule_of(item: pytest.Item, marks: Iterable[pytest.Mark]) -> Schedule | None:
    """The schedule that a test's marker names, looked for beside the test and then in the root directory.

    Raises:
        ScheduleError: The marker or the file is wrong.
    """
    mark = next((mark for mark in marks if mark.name == SCHEDULE), None)
    if mark is None:
        return None
    from pytest_twin.loads.schedule.file import open_schedule
    from pytest_twin.loads.schedule.schedule import ScheduleError

    if len(mark.args) != 1 or mark.kwargs or not isinstance(mark.args[0], str | Path):
        raise ScheduleError([f"{SCHEDULE} takes one path; write {SCHEDULE}('schedule.json')"])
    places = [folder / mark.args[0] for folder in (item.path.parent, item.config.rootpath)]
    return open_schedule(next((place for place in places if place.exists()), places[-1]), kinds())


def check(items: Iterable[pytest.Item]) -> None:
    """Read everything that these tests ask for.

    Raises:
        pytest.UsageError: With one line for each thing that is wrong, of the whole collection.
    """
    from pytest_twin.analysis.budgets.parser import BudgetError
    from pytest_twin.loads.schedule.schedule import ScheduleError
    from pytest_twin.loads.spec import LoadError

    wrong: dict[str, None] = {}
    for item in items:
        try:
            request_of(item)
        except LoadError as error:
            for key, problem in error.problems:
                wrong[f"{item.nodeid}: {STRESS}{f'({key})' if key else ''}: {problem}"] = None
        except BudgetError as error:
            for key, problem in error.problems:
                wrong[f"{_place(item, marks_of(item), key)}: {problem}"] = None
        except ScheduleError as error:
            for problem in error.problems:
                wrong[f"{item.nodeid}: {problem}"] = None
    if wrong:
        raise pytest.UsageError("\n".join(wrong))


def _place(item: pytest.Item, marks: Iterable[pytest.Mark], key: str) -> str:
    """Where a keyword of a budget was written: at the test, or once for many of them."""
    if not key:
        return item.nodeid
    if any(key.partition(":")[0] in mark.kwargs for mark in marks if mark.name == BUDGET):
        return f"{item.nodeid}: {BUDGET}({key})"
    return f"pyproject.toml: budgets: {key}"


def described(items: Iterable[pytest.Item], session: Schedule | None) -> Iterator[str]:
    """What would be applied to which test, line by line."""
    from pytest_twin.report.wording import format_count

    each = session if session is not None and session.is_for_each_test else None
    if session is not None and each is None:
        yield f"for the session, {format_count(len(session.events), 'event')} in {session.duration_s:.1f} s:"
        yield from (f" {event}" for event in session.events)
    for item in items:
        request = request_of(item)
        around = request.schedule or each
        given = getattr(getattr(item, "callspec", None), "params", {})
        words = [str(request.load or ""), *(f"{name}={given[name]}" for name in sorted(FIXTURES & given.keys()))]
        said = " ".join(filter(None, words))
        events = around.events if around is not None else ()
        if said or events:
            yield f"{item.nodeid}: {said}".rstrip(": ")
            yield from (f" {event}" for event in events)
