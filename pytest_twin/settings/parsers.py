"""The values of options: each reader takes what was written, and gives the value or says what is wrong with it.

What it says stands behind the value, as in ``'no' is not a number above 0``; all of them raise `ValueError`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin.model.safe_names import DEVICES

if TYPE_CHECKING:
    from pytest_twin.model.measure import ChangeLimit

FORMS = ("html", "md", "json")
SHORTEST_PATIENCE_S = 2
LONG = 16  # digits, of which no amount has so many
LAST = "last"  # in the place of a baseline's name: the run that was saved last
# what Windows takes for a device, whatever its ending

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?", re.ASCII)


def number(raw: object) -> float:
    """A number above 0."""
    try:
        value = float(str(raw))
    except ValueError:
        value = math.nan
    if isinstance(raw, bool) or not 0 < value < math.inf:
        raise ValueError("is not a number above 0; write one such as 0.1")
    return value


def switch(raw: object) -> bool:
    """True or false."""
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


def time(raw: object) -> str:
    """A time, as it was written, such as ``90s``."""
    if not _seconds(raw):
        raise ValueError("is no time at all")
    return str(raw)


def patience(raw: object) -> str:
    """A time that is not too short to wait for a busy machine."""
    if _seconds(raw) < SHORTEST_PATIENCE_S:
        raise ValueError(f"is below {SHORTEST_PATIENCE_S} s, for which a busy machine may well be silent")
    return str(raw)


def interval(raw: object) -> float:
    """Seconds between two samples."""
    value = number(raw)
    if not 0.001 <= value <= 3600:
        raise ValueError("is not from 0.001 to 3600 seconds")
    return value


def path(raw: object) -> Path:
    """A path that the system takes, whether there is something or not."""
    found = Path(_text(raw, "is not a path"))
    try:
        found.exists()
    except OSError as error:  # such as a name of more than 255 bytes
        raise ValueError(f"cannot be used: {error.strerror}") from None
    return found


def _text(raw: object, problem: str) -> str:
    text = str(raw).strip()
    if not text or "\0" in text:
        raise ValueError(problem)
    return text


def load(raw: object) -> dict[str, str | int]:
    """Keywords of a load: ``cpu=100% mem=50%``."""
    pairs = [word.partition("=") for word in str(raw).split()]
    if not pairs or not all(key and sign and value for key, sign, value in pairs):
        raise ValueError("is no load such as cpu=100% mem=50%")
    return {key: int(value) if value.isdecimal() and len(value) < LONG else value for key, _, value in pairs}


def name(raw: object) -> str:
    """A name that is a safe one for a folder, on every system."""
    text = str(raw)
    if not _NAME.fullmatch(text) or text.partition(".")[0].upper() in DEVICES or text == LAST:
        raise ValueError(f"is no name of a baseline; use up to 64 of A-Z a-z 0-9 . _ -, but not {LAST}")
    return text


def runs(raw: object) -> str:
    """A baseline or a path: which of the two is seen when it is looked for."""
    return str(path(_text(raw, "is neither a baseline nor a path")))


def limits(raw: object) -> tuple[ChangeLimit, ...]:
    """Limits of what may be more: a text with commas, or a list of texts."""
    from pytest_twin.model import measure

    texts = raw if isinstance(raw, list | tuple) else [raw]
    try:
        return measure.limits(map(str, texts))
    except measure.LimitError as error:
        raise ValueError(f"cannot be read: {error}") from None


def one_of(known: tuple[str, ...]) -> Callable[[object], str]:
    """The reader of a word that is one of these."""

    def read_one(raw: object) -> str:
        if raw not in known:
            raise ValueError(f"is not one of {', '.join(known)}{near(str(raw), known)}")
        return str(raw)

    return read_one


def forms(raw: object) -> tuple[str, ...]:
    """Forms of a report: ``html,md``; each once, in the order in which they stand."""
    words = [str(word).strip() for word in (raw if isinstance(raw, list | tuple) else str(raw).split(","))]
    words = [word for word in words if word]
    if unknown := [word for word in words if word not in FORMS]:
        which = "is" if len(words) == 1 else f"has {unknown[0]!r:.40}, which is"
        raise ValueError(f"{which} not one of {', '.join(FORMS)}{near(unknown[0], FORMS)}")
    if not words:
        raise ValueError(f"names none of {', '.join(FORMS)}")
    return tuple(dict.fromkeys(words))


def near(word: str, known: Iterable[str]) -> str:
    """A hint at the word that was meant, empty where none is near."""
    from difflib import get_close_matches

    found = get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""
