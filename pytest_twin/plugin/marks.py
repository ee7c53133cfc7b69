"""Parse and check the markers of a test, when it is collected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_twin.plugin.stash import BUDGET_RULES, CONFIGURED_BUDGETS, REQUEST, SETTINGS, ItemRequest

if TYPE_CHECKING:
    from _pytest.nodes import Node

    from pytest_twin.analysis.budgets.budget import Budget
    from pytest_twin.analysis.budgets.rules import Rule
    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.loads.spec import Kinds, Load

# Every pytest that has the plugin installed imports this: the parsers are imported only where a test needs them.

STRESS, CONSTRAIN, SHARED, SCHEDULE, BUDGET = "stress", "constrain", "shared", "twin_schedule", "twin_budget"
STRESS_FIXTURES = frozenset({"stress_load", "stress_cpu", "stress_mem", "stress_disk"})
FIXTURES = STRESS_FIXTURES | {"twin_logger"}
MARKERS = (
    f"{STRESS}(cpu=, mem=, disk=, ramp=, ...): apply this load while the test runs; a bare mark applies none",
    f"{CONSTRAIN}(cpu=, period=, cpus=, mem=, io=): let the test and its processes use no more than this while it runs",
    f"{SCHEDULE}(path): play this schedule of loads while the test runs",
    f"{BUDGET}(cpu_seconds=, peak_memory=, duration=, ...): fail the test if it exceeds this budget",
)
NAMES = frozenset({STRESS, CONSTRAIN, SCHEDULE, BUDGET})
NO_REQUEST = ItemRequest()


def kinds() -> Kinds:
    """Return all kinds of loads."""
    from pytest_twin.loads.registry import kinds as find

    return find()


def has_workers(config: pytest.Config) -> bool:
    """Return whether tests run in pytest-xdist workers, so that only these know their markers."""
    return getattr(config.option, "dist", "no") != "no" and not hasattr(config, "workerinput")


def runs_tests(session: pytest.Session) -> bool:
    """Return whether tests will run in this process; the controller of pytest-xdist has none.

    A session without tests leaves the report of the last one alone.
    """
    option = session.config.option
    is_broken = session.testsfailed and not option.continue_on_collection_errors
    return not (option.collectonly or is_broken) and bool(session.items)


def is_dry_run(config: pytest.Config) -> bool:
    """Return whether no test is run: in a dry run of pytest-twin, and with pytest's ``--setup-plan``."""
    return config.stash[SETTINGS].dry_run or getattr(config.option, "setupplan", False)


def nodeid_of(item: pytest.Item) -> str:
    """Return the id of a test, without the group that pytest-xdist appends in its workers (``--dist=loadgroup``)."""
    if not getattr(item.config.option, "loadgroup", False) or item.parent is None:
        return item.nodeid
    plain = f"{item.parent.nodeid}::{item.name}"
    return plain if item.nodeid.startswith(f"{plain}@") else item.nodeid


def strip_group(nodeid: str) -> str:
    """Return an id without the group that pytest-xdist appends, where the test itself is not known."""
    plain, _, group = nodeid.rpartition("@")
    return nodeid if not plain or "]" in group or "::" in group else plain


def adopt_module_marks(items: Iterable[pytest.Item]) -> None:
    """Give doctests the ``pytestmark`` of their module, which pytest gives to functions only."""
    for item in items:
        doctest = getattr(item, "dtest", None)  # only a doctest has one; this is faster than `isinstance`
        if doctest is not None:
            marks = doctest.globs.get("pytestmark", [])
            for mark in marks if isinstance(marks, list) else [marks]:
                item.add_marker(mark)


def marks_of(item: pytest.Item) -> list[pytest.Mark]:
    """Return the markers of pytest-twin that a test has, the closest first, without a bare ``stress``."""
    found: list[pytest.Mark] = []
    node: Node | None = item
    while node is not None:  # like `iter_markers`, but several times faster
        for mark in node.own_markers:
            if mark.name in NAMES:
                found += _own_marks(node)
                break
        node = node.parent
    return found


def _own_marks(node: Node) -> list[pytest.Mark]:
    ours = [
        each for each in node.own_markers if each.name in NAMES and (each.name != STRESS or each.args or each.kwargs)
    ]
    return ours if len(ours) < 2 else _closest_first(node, ours)


def _closest_first(node: Node, marks: list[pytest.Mark]) -> list[pytest.Mark]:
    """Sort the marks of one node: those of a parameter first, and those of a class before those of its base classes.

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


def uses_plugin(item: pytest.Item) -> bool:
    """Return whether a test uses a marker or a fixture of pytest-twin, or has a budget of the configuration."""
    return uses_marker_or_fixture(item) or bool(_rules_for(item))


def uses_marker_or_fixture(item: pytest.Item) -> bool:
    """Return whether a test uses a marker or a fixture of pytest-twin."""
    return uses_fixture(item) or bool(marks_of(item))


def uses_fixture(item: pytest.Item) -> bool:
    """Return whether a test uses a fixture of pytest-twin."""
    return not FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def read_rules(tables: Sequence[Mapping[str, Any]]) -> Sequence[Rule]:
    """Parse the budgets of the configuration.

    Raises:
        pytest.UsageError: They have errors; the message has one line for each.
    """
    if not tables:
        return ()
    from pytest_twin.analysis.budgets.parser import BudgetError
    from pytest_twin.analysis.budgets.rules import parse_rules
    from pytest_twin.loads.validation import read_load

    try:
        return parse_rules(tables, read_load)
    except BudgetError as error:
        raise pytest.UsageError(
            "\n".join(f"pyproject.toml: {key}: {problem}" for key, problem in error.problems)
        ) from None


def _rules_for(item: pytest.Item) -> tuple[int, ...]:
    """Return the indices of the rules that the configuration has for the budget of a test."""
    rules = item.config.stash.get(BUDGET_RULES, ())
    if not rules:
        return ()
    marks = {mark.name for mark in item.iter_markers()}
    return tuple(at for at, rule in enumerate(rules) if rule.selects(item.nodeid, marks))


def request_of(item: pytest.Item) -> ItemRequest:
    """Return what the markers of a test ask for.

    They are parsed when the test is collected, and once more only if it gets other markers while it runs.

    Raises:
        LoadError, ScheduleError, BudgetError: A marker has an error.
    """
    if REQUEST not in item.stash and not marks_of(item) and not item.config.stash.get(BUDGET_RULES, ()):
        return NO_REQUEST
    every_mark: list[pytest.Mark] = []
    node: Node | None = item
    while node is not None:
        every_mark += node.own_markers
        node = node.parent
    request = item.stash.get(REQUEST, None)
    if request is None or request.every_mark != every_mark:
        marks = marks_of(item)
        load = _load_of(marks)
        if (constraint := _constraint_of(marks)) is not None:
            from pytest_twin.loads.spec import Load

            load = Load.merged([load, constraint])
        request = ItemRequest(marks, load, _schedule_of(item, marks), _budget_of(item, marks), every_mark)
        item.stash[REQUEST] = request
    return request


def _budget_of(item: pytest.Item, marks: Iterable[pytest.Mark]) -> Budget | None:
    """Return the budget of a test, None without one.

    Of two limits of the same kind the closer mark takes precedence; a mark takes precedence over the configuration, and
    a later table of that over an earlier one.

    Raises:
        BudgetError: A limit has an error.
    """
    own = [mark for mark in marks if mark.name == BUDGET]
    rules = _rules_for(item)
    if not own and not rules:
        return None
    configured = item.config.stash[CONFIGURED_BUDGETS]
    if not own and rules in configured:
        return configured[rules]
    layers = [item.config.stash[BUDGET_RULES][at].keywords for at in rules]
    layers += [mark.kwargs for mark in reversed(own)]
    from pytest_twin.analysis.budgets.parser import BudgetError, merge_layers, parse
    from pytest_twin.loads.validation import read_load

    for mark in own:
        if mark.args or not mark.kwargs:
            argument = repr(mark.args[0]) if mark.args else ""
            raise BudgetError([("", f"{argument} has no keyword; write {BUDGET}(cpu_seconds=2)".lstrip())])
    budget = parse(merge_layers(layers), read_load)
    if not own:
        configured[rules] = budget
    return budget


def _load_of(marks: Iterable[pytest.Mark]) -> Load:
    """Return the load that a test's markers ask for; of two values for the same keyword the closer mark's counts.

    Raises:
        LoadError: A keyword has an error.
    """
    from pytest_twin.loads.spec import Load, LoadError
    from pytest_twin.loads.validation import read_load, require_kind

    by_engine: dict[str, dict[str, Any]] = {}  # each engine has keywords of its own
    for mark in reversed([mark for mark in marks if mark.name == STRESS]):
        if mark.args:
            raise LoadError(
                [(str(mark.args[0]), "has no keyword; write stress(cpu=...), stress(mem=...) or stress(disk=...)")]
            )
        words = dict(mark.kwargs)
        if not isinstance(words.pop(SHARED, False), bool):
            raise LoadError([(SHARED, "is not True or False")])
        by_engine.setdefault(str(words.get("engine", "")), {}).update(words)
    requested = [keywords for keywords in by_engine.values() if keywords]
    load = Load.merged(map(read_load, requested))
    for keywords in requested:
        require_kind(keywords, next(iter(keywords)))
    return load


def _constraint_of(marks: Iterable[pytest.Mark]) -> Load | None:
    """Return the constraint that a test's markers ask for, None without one; the closer mark's keyword counts.

    Raises:
        ConstraintError: A keyword has an error.
    """
    own = [mark for mark in marks if mark.name == CONSTRAIN]
    if not own:
        return None
    from pytest_twin.loads.constraint import KEYWORDS, ConstraintError
    from pytest_twin.loads.validation import read_constraint

    words: dict[str, Any] = {}
    for mark in reversed(own):
        if mark.args or not mark.kwargs:
            advice = ", ".join(f"{CONSTRAIN}({name}=...)" for name in KEYWORDS if name != "period")
            raise ConstraintError([(str(mark.args[0]) if mark.args else "", f"has no keyword; write {advice}")])
        words.update(mark.kwargs)
    return read_constraint(words)


def runs_alone(item: pytest.Item, each: Schedule | None) -> bool:
    """Return whether no other test of its host may run at the same time: it runs under load, and is not ``shared``.

    A constraint is for the test alone, so that others may run beside it.

    Args:
        item: The test.
        each: The schedule that is played around each test that it selects.
    """
    request = request_of(item)
    shares = (mark.kwargs[SHARED] for mark in request.marks if mark.name == STRESS and SHARED in mark.kwargs)
    return _is_repeated(request) if next(shares, False) else _applies(item, each, lambda load: load.adds_load)


def needs_supervisor(item: pytest.Item, each: Schedule | None) -> bool:
    """Return whether a test runs under a load or a constraint, or may start a load itself.

    Args:
        item: The test.
        each: The schedule that is played around each test that it selects.
    """
    return _applies(item, each, bool)


def _applies(item: pytest.Item, each: Schedule | None, counts: Callable[[Load], bool]) -> bool:
    """Return whether a test may start a load itself, or runs under one that counts."""
    request = request_of(item)
    if _is_repeated(request) or not STRESS_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        return True
    if request.load and counts(request.load):
        return True
    if request.schedule:
        return any(counts(event.load) for event in request.schedule.events)
    from pytest_twin.loads.player import selects

    return each is not None and any(counts(event.load) and selects(event, item.nodeid) for event in each.events)


def _is_repeated(request: ItemRequest) -> bool:
    return request.budget is not None and request.budget.repeats


def _schedule_of(item: pytest.Item, marks: Iterable[pytest.Mark]) -> Schedule | None:
    """Read the schedule that a test's marker names, from the folder of the test or from the root directory.

    Raises:
        ScheduleError: The marker or the file has an error.
    """
    mark = next((mark for mark in marks if mark.name == SCHEDULE), None)
    if mark is None:
        return None
    from pytest_twin.loads.schedule.schedule import ScheduleError
    from pytest_twin.run_folder.schedule_file import open_schedule

    if len(mark.args) != 1 or mark.kwargs or not isinstance(mark.args[0], str | Path):
        raise ScheduleError([f"{SCHEDULE} takes one path; write {SCHEDULE}('schedule.json')"])
    places = [folder / mark.args[0] for folder in (item.path.parent, item.config.rootpath)]
    return open_schedule(next((place for place in places if place.exists()), places[-1]), kinds())


def check_requests(items: Iterable[pytest.Item]) -> None:
    """Parse the markers of these tests.

    Raises:
        pytest.UsageError: Some have errors; the message has one line for each error of the whole collection.
    """
    from pytest_twin.analysis.budgets.parser import BudgetError
    from pytest_twin.loads.constraint import ConstraintError
    from pytest_twin.loads.schedule.schedule import ScheduleError
    from pytest_twin.loads.spec import LoadError

    errors: dict[str, None] = {}
    for item in items:
        try:
            request_of(item)
        except LoadError as error:
            mark = CONSTRAIN if isinstance(error, ConstraintError) else STRESS
            for key, problem in error.problems:
                errors[f"{item.nodeid}: {mark}{f'({key})' if key else ''}: {problem}"] = None
        except BudgetError as error:
            for key, problem in error.problems:
                errors[f"{_place(item, marks_of(item), key)}: {problem}"] = None
        except ScheduleError as error:
            for problem in error.problems:
                errors[f"{item.nodeid}: {problem}"] = None
    if errors:
        raise pytest.UsageError("\n".join(errors))


def _place(item: pytest.Item, marks: Iterable[pytest.Mark], key: str) -> str:
    """Return where a limit of a budget was written: at the test, or in the configuration."""
    if not key:
        return f"{item.nodeid}: {BUDGET}"
    if any(key.partition(":")[0] in mark.kwargs for mark in marks if mark.name == BUDGET):
        return f"{item.nodeid}: {BUDGET}({key})"
    return f"pyproject.toml: budgets: {key}"


def describe_requests(
    items: Iterable[pytest.Item],
    session: Schedule | None,
    stress: Load | None = None,
    surroundings: Callable[[str, ItemRequest], Schedule | None] | None = None,
) -> Iterator[str]:
    """Yield a line for each load that would be applied to a test.

    Args:
        items: The tests.
        session: The schedule of the session.
        stress: The load around every test.
        surroundings: Returns the schedule that a recording asks for around a test; None without one.
    """
    from pytest_twin.report.wording import format_count

    each = session if session is not None and session.is_for_each_test else None
    if session is not None and each is None:
        yield f"for the session, {format_count(len(session.events), 'event')} in {session.duration_s:.1f} s:"
        yield from (f" {event}" for event in session.events)
    for item in items:
        request = request_of(item)
        around = surroundings(nodeid_of(item), request) if surroundings is not None else request.schedule or each
        given = getattr(getattr(item, "callspec", None), "params", {})
        words = [
            str(request.load or ""),
            str(stress or ""),
            *(f"{name}={given[name]}" for name in sorted(FIXTURES & given.keys())),
        ]
        text = " ".join(filter(None, words))
        events = around.events if around is not None else ()
        if text or events:
            yield f"{item.nodeid}: {text}".rstrip(": ")
            yield from (f" {event}" for event in events)
