r"""Parse the schedule of the legacy scripts: a list of ``{type, duration_s, cmd, start}``.

``cmd`` is never executed. It is parsed as the name of a known stressor and its flags, with either path separator
(``python stressors\cpu_stress.py --procs 8 --duration 180``); anything else in it is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pytest_twin.model.error_text import shown, truncated
from pytest_twin.model.quantity import format_duration, parse_duration

KEYS = ("type", "duration_s", "start", "cmd")
Flags = dict[str, float]


class LegacyEvent(NamedTuple):
    """A legacy event; `load` has the keywords of a load in the current grammar."""

    type: str
    start: datetime
    duration_s: float
    load: dict[str, Any]


class LegacyError(ValueError):
    """A legacy event is invalid.

    Attributes:
        problems: All problems as (key, problem); the key may be empty.
    """

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(problem for _, problem in problems))
        self.problems = problems


class LegacyScript(NamedTuple):
    """A script of the legacy collection: its type of event, its flags, and the load that flags and path stand for."""

    type: str
    flags: tuple[str, ...]
    load: Callable[[Flags, str], dict[str, Any]]


def _cpu(flags: Flags, path: str) -> dict[str, Any]:  # noqa: ARG001
    return {"cpu": int(flags["procs"])} if "procs" in flags else {"cpu": "100%"}


def _memory(flags: Flags, path: str) -> dict[str, Any]:  # noqa: ARG001
    step, steps, hold = flags.get("step_mb", 500), int(flags.get("steps", 10)), flags.get("sleep", 10)
    grows = {"ramp": format_duration(steps * hold), "steps": steps} if hold and steps else {}
    return {"mem": _mebibytes(step * steps), **grows}


def _mebibytes(count: float) -> str:
    return f"{count:.9f}".rstrip("0").rstrip(".") + "MiB"


def _disk(flags: Flags, path: str) -> dict[str, Any]:
    folder = path.replace("\\", "/").rpartition("/")[0]
    return {
        "disk": _mebibytes(flags.get("size_mb", 1500)),
        "block": _mebibytes(flags.get("block_mb", 10)),
        **({"pause": format_duration(flags["sleep"])} if flags.get("sleep") else {}),
        "loop": True,  # the event lasts for its duration, not until the file is written once
        **({"directory": folder} if folder else {}),
    }


_SCRIPTS = {
    "cpu_stress.py": LegacyScript("cpu_spike", ("procs", "duration"), _cpu),
    "mem_stress.py": LegacyScript("memory_load", ("step_mb", "steps", "sleep"), _memory),
    "disk_stress.py": LegacyScript("disk_io", ("size_mb", "block_mb", "path", "sleep"), _disk),
}
_TYPES = {script.type: name for name, script in _SCRIPTS.items()}
KIND_OF_TYPE = {
    "cpu_spike": "cpu",
    "memory_load": "memory",
    "disk_io": "disk",
}  # the type in annotations.csv, by the legacy type
_INTERPRETER = re.compile(r"([^;&|<>`$]*[\\/])?(python[\d.]*|py)(\.exe)?", re.IGNORECASE)
_WORDS = re.compile(r'(?:[^\s"]|"[^"]*")+')
_SHELL = re.compile(r"[;&|<>`$\n]")


def parse_legacy_event(event: object) -> LegacyEvent:
    """Parse one event of the list.

    Raises:
        LegacyError: The event is invalid; with all problems.
    """
    if not isinstance(event, dict):
        raise LegacyError([("", "is not an object")])
    problems = [(truncated(key), "unknown key") for key in event if key not in KEYS]
    load: dict[str, Any] = {}
    lasts, start = 0.0, datetime.min.replace(tzinfo=UTC)
    kind = event.get("type")
    if not isinstance(kind, str) or kind not in _TYPES:
        problems.append(("type", f"{shown(event.get('type'))} is not one of {', '.join(_TYPES)}"))
    try:
        lasts = parse_duration(event.get("duration_s"))
    except ValueError as error:
        problems.append(("duration_s", str(error)))
    try:
        start = _parse_start(event.get("start"))
    except ValueError as error:
        problems.append(("start", str(error)))
    try:
        script, load = _parse_command(event.get("cmd"))
        if isinstance(kind, str) and _TYPES.get(kind, script) != script:
            problems.append(("cmd", f"names {script}, but the type is {kind}"))
    except ValueError as error:
        problems.append(("cmd", str(error)))
    if problems:
        absent = set(KEYS).difference(event)
        raise LegacyError([(key, "is missing" if key in absent else problem) for key, problem in problems])
    return LegacyEvent(event["type"], start, lasts, load)


def requested_amount(command: str) -> str:
    """Return the amount that a legacy command requests, such as ``8`` or ``5400MiB``; empty for other commands."""
    try:
        _, load = _parse_command(command)
    except ValueError:
        return ""
    return next(str(amount) for amount in load.values())


def _parse_start(raw: object) -> datetime:
    try:
        moment = datetime.fromisoformat(raw if isinstance(raw, str) else "")
    except ValueError:
        raise ValueError(f"{shown(raw)} is not a time such as 2025-10-11T02:30:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parse_command(raw: object) -> tuple[str, dict[str, Any]]:
    """Return the name of the script in a command, and the keywords of the load that its flags stand for."""
    if not isinstance(raw, str):
        raise ValueError(f"{shown(raw)} is not a command")
    if raw.count('"') % 2:
        raise ValueError(f"{shown(raw)} has a quote that is not closed")
    words = [word.replace('"', "") for word in _WORDS.findall(raw)]
    if words and _INTERPRETER.fullmatch(words[0]):
        words = words[1:]
    name = re.split(r"[\\/]", words[0])[-1] if words and not _SHELL.search(words[0]) else ""
    if name not in _SCRIPTS:
        raise ValueError(f"{shown(raw)} is not a known stressor; known are {', '.join(_SCRIPTS)}")
    script = _SCRIPTS[name]
    flags: Flags = {}
    path = ""
    rest = iter(word for given in words[1:] for word in (given.split("=", 1) if given.startswith("--") else [given]))
    for word in rest:
        flag = word.removeprefix("--")
        if not word.startswith("--") or flag not in script.flags:
            raise ValueError(f"{shown(word)} is not a flag of {name}; its flags are --{', --'.join(script.flags)}")
        value = next(rest, "")
        if flag == "path":
            if not value or value.startswith("--"):
                raise ValueError(f"--path {shown(value)} is not the name of a file")
            path = value
        else:
            flags[flag] = _parse_number(flag, value)
    return name, script.load(flags, path)


def _parse_number(flag: str, value: str) -> float:
    whole = flag in {"procs", "steps"}
    if not re.fullmatch(r"\d{1,9}" if whole else r"\d{1,9}(\.\d{1,9})?", value, re.ASCII):
        raise ValueError(f"--{flag} {shown(value)} is not {'a whole number' if whole else 'a number'} from 0 up")
    return float(value)
