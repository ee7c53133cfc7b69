"""Budgets for several tests: tables in a configuration, each with the tests that it selects."""

from __future__ import annotations

import ast
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_twin.analysis.budgets.parser import KEYWORDS, BudgetError, ReadLoad, parse_values
from pytest_twin.model.error_text import unknown
from pytest_twin.model.nodeid_pattern import matches

Marks = Container[str]
SELECTORS = ("mark", "path")


class Rule(NamedTuple):
    """A budget, and the tests that it applies to.

    Attributes:
        has_marks: Tells whether a test with these marks is selected.
        path: The pattern that the node id of a test matches, or begins with.
        keywords: The limits.
    """

    has_marks: Callable[[Marks], bool]
    path: str
    keywords: Mapping[str, Any]

    def selects(self, nodeid: str, marks: Marks) -> bool:
        """Tell whether the rule applies to a test."""
        return matches(self.path, nodeid) and self.has_marks(marks)


def parse_rules(tables: Sequence[Mapping[str, Any]], read_load: ReadLoad) -> list[Rule]:
    """Parse the tables.

    Raises:
        BudgetError: Tables have errors; it lists all of them with their places.
    """
    found: list[Rule] = []
    problems: list[tuple[str, str]] = []
    for at, table in enumerate(tables):
        place = f"budgets[{at}]"
        try:
            found.append(_rule(table, read_load))
        except BudgetError as error:
            problems += [(f"{place}.{key}" if key else place, problem) for key, problem in error.problems]
    if problems:
        raise BudgetError(problems)
    return found


def _rule(table: Mapping[str, Any], read_load: ReadLoad) -> Rule:
    limits = {name: raw for name, raw in table.items() if name not in SELECTORS}
    problems = [("", unknown(name, [*SELECTORS, *KEYWORDS], "keyword")) for name in limits if name not in KEYWORDS]
    limits = {name: raw for name, raw in limits.items() if name in KEYWORDS}
    if not limits and not problems:
        problems.append(("", 'has no limit; write one such as duration = "1s"'))
    try:
        parse_values(limits, read_load)
    except BudgetError as error:
        problems += error.problems
    has_marks: Callable[[Marks], bool] = _all
    path = table.get("path", "")
    if not isinstance(path, str):
        problems.append(("path", f'{path!r} is not a pattern such as "tests/db/*"'))
    try:
        has_marks = parse_expression(table["mark"]) if "mark" in table else _all
    except ValueError as error:
        problems.append(("mark", str(error)))
    if problems:
        raise BudgetError(problems)
    return Rule(has_marks, path, limits)


def _all(_: Marks) -> bool:
    return True


def parse_expression(text: object) -> Callable[[Marks], bool]:
    """Parse an expression of marks, such as ``slow and not db``.

    Raises:
        ValueError: It is not a valid expression.
    """
    if isinstance(text, str) and len(text) <= 1000:
        try:
            return _meaning(ast.parse(text.strip(), mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
    raise ValueError(f'{text!r:.100} is not an expression of marks; write one such as "slow and not db"')


def _meaning(node: ast.expr) -> Callable[[Marks], bool]:
    if isinstance(node, ast.Name):
        name = node.id
        return lambda marks: name in marks
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _meaning(node.operand)
        return lambda marks: not inner(marks)
    if isinstance(node, ast.BoolOp):
        parts = [_meaning(value) for value in node.values]
        decide = all if isinstance(node.op, ast.And) else any
        return lambda marks: decide(part(marks) for part in parts)
    raise ValueError
