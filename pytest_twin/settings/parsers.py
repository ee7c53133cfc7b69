"""Parse the values of options.

Each parser takes the raw value and returns the parsed one. Its error is a `ValueError` with a predicate that follows
the value in the message, as in ``'no' is not a number above 0``. Every pytest with the plugin installed imports this.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_twin.model.measure import ChangeLimit
    from pytest_twin.settings.requests import RepeatRequest, ReportRequest

JSON = "json"
REPORT_FORMATS = ("html", "md", JSON)
MIN_HOST_TIMEOUT_S = 2
MAX_INTEGER_DIGITS = 15
UNTIL_FAIL, MOST_UNTIL_FAIL, MOST_REPETITIONS = "until-fail", 1000, 1_000_000
MAX_PORT, LOOPBACK = 65535, "127.0.0.1"
ENVIRONMENT, DEFAULT_COLLECTOR = "env", "http://localhost:4318"
LAST = "last"  # refers to the run that was saved last, so no baseline can have this name

_BASELINE_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?"
_BOOLS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def parse_number(raw: object) -> float:
    """Parse a finite number above 0."""
    try:
        value = float(str(raw))
    except ValueError:
        value = math.nan
    if isinstance(raw, bool) or not 0 < value < math.inf:
        raise ValueError("is not a number above 0; write one such as 0.1")
    return value


def parse_bool(raw: object) -> bool:
    """Parse a boolean: ``true``, ``yes``, ``on``, ``1`` or their opposites."""
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower()
    if word not in _BOOLS:
        raise ValueError("is neither true nor false")
    return _BOOLS[word]


def parse_time(raw: object) -> str:
    """Check a duration above 0 and return it as written, such as ``90s``."""
    if not _seconds(raw):
        raise ValueError("is not longer than 0 s")
    return str(raw)


def parse_host_timeout(raw: object) -> str:
    """Check a timeout of at least `MIN_HOST_TIMEOUT_S` and return it as written."""
    if _seconds(raw) < MIN_HOST_TIMEOUT_S:
        raise ValueError(f"is below {MIN_HOST_TIMEOUT_S} s; a busy host can take longer to respond")
    return str(raw)


def _seconds(raw: object) -> float:
    from pytest_twin.model.quantity import parse_duration

    try:
        return parse_duration(raw)
    except ValueError:  # its message repeats the value
        raise ValueError("is not a duration; write seconds, or text such as 90s or 1m30s") from None


def parse_interval(raw: object) -> float:
    """Parse the seconds between two samples, from 0.001 to 3600."""
    value = parse_number(raw)
    if not 0.001 <= value <= 3600:
        raise ValueError("is not from 0.001 to 3600 seconds")
    return value


def parse_path(raw: object) -> Path:
    """Parse a path that the operating system accepts; the file need not exist."""
    found = Path(_text(raw, "is not a path"))
    try:
        found.exists()
    except OSError as error:  # such as a name of more than 255 bytes
        raise ValueError(f"cannot be used: {error.strerror}") from None
    return found


def parse_count(raw: object) -> int:
    """Parse a whole number from 0 on."""
    text = str(raw)
    if isinstance(raw, bool) or not text.isdecimal() or len(text) > MAX_INTEGER_DIGITS:
        raise ValueError("is not a whole number from 0 on")
    return int(text)


def parse_address(raw: object) -> tuple[str, int]:
    """Parse ``[HOST:]PORT`` and return host and port; the host is 127.0.0.1 if none is given."""
    host, colon, port = str(raw).rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if isinstance(raw, bool) or not port.isdecimal() or int(port[:9]) > MAX_PORT or (colon and not host):
        raise ValueError(f"is not a port; write a number from 0 to {MAX_PORT}, or HOST:PORT")
    return host or LOOPBACK, int(port)


def parse_textfile(raw: object) -> Path:
    """Parse the path of a file that node_exporter reads."""
    path = parse_path(raw)
    if path.suffix != ".prom":
        raise ValueError("is no file that node_exporter reads; its name must end with .prom")
    return path


def hide_password(text: str) -> str:
    """Return a text without the user and the password of a URL in it, for messages."""
    return re.sub(r"//[^/@\s]*@", "//…@", text)


def parse_url(raw: object) -> str:
    """Check the URL of a server, http or https."""
    if not is_server_url(str(raw)):
        raise ValueError("is not the URL of a server; write one such as http://localhost:9091")
    return str(raw)


def is_server_url(text: str) -> bool:
    """Tell whether a text is the URL of a server, http or https."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def parse_collector(raw: object) -> str:
    """Check the URL of a collector of OpenTelemetry; `ENVIRONMENT` stands for the one that its variables name."""
    text = str(raw).strip()
    if text != ENVIRONMENT and not is_server_url(text):
        if os.path.exists(text.partition("::")[0]):
            raise ValueError("is a file and no URL; write the option behind the tests, or give a URL")
        raise ValueError(f"is not the URL of a collector; write one such as {DEFAULT_COLLECTOR}")
    return text


def parse_traceparent(raw: object) -> str:
    """Check a header ``traceparent`` of W3C Trace Context."""
    from pytest_twin.model import trace_context

    if trace_context.parse_traceparent(str(raw)) is None:
        raise ValueError("is not a traceparent; write VERSION-TRACE-SPAN-FLAGS in hexadecimal digits")
    return str(raw).strip()


def _text(raw: object, problem: str) -> str:
    text = str(raw).strip()
    if not text or "\0" in text:
        raise ValueError(problem)
    return text


def parse_load(raw: object) -> dict[str, str | int | bool]:
    """Parse the keywords of a load, such as ``cpu=100% mem=50% strict=true``."""
    from pytest_twin.model.load_words import split_words, word_value

    words = split_words(str(raw), "load; write one such as cpu=100% mem=50%")
    return {key: word_value(value) for key, value in words.items()}


def parse_repeat(raw: object) -> RepeatRequest:
    """Parse how often to run each test: a number, or ``until-fail``, which has a limit of `MOST_UNTIL_FAIL` runs."""
    from pytest_twin.settings.requests import RepeatRequest

    text = str(raw).strip()
    if text == UNTIL_FAIL:
        return RepeatRequest(MOST_UNTIL_FAIL, until_fail=True)
    if text.isdecimal() and len(text) <= MAX_INTEGER_DIGITS and 1 <= int(text) <= MOST_REPETITIONS:
        return RepeatRequest(int(text))
    raise ValueError(f"is neither a whole number from 1 to {MOST_REPETITIONS} nor {UNTIL_FAIL}")


def parse_constraint(raw: object) -> dict[str, Any] | str:
    """Take a constraint as written, such as ``cpu=0.5 mem=2GiB``, or as a table; what it means is checked later."""
    if isinstance(raw, Mapping):
        return dict(raw)
    return _text(raw, "is not a constraint; write one such as cpu=0.5 mem=2GiB")


def parse_window(raw: object) -> dict[str, Any]:
    """Take a part of a recording as written, such as ``from=10:00 to=11:00``, or as a table."""
    if isinstance(raw, Mapping):
        return dict(raw)
    pairs = [word.partition("=") for word in str(raw).split()]
    if not pairs or not all(key and sign and value for key, sign, value in pairs):
        raise ValueError('is not a part of a recording; write one such as "from=10:00 to=11:00" or busiest=5m')
    return {key: value for key, _, value in pairs}


def parse_baseline_name(raw: object) -> str:
    """Parse the name of a baseline, which is a safe name of a folder on every system."""
    from pytest_twin.model.safe_names import DEVICES

    text = str(raw)
    if not re.fullmatch(_BASELINE_NAME, text, re.ASCII) or text.partition(".")[0].upper() in DEVICES or text == LAST:
        raise ValueError(f"is not a baseline name; use up to 64 of A-Z a-z 0-9 . _ -, but not {LAST}")
    return text


def parse_runs(raw: object) -> str:
    """Parse the name of a baseline or the path of a run; `find` in `run_folder.baselines` tells them apart."""
    return str(parse_path(_text(raw, "is neither a baseline nor a path")))


def parse_change_limits(raw: object) -> tuple[ChangeLimit, ...]:
    """Parse limits of changes: a text with commas, or a list of texts."""
    from pytest_twin.model import measure

    texts = raw if isinstance(raw, list | tuple) else [raw]
    try:
        return measure.parse_limits(map(str, texts))
    except measure.LimitError as error:
        is_only = isinstance(raw, str) and raw.strip() == error.text
        raise ValueError(error.problem if is_only else f"has {error.text!r:.40}, which {error.problem}") from None


def choice_parser(choices: tuple[str, ...]) -> Callable[[object], str]:
    """Return a parser of a word that must be one of the choices."""

    def parse_choice(raw: object) -> str:
        if raw not in choices:
            raise ValueError(_not_one_of(str(raw), choices))
        return str(raw)

    return parse_choice


def parse_reports(raw: object) -> tuple[ReportRequest, ...]:
    """Parse the reports to write, such as ``html,json=run.json``; each is returned once, in the order given."""
    if raw == ():  # the default
        return ()
    words = [str(word).strip() for word in (raw if isinstance(raw, list | tuple) else str(raw).split(","))]
    words = [word for word in words if word]
    if not words:
        raise ValueError(f"names none of {', '.join(REPORT_FORMATS)}")
    requests = []
    for word in words:
        try:
            requests.append(_parse_report(word))
        except ValueError as error:
            raise ValueError(f"{f'has {word!r:.40}, which ' if len(words) > 1 else ''}{error}") from None
    return tuple(dict.fromkeys(requests))


def _parse_report(word: str) -> ReportRequest:
    from pytest_twin.settings.requests import ReportRequest

    name, sign, file = word.partition("=")
    if name not in REPORT_FORMATS:
        raise ValueError(_not_one_of(name, REPORT_FORMATS))
    if not sign:
        return ReportRequest(name)
    if name != JSON:
        raise ValueError(f"names a file; only {JSON} takes one")
    if not file.strip():
        raise ValueError(f"names no file; write {JSON} or {JSON}=PATH")
    return ReportRequest(name, parse_path(file))


def _not_one_of(word: str, choices: tuple[str, ...]) -> str:
    from pytest_twin.model.error_text import suggestion

    hint = suggestion(word, choices)
    return f"is not one of {', '.join(choices)}{f'; {hint}' if hint else ''}"
