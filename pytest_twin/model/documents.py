"""Parse JSON and TOML from untrusted files, in time linear in their length, with errors of one line."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any, NoReturn

from pytest_twin._system.stdlib import json
from pytest_twin.model.error_text import truncated

MAX_DIGITS = 400  # of an integer
MAX_KEY_PARTS = 100
_LONG_KEY = rf"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){{{MAX_KEY_PARTS}}}"""

_AT_END = r" (starting )?at$"  # of a message, which the place follows in the original
_TOML_PLACE = r"(.+) \((?:at )?((?:line|end) [^()]+)\)"
_SURROGATE = r"\\u[dD][89a-fA-F]"


def parse_json(text: str) -> object:
    """Parse a JSON document; duplicate keys, NaN and Infinity are refused.

    Raises:
        ValueError: It is not valid; the message has the place or the value.
    """
    try:
        document = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_constant,
            parse_int=_parse_int,
            parse_float=_parse_float,
        )
        if "\\u" in text and re.search(_SURROGATE, text):
            json.dumps(document, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except json.JSONDecodeError as error:
        problem = re.sub(_AT_END, "", error.msg).replace("Expecting value", "expecting a value")
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"is not JSON: {place}: {problem[:1].lower()}{problem[1:]}") from None
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{error.object[error.start]!a} is an unpaired surrogate; write the character itself"
        ) from None
    return document


def parse_toml(text: str) -> dict[str, Any]:
    """Parse a TOML document.

    Raises:
        ValueError: It is not valid; the message has the place.
    """
    import tomllib  # each run folder is read by this module, and has JSON only

    if found := re.search(_LONG_KEY, text):  # tomllib takes quadratic time for them
        line = text.count("\n", 0, found.start()) + 1
        raise ValueError(f"has a key of more than {MAX_KEY_PARTS} parts (at line {line})")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"is not TOML: {_place_first(str(error).splitlines()[0])}") from None
    except ValueError:  # of a number or date, which tomllib does not catch
        raise ValueError("has an invalid number, date or time") from None


def _place_first(message: str) -> str:
    """Return a message of tomllib with the place before the problem, as those of JSON have it."""
    found = re.fullmatch(_TOML_PLACE, message)
    problem, place = found.groups() if found else (message, "")
    return f"{place}{': ' if place else ''}{problem[:1].lower()}{problem[1:]}"


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        times = Counter(key for key, _ in pairs)
        twice = next(key for key in found if times[key] > 1)
        raise ValueError(f'key "{truncated(twice)}" appears twice in one object')
    return found


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def _parse_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{truncated(text)} is too large for a floating-point number")
    return value


def _parse_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"{truncated(digits)} is a number of {len(digits)} digits")
    return int(digits)
