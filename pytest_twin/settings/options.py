"""The options, each declared once: its name, default, parser and help.

The plugin makes ``--twin-interval`` and ``twin_interval`` of a field, the command line ``--interval``, and the
reference its table. A command-line option takes precedence over pytest's own configuration, which takes precedence over
``[tool.pytest-twin]`` in pyproject.toml.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from pytest_twin.settings import parsers

if TYPE_CHECKING:
    from pytest_twin.model.measure import ChangeLimit
    from pytest_twin.settings.requests import RepeatRequest, ReportRequest

PER_TEST = ("marked", "all", "failed", "none")
LIKE_SCALES = ("share", "cores", "speed")
INCONCLUSIVE = ("pass", "fail")
TRACES = PER_SESSION, PER_TEST_TRACE = "per-session", "per-test"
PROMETHEUS = ("prometheus", "prometheus_textfile", "prometheus_push")  # one of them exports the run
PROMETHEUS_DETAILS = ("prometheus_keep", "prometheus_host", "prometheus_tests", "prometheus_cert", "prometheus_key")
# each needs a recording
RECORDED = (
    "save",
    "compare",
    "profile",
    "report",
    "stress",
    "repeat",
    "constrain",
    "flaky",
    "like",
    *PROMETHEUS,
    "otlp",
)
NEEDS = {
    "fail_on": ("compare", "there is nothing to compare with"),
    "like_scale": ("like", "there is no recording"),
    "like_window": ("like", "there is no recording"),
    "profile_time": ("profile", "no test is profiled"),
    "predict": ("profile", "no test is profiled"),
    "flaky_time": ("flaky", "there is no search"),
    "flaky_fail": ("flaky", "there is no search"),
    "flaky_known": ("flaky", "there is no search"),
    "otlp_trace": ("otlp", "nothing is exported"),
    "traceparent": ("otlp", "nothing is exported"),
    "prometheus_cert": ("prometheus", "there is no endpoint"),
    "prometheus_key": ("prometheus_cert", "there is no certificate"),
}  # options that do nothing without another one
TABLE, BUDGETS, GATES = "pytest-twin", "budgets", "gates"
TABLES = BUDGETS, GATES  # keys that only pyproject.toml has


class SettingsError(ValueError):
    """An option has an invalid value; the message is for the user."""


class Option:
    """The declaration of an option, apart from its name; no named tuple, which every pytest would wait for.

    Attributes:
        default: The value without a source.
        help: One phrase, as ``--help`` and the reference show it.
        parse: Returns the value of what was written; raises `ValueError` with a predicate for the message.
        metavar: The placeholder of the value in the help; empty for a flag.
        type: The type of pytest's ini option.
        bare: The value of the option where none is given on the command line; empty if it needs one.
    """

    __slots__ = ("bare", "default", "help", "metavar", "parse", "type")

    def __init__(
        self,
        default: Any,
        help: str,  # noqa: A002 - as argparse calls it
        parse: Callable[[object], Any],
        metavar: str,
        type: Literal["bool", "float", "string"],  # noqa: A002 - as pytest calls it
        bare: str = "",
    ) -> None:
        self.default, self.help, self.parse = default, help, parse
        self.metavar, self.type, self.bare = metavar, type, bare

    @property
    def placeholder(self) -> str:
        """The placeholder of the value, in brackets if it may be left out."""
        return f"[{self.metavar}]" if self.bare else self.metavar


def _option(default: Any, parser: Callable[[object], Any], text: str, metavar: str = "", bare: str = "") -> Any:
    kind: Literal["bool", "float", "string"] = (
        "bool" if isinstance(default, bool) else "float" if isinstance(default, float) else "string"
    )
    return Option(default, text, parser, metavar, kind, bare)


class Settings:
    """The options of a run; frozen.

    Every pytest with the plugin installed imports this: as a data class it would take 2 ms more.
    """

    enabled: bool = _option(False, parsers.parse_bool, "record every test")
    schedule: Path | None = _option(None, parsers.parse_path, "play this schedule of loads while the tests run", "PATH")
    schedule_speed: float = _option(1.0, parsers.parse_number, "play schedules this many times faster", "X")
    interval: float = _option(0.1, parsers.parse_interval, "seconds between two samples", "SECONDS")
    report_dir: Path = _option(Path("twin-report"), parsers.parse_path, "directory of the run's files", "DIR")
    per_test: str = _option(
        "marked", parsers.choice_parser(PER_TEST), "make a folder for each of these tests: marked, all, failed or none",
        "WHICH",
    )  # fmt: skip
    per_core: bool = _option(False, parsers.parse_bool, "add a column for each CPU")
    limit: Mapping[str, Any] | None = _option(
        None, parsers.parse_load, "maximum total load; a load that would exceed it is rejected", "LOAD"
    )
    stress: Mapping[str, Any] | None = _option(
        None, parsers.parse_load,
        'apply this load around every test, in addition to that of its marks, such as "cpu=8 mem=1GiB": to reproduce a '
        "flaky test",
        "LOAD",
    )  # fmt: skip
    repeat: RepeatRequest | None = _option(
        None, parsers.parse_repeat,
        "run each test this many times, or until-fail (at most 1000 times), and report it once, as failed if any run "
        "failed: to reproduce a flaky test",
        "TIMES",
    )  # fmt: skip
    constrain: Mapping[str, Any] | str | None = _option(
        None, parsers.parse_constraint,
        "let the tests use no more than this, such as cpu=0.5 mem=2GiB, to reproduce flaky tests; with pytest-xdist, "
        "each worker by itself",
        "CONSTRAINT",
    )  # fmt: skip
    like: Path | None = _option(
        None, parsers.parse_path,
        "run the tests as on the machine of this recording, such as the run folder of a CI job: constrained to what "
        "they could use there, and beside the load of what others did there",
        "RECORDING",
    )  # fmt: skip
    like_scale: str = _option(
        "share", parsers.choice_parser(LIKE_SCALES),
        "what of --twin-like is the same here: share (of each CPU), cores (the amounts), or speed (as share, with "
        "CPUs that are as slow)",
        "WHICH",
    )  # fmt: skip
    like_window: Mapping[str, Any] | None = _option(
        None, parsers.parse_window,
        'play only this part of --twin-like around the session, such as "from=10:00 to=11:00" or busiest=5m', "WINDOW",
    )  # fmt: skip
    save: str | None = _option(None, parsers.parse_baseline_name, "add the run to this baseline", "NAME")
    compare: str | None = _option(
        None, parsers.parse_runs,
        'compare with these runs: a baseline, the path of a run folder, or "last" for the run that was saved last',
        "RUNS",
    )  # fmt: skip
    fail_on: tuple[ChangeLimit, ...] = _option(
        (), parsers.parse_change_limits,
        "fail if a measure grows by more than this in the comparison, such as cpu_seconds>10%,peak_memory>50MiB",
        "LIMITS",
    )  # fmt: skip
    baselines: Path = _option(Path(".twin-baselines"), parsers.parse_path, "directory of the baselines", "DIR")
    report: tuple[ReportRequest, ...] = _option(
        (), parsers.parse_reports, "write these reports at the end of the run: html, md, json or json=PATH", "FORMATS"
    )
    json: Path | None = _option(None, parsers.parse_path, "the same as --twin-report=json=PATH", "PATH")
    profile: bool = _option(
        False, parsers.parse_bool, "measure which load slows each test down, and from which level on"
    )
    profile_time: str = _option("5m", parsers.parse_time, "total time for profiling all tests", "TIME")
    predict: Path | None = _option(
        None, parsers.parse_path,
        "predict from the profile how much slower the tests are beside the load of this recording of a machine",
        "RECORDING",
    )  # fmt: skip
    flaky: bool = _option(
        False, parsers.parse_bool,
        "search for tests that are flaky, or that a busy or small machine breaks, and print commands that reproduce it",
    )  # fmt: skip
    flaky_time: str = _option("10m", parsers.parse_time, "total time of the search for flaky tests", "TIME")
    flaky_fail: bool = _option(
        False, parsers.parse_bool, "exit with status 1 if the search finds a test that breaks and is not known"
    )
    flaky_known: Path | None = _option(
        None, parsers.parse_path,
        "file with a node ID or pattern on each line: tests that may break in the search; # starts a comment", "PATH",
    )  # fmt: skip
    inconclusive: str = _option(
        "pass",
        parsers.choice_parser(INCONCLUSIVE),
        "outcome of an inconclusive budget: pass (with a warning) or fail",
        "WHICH",
    )
    prometheus: tuple[str, int] | None = _option(
        None, parsers.parse_address,
        "serve metrics of the run for Prometheus on this port, 0 for a free one (on 127.0.0.1, if no host is given)",
        "[HOST:]PORT",
    )  # fmt: skip
    prometheus_textfile: Path | None = _option(
        None, parsers.parse_textfile,
        "write metrics of the run into this file for the textfile collector of node_exporter", "FILE.prom",
    )  # fmt: skip
    prometheus_push: str | None = _option(None, parsers.parse_url, "push metrics of the run to this Pushgateway", "URL")
    prometheus_keep: bool = _option(
        False, parsers.parse_bool, "leave the textfile and the pushed metrics, with the time of the end of the run"
    )
    prometheus_host: bool = _option(
        False, parsers.parse_bool, "add metrics of the whole host, which node_exporter has too"
    )
    prometheus_tests: int = _option(
        0, parsers.parse_count, "add metrics of this many tests, those that take the most CPU time", "N"
    )
    prometheus_cert: Path | None = _option(
        None, parsers.parse_path, "serve by HTTPS with this certificate (PEM)", "FILE"
    )
    prometheus_key: Path | None = _option(None, parsers.parse_path, "private key of the certificate (PEM)", "FILE")
    otlp: str | None = _option(
        None, parsers.parse_collector,
        "send the run to this OpenTelemetry collector as traces and metrics; without a URL to that of "
        "OTEL_EXPORTER_OTLP_ENDPOINT, or to localhost", "URL", parsers.ENVIRONMENT,
    )  # fmt: skip
    otlp_trace: str = _option(
        TRACES[0], parsers.choice_parser(TRACES), "make one trace of the session, or one of each test: per-session or "
        "per-test", "WHICH",
    )  # fmt: skip
    traceparent: str | None = _option(
        None, parsers.parse_traceparent,
        "the span that the session belongs to, as in W3C Trace Context; without it that of the variable TRACEPARENT",
        "PARENT",
    )  # fmt: skip
    host_timeout: str = _option(
        "60s", parsers.parse_host_timeout, "seconds without contact before a remote worker is considered lost", "TIME"
    )
    dry_run: bool = _option(
        False, parsers.parse_bool, "print which load would be applied to which test, without applying any"
    )
    budgets: tuple[Mapping[str, Any], ...] = ()  # only from tables in pyproject.toml, so it has no option
    gates: Mapping[str, Any] = MappingProxyType({})  # as well: the limits of `pytest-twin validate`
    typed: frozenset[str] = frozenset()  # the options on pytest's command line

    def __init__(self, **values: Any) -> None:
        """Set these options; the others have their defaults."""
        vars(self).update({name: option.default for name, option in OPTIONS.items()}, **values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Settings are frozen: {name} cannot be set")

    def replace(self, **changes: Any) -> Settings:
        """Return a copy with other values of these options."""
        return Settings(**{**vars(self), **changes})

    @property
    def prometheus_option(self) -> str:
        """The first of the options that export the run to Prometheus; empty if none does."""
        return next((name for name in PROMETHEUS if getattr(self, name)), "")

    def written(self, name: str) -> str:
        """Return the name of an option as the user wrote it: ``--twin-interval`` or ``twin_interval``."""
        return flag(name) if name in self.typed else ini_name(name)

    @classmethod
    def of(cls, *sources: Mapping[str, object], flags: Mapping[str, object] | None = None) -> Settings:
        """Return the settings from sources of raw values, by field name.

        The first source that has a value for a field takes precedence; None and an empty text are no value.

        Args:
            sources: The sources.
            flags: A first source: the options on pytest's command line.

        Raises:
            SettingsError: A value is invalid.
        """
        values: dict[str, Any] = {}
        typed = frozenset(name for name, value in (flags or {}).items() if value is not None and value != "")
        sources = ({name: value for name, value in (flags or {}).items() if name in typed}, *sources)
        for name, option in OPTIONS.items():
            raw = next((value for source in sources if (value := source.get(name)) is not None and value != ""), None)
            if raw is not None:
                values[name] = parse(flag(name) if name in typed else ini_name(name), option, raw)
        if "json" in values:
            from pytest_twin.settings.requests import ReportRequest

            reports = (*values.get("report", ()), ReportRequest(parsers.JSON, values["json"]))
            values["report"] = tuple(dict.fromkeys(reports))
        if any(values.get(name) for name in RECORDED):
            values["enabled"] = True
        values.update({name: source[name] for source in reversed(sources) for name in TABLES if name in source})
        return cls(**values, typed=typed)


OPTIONS: Mapping[str, Option] = {name: each for name, each in vars(Settings).items() if isinstance(each, Option)}


def constraint_text(raw: Mapping[str, Any] | str) -> str:
    """Return a constraint as text: ``cpu=0.5 mem=2GiB``."""
    return raw if isinstance(raw, str) else " ".join(f"{name}={value}" for name, value in raw.items())


def parse(name: str, option: Option, raw: object) -> Any:
    """Return the parsed value of an option.

    Args:
        name: Its name for the error message.
        option: Its declaration.
        raw: Its value as written.

    Raises:
        SettingsError: The value is invalid.
    """
    try:
        return option.parse(raw)
    except ValueError as error:
        shown = parsers.hide_password(str(raw))
        raise SettingsError(f"{name}: {shown!r:.100} {error}") from None


def help_of(name: str, default: object = None) -> str:
    """Return the help of an option, with its default if it has one.

    Args:
        name: The field.
        default: The default of a command that has its own.
    """
    option = OPTIONS[name]
    value = option.default if default is None else default
    return option.help if option.type == "bool" or value in {None, ()} else f"{option.help} (default: {value})"


def ini_name(name: str) -> str:
    """Return the name of an option in pytest's configuration: ``twin_interval``."""
    return "twin" if name == "enabled" else f"twin_{name}"


def flag(name: str) -> str:
    """Return the name of an option on pytest's command line: ``--twin-interval``."""
    return "--" + ini_name(name).replace("_", "-")


def parse_pyproject(document: Mapping[str, Any]) -> dict[str, object]:
    """Return the raw values in ``[tool.pytest-twin]`` and in the ``twin_*`` keys of pytest, which take precedence.

    Raises:
        SettingsError: ``[tool.pytest-twin]`` has an unknown key, or is not a table.
    """
    tool = document.get("tool", {})
    own = tool.get(TABLE, {})
    for name, table in ((TABLE, own), ("pytest", tool.get("pytest", {}))):
        if not isinstance(table, dict):
            raise SettingsError(f"pyproject.toml: [tool.{name}] is not a table")
    fields_by_key = {("twin" if name == "enabled" else name): name for name in (*OPTIONS, *TABLES)}
    if not _are_tables(own.get(BUDGETS, [])):
        raise SettingsError(
            f"pyproject.toml: [tool.{TABLE}]: {BUDGETS} is not a list of tables; write [[tool.{TABLE}.{BUDGETS}]]"
        )
    if not isinstance(own.get(GATES, {}), dict):
        raise SettingsError(f"pyproject.toml: [tool.{TABLE}]: {GATES} is not a table; write [tool.{TABLE}.{GATES}]")
    for key in own:
        if key not in fields_by_key:
            from pytest_twin.model.error_text import unknown

            raise SettingsError(f"pyproject.toml: [tool.{TABLE}]: {unknown(key, fields_by_key)}")
    pytests = {**tool.get("pytest", {}).get("ini_options", {}), **tool.get("pytest", {})}
    from_pytest = {name: pytests[ini_name(name)] for name in OPTIONS if ini_name(name) in pytests}
    return {**{fields_by_key[key]: value for key, value in own.items()}, **from_pytest}


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def read_pyproject(path: Path) -> dict[str, object]:
    """Return the raw values in a pyproject.toml; none if it does not exist or does not mention pytest-twin.

    Raises:
        SettingsError: It is not TOML, or has an unknown key.
    """
    try:
        text = path.read_bytes()
    except OSError:
        return {}
    if TABLE.encode() not in text and b"twin_" not in text:
        return {}
    import tomllib

    try:
        return parse_pyproject(tomllib.loads(text.decode()))
    except ValueError as error:
        if isinstance(error, SettingsError):
            raise
        raise SettingsError(f"{path.name}: {error}") from None
