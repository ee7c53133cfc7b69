"""JSON and TOML as plain data, or what is wrong with them in one line, in a time that grows with their length only."""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from typing import Any, NoReturn

from pytest_twin._system.stdlib import json as _json
from pytest_twin.model.error_text import truncated

MOST_DIGITS = 400  # of a number that has no point
MOST_PARTS = 100
_LONG_KEY = re.compile(rf"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){{{MOST_PARTS}}}""")

_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a surrogate pair, or one that has lost the other


def json(text: str) -> object:
    """A JSON document, without what it should not have: keys twice, NaN and Infinity.

    Raises:
        ValueError: It is none; the message says where, or what.
    """
    try:
        document = _json.loads(
            text, object_pairs_hook=_once, parse_constant=_no_constant, parse_int=_whole, parse_float=_finite
        )
        if _HALF.search(text):
            _json.dumps(document, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except UnicodeEncodeError as error:
        raise ValueError(f"{error.object[error.start]!a} is half a character; write the character itself") from None
    return document


def toml(text: str) -> dict[str, Any]:
    """A TOML document.

    Raises:
        ValueError: It is none; the message says where, or what.
    """
    if found := _LONG_KEY.search(text):  # for which the library takes a time that grows with the square
        line = text.count("\n", 0, found.start()) + 1
        raise ValueError(f"has a name of more than {MOST_PARTS} parts (at line {line})")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(str(error).splitlines()[0]) from None
    except ValueError:  # of the number itself, which the library lets through
        raise ValueError("has a number, a date or a time that is none") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        times = Counter(key for key, _ in pairs)
        twice = next(key for key in found if times[key] > 1)
        raise ValueError(f'key "{truncated(twice)}" stands twice in one object')
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{truncated(text)} is a number beyond all that can be computed")
    return value


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"{truncated(digits)} is a number of {len(digits)} digits")
    return int(digits)
