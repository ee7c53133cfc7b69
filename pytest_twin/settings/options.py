"""Each option once: its flag, its ini name, its default, its reader, its help.

The plugin makes ``--twin-interval`` and ``twin_interval`` of a field, the command line ``--interval``, and the README
its table. A flag wins over pytest's own configuration, which wins over ``[tool.pytest-twin]`` of pyproject.toml.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pytest_twin.settings import parsers as values

if TYPE_CHECKING:
    from pytest_twin.model.measure import ChangeLimit

PER_TEST = ("marked", "all", "failed", "none")
INCONCLUSIVE = ("pass", "fail")
TABLE, BUDGETS = "pytest-twin", "budgets"


class SettingsError(ValueError):
    """An option has a value that it cannot have; the message is for the user."""


class Option(NamedTuple):
    """What is known of a field of `Settings` beside its default."""

    help: str
    read: Callable[[object], Any]
    metavar: str
    type: Literal["bool", "float", "string"]  # as pytest's ini options have them


def _option(default: Any, reader: Callable[[object], Any], text: str, metavar: str = "") -> Any:
    kind: Literal["bool", "float", "string"] = (
        "bool" if isinstance(default, bool) else "float" if isinstance(default, float) else "string"
    )
    return field(default=default, metadata={"option": Option(text, reader, metavar, kind)})


@dataclass(frozen=True)
class Settings:
    """The options of a run, read once."""

    enabled: bool = _option(False, values.switch, "record every test")
    schedule: Path | None = _option(None, values.path, "play this schedule of loads around the tests", "PATH")
    schedule_speed: float = _option(1.0, values.number, "play schedules so many times faster", "X")
    interval: float = _option(0.1, values.interval, "seconds between two samples", "SECONDS")
    report_dir: Path = _option(Path("twin-report"), values.path, "where the files go", "DIR")
    per_test: str = _option(
        "marked", values.one_of(PER_TEST), "which tests get a folder of their own: marked, all, failed or none", "WHICH"
    )
    per_core: bool = _option(False, values.switch, "a column for each CPU")
    limit: Mapping[str, Any] | None = _option(
        None, values.load, "the most load at the same time; what would be more is not applied", "LOAD"
    )
    save: str | None = _option(None, values.name, "keep the run as one more of this baseline", "NAME")
    compare: str | None = _option(
        None, values.runs,
        "compare with these runs: a baseline, the path of a run folder, or last for what was saved last",
        "RUNS",
    )  # fmt: skip
    fail_on: tuple[ChangeLimit, ...] = _option(
        (), values.limits,
        "fail where this is more than in what is compared with, such as cpu_seconds>10%,peak_memory>50MiB",
        "LIMITS",
    )  # fmt: skip
    baselines: Path = _option(Path(".twin-baselines"), values.path, "where the baselines are", "DIR")
    report: tuple[str, ...] | None = _option(
        None, values.forms, "what to make of the run at its end: html, md, json", "FORMS"
    )
    json: Path | None = _option(None, values.path, "write the run into this file as JSON", "PATH")
    profile: bool = _option(False, values.switch, "find out which load slows each test, and from how much of it on")
    profile_time: str = _option("5m", values.time, "how long that may take for all tests together", "TIME")
    inconclusive: str = _option(
        "pass",
        values.one_of(INCONCLUSIVE),
        "what a budget does that could not be judged: pass, with a warning, or fail",
        "WHICH",
    )
    host_timeout: str = _option(
        "60s", values.patience,
        "how long nothing may be heard of a worker on another host before it is given up", "TIME",
    )  # fmt: skip
    dry_run: bool = _option(False, values.switch, "print what would be applied to which test, apply nothing")
    budgets: tuple[Mapping[str, Any], ...] = ()  # tables of pyproject.toml only: no flag could hold them

    @classmethod
    def of(cls, *sources: Mapping[str, object]) -> Settings:
        """Settings from sources of raw values by field name; the first that has a field wins, None is no value.

        Raises:
            SettingsError: A value cannot be read.
        """
        found: dict[str, Any] = {}
        for name, option in options().items():
            raw = next((value for source in sources if (value := source.get(name)) is not None and value != ""), None)
            if raw is not None:
                found[name] = read(name, option, raw)
        if any(found.get(name) for name in ("save", "compare", "profile", "report", "json")):
            found["enabled"] = True  # what is to be told has to be recorded
        found[BUDGETS] = next((source[BUDGETS] for source in sources if BUDGETS in source), ())
        return cls(**found)


def read(name: str, option: Option, raw: object) -> Any:
    """One value, read and checked.

    Raises:
        SettingsError: It cannot be read.
    """
    try:
        return option.read(raw)
    except ValueError as error:
        raise SettingsError(f"{word(name)}: {str(raw)!r:.100} {error}") from None


def options() -> dict[str, Option]:
    """The options by field name."""
    return {each.name: each.metadata["option"] for each in fields(Settings) if "option" in each.metadata}


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
        hint = values.near(key, names) or f"; known are {', '.join(names)}"
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
