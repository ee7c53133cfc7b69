"""Isolation of the plugin's own errors: pytest goes on as without the plugin, and each error is reported once."""

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
    """A context manager that suppresses errors of its block and reports them.

    Exceptions that fail a test on purpose are not suppressed: pytest's own are no `Exception`, others can be named.

    Attributes:
        errors: The number of occurrences of each error by its text.
    """

    def __init__(self, note: Callable[[str], None], passes: tuple[type[Exception], ...] = ()) -> None:
        """Start without errors.

        Args:
            note: Writes the text of an error into annotations.csv, called at its first occurrence.
            passes: Exceptions that are not suppressed.
        """
        self._note, self._passes = note, passes
        self.errors: dict[str, int] = {}

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return isinstance(error, Exception) and self.absorb(error)

    def absorb(self, error: Exception) -> bool:
        """Report an error that must not reach the test; return False for one that has to."""
        if isinstance(error, self._passes):
            return False
        self.report(error)
        return True

    def value(self, read: Callable[[], Value], otherwise: Value) -> Value:
        """Return the value of a function; if it fails, report the error and return another value."""
        try:
            return read()
        except Exception as error:  # noqa: BLE001 - no error may reach the test
            self.report(error)
            return otherwise

    def report(self, error: Exception) -> None:
        """Count an error, and note its first occurrence."""
        text = f"error in pytest-twin at {_place(error)}: {type(error).__name__}: {_message(error)}"
        known = self.errors.get(text, 0)
        self.errors[text] = known + 1
        if not known:
            try:
                self._note(text)
            except Exception as another:  # noqa: BLE001 - the note itself may fail
                self.errors.setdefault(
                    f"error in pytest-twin at {_place(another)}: {type(another).__name__}: {_message(another)}", 1
                )

    @property
    def lines(self) -> list[str]:
        """The lines of the terminal summary."""
        lines = [
            f"warning: {text}{f' ({times} times)' if times > 1 else ''}; figures that depend on it are "
            "missing; please report this"
            for text, times in self.errors.items()
        ]
        more = len(lines) - MOST_LINES
        return lines if more <= 0 else [*lines[:MOST_LINES], f"warning: … and {more} more errors in pytest-twin"]


class HasGuard(Protocol):
    """A plugin object whose hooks are guarded."""

    guard: ErrorGuard


def guarded(hook: Hook) -> Hook:
    """Guard a wrapper hook: its own errors change neither the call that it wraps nor the result of that.

    An error before the ``yield`` ends the hook: the code after the ``yield`` is skipped.
    """

    @wraps(hook)
    def wrapper(self: HasGuard, *args: Any) -> Generator[None, Any, Any]:
        __tracebackhide__ = True
        generator = hook(self, *args)
        is_begun = False
        try:
            next(generator)
            is_begun = True
        except Exception as error:
            if not self.guard.absorb(error):
                raise
        try:
            result = yield
        except BaseException as error:
            if is_begun:
                with self.guard:
                    _throw(generator, error)
            raise
        if not is_begun:
            return result
        try:
            generator.send(result)
        except StopIteration as end:
            return end.value
        except Exception as error:
            if not self.guard.absorb(error):
                raise
            return result
        self.guard.report(RuntimeError("the hook yielded twice"))
        return result

    return wrapper  # type: ignore[return-value]


def _throw(generator: Generator[None, Any, Any], error: BaseException) -> None:
    """Resume a hook after its ``yield`` with an error of the call that it wraps."""
    try:
        generator.throw(error)
    except StopIteration:
        pass
    except BaseException as raised:
        if raised is not error:
            raise


def _place(error: BaseException) -> str:
    """Return the file and line of the last frame of this package in a traceback."""
    place, trace = "?", error.__traceback__
    caller = trace and trace.tb_frame.f_back  # the code that uses the guard
    lines = [(caller, caller.f_lineno)] if caller else []
    while trace is not None:
        lines.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    for frame, line in lines:
        file = frame.f_code.co_filename
        if file.startswith(PACKAGE) and file != __file__:
            place = f"{file[len(PACKAGE) + 1 :]}:{line}"
    return place


def _message(error: BaseException) -> str:
    """Return the message of an error on one line, or a question mark if it has none that can be read."""
    try:
        return " ".join(str(error).split())[:200]
    except Exception:  # noqa: BLE001 - an exception of a test, whose own `__str__` may raise
        return "?"
