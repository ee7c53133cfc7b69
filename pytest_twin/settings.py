"""Each option once: its flag, its ini name, its default, its check, its help.

The plugin makes ``--twin-interval`` and ``twin_interval`` of a field, the command line ``--interval``, and the README
its table. A flag wins over pytest's own configuration, which wins over ``[tool.pytest-twin]`` of pyproject.toml.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from pytest_twin.model.measure import Limit

PER_TEST = ("marked", "all", "failed", "none")
INCONCLUSIVE = ("pass", "fail")
TABLE, BUDGETS = "pytest-twin", "budgets"
FORMS = ("html", "md", "json")
SHORTEST_PATIENCE_S = 2
LAST = "last"  # in the place of a baseline's name: the run that was saved last
DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10))}

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?", re.ASCII)


class SettingsError(ValueError):
    """An option has a value that it cannot have; the message is for the user."""


class Option(NamedTuple):
    """What is known of a field of `Settings` beside its default."""

    help: str
    read: Callable[[object], Any]
    metavar: str
    type: Literal["bool", "float", "string"]  # as pytest's ini options have them


def _number(raw: object) -> float:
    try:
        value = float(str(raw))
    except ValueError:
        value = math.nan
    if isinstance(raw, bool) or not 0 < value < math.inf:
        raise ValueError("is not a number above 0; write one such as 0.1")
    return value


def _switch(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if str(raw).strip().lower() not in known:
        raise ValueError("is neither true nor false")
    return known[str(raw).strip().lower()]


def _seconds(raw: object) -> float:
    from pytest_twin.model.quantity import duration

    try:
        return duration(raw)
    except ValueError:  # it begins with what was written, which stands in front of all that is said here
        raise ValueError("is no time; write seconds, or text such as 90s or 1m30s") from None


def _time(raw: object) -> str:
    if not _seconds(raw):
        raise ValueError("is no time at all")
    return str(raw)


def _patience(raw: object) -> str:
    if _seconds(raw) < SHORTEST_PATIENCE_S:
        raise ValueError(f"is below {SHORTEST_PATIENCE_S} s, for which a busy machine may well be silent")
    return str(raw)


def _interval(raw: object) -> float:
    value = _number(raw)
    if not 0.001 <= value <= 3600:
        raise ValueError("is not from 0.001 to 3600 seconds")
    return value


def _path(raw: object) -> Path:
    text = str(raw).strip()
    if not text or "\0" in text:
        raise ValueError("is not a path")
    return Path(text)


def _words(raw: object) -> dict[str, str | int]:
    """Keywords of a load: ``cpu=100% mem=50%``."""
    pairs = [word.partition("=") for word in str(raw).split()]
    if not pairs or not all(key and sign and value for key, sign, value in pairs):
        raise ValueError("is no load such as cpu=100% mem=50%")
    return {key: int(value) if value.isdecimal() else value for key, _, value in pairs}


def _near(word: str, known: Iterable[str]) -> str:
    """A hint at the word that was meant, empty where none is near."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _name(raw: object) -> str:
    """A name that is a safe one for a folder, on every system."""
    text = str(raw)
    if not _NAME.fullmatch(text) or text.partition(".")[0].upper() in DEVICES or text == LAST:
        raise ValueError(f"is no name of a baseline; use up to 64 of A-Z a-z 0-9 . _ -, but not {LAST}")
    return text


def _word(raw: object) -> str:
    text = str(raw).strip()
    if not text or "\0" in text:
        raise ValueError("is neither a baseline nor a path")
    return text


def _limits(raw: object) -> tuple[Limit, ...]:
    """Limits of what may be more: a text with commas, or a list of texts."""
    from pytest_twin.model.measure import LimitError, limits

    texts = raw if isinstance(raw, list | tuple) else [raw]
    try:
        return limits(map(str, texts))
    except LimitError as error:
        raise ValueError(f"cannot be read: {error}") from None


def _one_of(known: tuple[str, ...]) -> Callable[[object], str]:
    def read_one(raw: object) -> str:
        if raw not in known:
            raise ValueError(f"is not one of {', '.join(known)}{_near(str(raw), known)}")
        return str(raw)

    return read_one


def read_forms(raw: object) -> tuple[str, ...]:
    """Forms of a report: ``html,md``; each once, in the order in which they stand.

    Raises:
        ValueError: One is not known.
    """
    words = [str(word).strip() for word in (raw if isinstance(raw, list | tuple) else str(raw).split(","))]
    words = [word for word in words if word]
    if unknown := [word for word in words if word not in FORMS]:
        which = "is" if len(words) == 1 else f"has {unknown[0]!r:.40}, which is"
        raise ValueError(f"{which} not one of {', '.join(FORMS)}{_near(unknown[0], FORMS)}")
    if not words:
        raise ValueError(f"names none of {', '.join(FORMS)}")
    return tuple(dict.fromkeys(words))


def _option(default: Any, reader: Callable[[object], Any], text: str, metavar: str = "") -> Any:
    kind: Literal["bool", "float", "string"] = (
        "bool" if isinstance(default, bool) else "float" if isinstance(default, float) else "string"
    )
    return field(default=default, metadata={"option": Option(text, reader, metavar, kind)})


@dataclass(frozen=True)
class Settings:
    """The options of a run, read once."""

    enabled: bool = _option(False, _switch, "record every test")
    schedule: Path | None = _option(None, _path, "play this schedule of loads around the tests", "PATH")
    schedule_speed: float = _option(1.0, _number, "play schedules so many times faster", "X")
    interval: float = _option(0.1, _interval, "seconds between two samples", "SECONDS")
    report_dir: Path = _option(Path("twin-report"), _path, "where the files go", "DIR")
    per_test: str = _option(
        "marked", _one_of(PER_TEST), "which tests get a folder of their own: marked, all, failed or none", "WHICH"
    )
    per_core: bool = _option(False, _switch, "a column for each CPU")
    limit: Mapping[str, Any] | None = _option(
        None, _words, "the most load at the same time; what would be more is not applied", "LOAD"
    )
    save: str | None = _option(None, _name, "keep the run as one more of this baseline", "NAME")
    compare: str | None = _option(
        None, _word, "compare with these runs: a baseline, the path of a run folder, or last for what was saved last",
        "RUNS",
    )  # fmt: skip
    fail_on: tuple[Limit, ...] = _option(
        (), _limits, "fail where this is more than in what is compared with, such as cpu_seconds>10%,peak_memory>50MiB",
        "LIMITS",
    )  # fmt: skip
    baselines: Path = _option(Path(".twin-baselines"), _path, "where the baselines are", "DIR")
    report: tuple[str, ...] | None = _option(
        None, read_forms, "what to make of the run at its end: html, md, json", "FORMS"
    )
    json: Path | None = _option(None, _path, "write the run into this file as JSON", "PATH")
    profile: bool = _option(False, _switch, "find out which load slows each test, and from how much of it on")
    profile_time: str = _option("5m", _time, "how long that may take for all tests together", "TIME")
    inconclusive: str = _option(
        "pass",
        _one_of(INCONCLUSIVE),
        "what a budget does that could not be judged: pass, with a warning, or fail",
        "WHICH",
    )
    host_timeout: str = _option(
        "60s", _patience, "how long nothing may be heard of a worker on another host before it is given up", "TIME",
    )  # fmt: skip
    dry_run: bool = _option(False, _switch, "print what would be applied to which test, apply nothing")
    budgets: tuple[Mapping[str, Any], ...] = ()  # tables of pyproject.toml only: no flag could hold them

    @classmethod
    def of(cls, *sources: Mapping[str, object]) -> Settings:
        """Settings from sources of raw values by field name; the first that has a field wins, None is no value.

        Raises:
            SettingsError: A value cannot be read.
        """
        values: dict[str, Any] = {}
        for name, option in options().items():
            raw = next((value for source in sources if (value := source.get(name)) is not None and value != ""), None)
            if raw is not None:
                values[name] = read(name, option, raw)
        if any(values.get(name) for name in ("save", "compare", "profile", "report", "json")):
            values["enabled"] = True  # what is to be told has to be recorded
        values[BUDGETS] = next((source[BUDGETS] for source in sources if BUDGETS in source), ())
        return cls(**values)


def read(name: str, option: Option, raw: object) -> Any:
    """One value, read and checked.

    Raises:
        SettingsError: It cannot be read.
    """
    try:
        return option.read(raw)
    except ValueError as error:
        raise SettingsError(f"{word(name)}: {str(raw)!r:.100} {error}") from None


def options(of: type[DataclassInstance] = Settings) -> dict[str, Option]:
    """The options by field name."""
    return {each.name: each.metadata["option"] for each in fields(of) if "option" in each.metadata}


def default(name: str) -> Any:
    """What a field is where nobody says otherwise."""
    return next(each.default for each in fields(Settings) if each.name == name)


def help_of(name: str, instead: object = None) -> str:
    """The help of an option, and its default where it has one; `instead` is that of who has one of its own."""
    option, value = options()[name], default(name) if instead is None else instead
    return option.help if option.type == "bool" or value in {None, ()} else f"{option.help} (default: {value})"


def word(name: str) -> str:
    """The option as pytest knows it, without dashes: the ini name (``twin_interval``)."""
    return "twin" if name == "enabled" else f"twin_{name}"


def flag(name: str) -> str:
    """The option on pytest's command line."""
    return "--" + word(name).replace("_", "-")


def from_pyproject(document: Mapping[str, Any]) -> dict[str, object]:
    """What ``[tool.pytest-twin]`` says, and under it pytest's own ``twin_*`` keys of the same file.

    Raises:
        SettingsError: The table has a key that no option has.
    """
    tool = document.get("tool", {})
    own = tool.get(TABLE, {})
    for name, table in ((TABLE, own), ("pytest", tool.get("pytest", {}))):
        if not isinstance(table, dict):
            raise SettingsError(f"pyproject.toml: [tool.{name}] is not a table")
    names = {("twin" if name == "enabled" else name): name for name in (*options(), BUDGETS)}
    if not _are_tables(own.get(BUDGETS, [])):
        raise SettingsError(
            f"pyproject.toml: [tool.{TABLE}]: {BUDGETS} is not a list of tables; write [[tool.{TABLE}.{BUDGETS}]]"
        )
    for key in [key for key in own if key not in names]:
        hint = _near(key, names) or f"; known are {', '.join(names)}"
        raise SettingsError(f"pyproject.toml: [tool.{TABLE}]: unknown key {key}{hint}")
    pytests = {**tool.get("pytest", {}).get("ini_options", {}), **tool.get("pytest", {})}
    under = {name: pytests[word(name)] for name in options() if word(name) in pytests}
    return {**{names[key]: value for key, value in own.items()}, **under}


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def table_of(pyproject: Path) -> dict[str, object]:
    """What a pyproject.toml says; nothing where there is none, or where it does not name us.

    Raises:
        SettingsError: It is not TOML, or has a key that no option has.
    """
    try:
        text = pyproject.read_bytes()
    except OSError:
        return {}
    if TABLE.encode() not in text and b"twin_" not in text:
        return {}
    import tomllib

    try:
        return from_pyproject(tomllib.loads(text.decode()))
    except ValueError as error:
        if isinstance(error, SettingsError):
            raise
        raise SettingsError(f"{pyproject.name}: {error}") from None
