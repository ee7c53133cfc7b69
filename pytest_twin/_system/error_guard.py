"""Keeps an error of ours from a test: pytest goes on as without us, and the error is reported once."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import wraps
from os.path import dirname
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from types import TracebackType

Value = TypeVar("Value")
Hook = TypeVar("Hook", bound=Callable[..., Any])  # of generators
PACKAGE = dirname(dirname(__file__))
MOST_LINES = 5  # different errors in the terminal summary


class ErrorGuard:
    """A context manager that ends its block at an error of ours, reports that, and goes on behind the block.

    What fails a test on purpose passes: pytest's own exceptions are no `Exception`, and others can be named.

    Attributes:
        errors: How often each error came, by its text.
    """

    def __init__(self, note: Callable[[str], None], passes: tuple[type[Exception], ...] = ()) -> None:
        """Prepare it.

        Args:
            note: Writes the text of an error into annotations.csv, the first time that it comes.
            passes: Exceptions that are no errors of ours.
        """
        self._note, self._passes = note, passes
        self.errors: dict[str, int] = {}

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception) or isinstance(error, self._passes):
            return False
        self.report(error)
        return True

    def value(self, read: Callable[[], Value], otherwise: Value) -> Value:
        """What a function gives; where it fails, that is reported, and this comes in its place."""
        try:
            return read()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no business of the test's
            self.report(error)
            return otherwise

    def report(self, error: Exception) -> None:
        """Count an error, and note it if it is new."""
        text = f"error in pytest-twin at {_place(error)}: {type(error).__name__}: {_said(error)}"
        known = self.errors.get(text, 0)
        self.errors[text] = known + 1
        if not known:
            try:
                self._note(text)
            except Exception as another:  # noqa: BLE001 - what writes the note may be what fails
                self.errors.setdefault(
                    f"error in pytest-twin at {_place(another)}: {type(another).__name__}: {_said(another)}", 1
                )

    @property
    def lines(self) -> list[str]:
        """What the terminal summary says."""
        lines = [
            f"warning: {text}{f' ({times} times)' if times > 1 else ''}; figures that depend on it are "
            "missing; please report this"
            for text, times in self.errors.items()
        ]
        more = len(lines) - MOST_LINES
        return lines if more <= 0 else [*lines[:MOST_LINES], f"warning: … and {more} more errors in pytest-twin"]


class HasGuard(Protocol):
    """An object with hooks that have a guard."""

    guard: ErrorGuard


def guarded(hook: Hook) -> Hook:
    """A wrapper hook whose own errors change nothing: what it wraps is called, and its result or its error counts.

    An error before the ``yield`` ends the hook: what would come behind the ``yield`` is left out.
    """

    @wraps(hook)
    def wrapper(self: HasGuard, *args: Any, **named: Any) -> Generator[None, Any, Any]:
        __tracebackhide__ = True
        ours = hook(self, *args, **named)
        is_begun = False
        with self.guard:
            next(ours)
            is_begun = True
        try:
            result = yield
        except BaseException as error:
            if is_begun:
                with self.guard:
                    _throw(ours, error)
            raise
        if is_begun:
            with self.guard:
                result = _send(ours, result)
        return result

    return wrapper  # type: ignore[return-value]


def _send(ours: Generator[None, Any, Any], result: Any) -> Any:
    """Let a hook go on behind its ``yield``, to its end."""
    try:
        ours.send(result)
    except StopIteration as end:
        return end.value
    raise RuntimeError("the hook yielded twice")


def _throw(ours: Generator[None, Any, Any], error: BaseException) -> None:
    """The same, where what it wraps has raised an error."""
    try:
        ours.throw(error)
    except StopIteration:
        pass
    except BaseException as raised:
        if raised is not error:
            raise


def _place(error: BaseException) -> str:
    """The last line of ours that it came through."""
    place, trace = "?", error.__traceback__
    caller = trace and trace.tb_frame.f_back  # of the guard
    lines = [(caller, caller.f_lineno)] if caller else []
    while trace is not None:
        lines.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    for frame, line in lines:
        file = frame.f_code.co_filename
        if file.startswith(PACKAGE) and file != __file__:
            place = f"{file[len(PACKAGE) + 1 :]}:{line}"
    return place


def _said(error: BaseException) -> str:
    """Its words, on one line; where they cannot be had, none."""
    try:
        return " ".join(str(error).split())[:200]
    except Exception:  # noqa: BLE001 - an exception of a test, whose own `__str__` may raise
        return "?"
