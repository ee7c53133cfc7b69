"""Parse the maximum total load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_twin.loads.parser import parse
from pytest_twin.loads.registry import kinds
from pytest_twin.loads.spec import Load, LoadError
from pytest_twin.settings.options import SettingsError, ini_name


def read_limit(keywords: Mapping[str, Any] | None) -> Load | None:
    """The most that may be applied at the same time.

    Raises:
        SettingsError: It is no load, or nothing of any kind, which would be taken for no limit.
    """
    if not keywords:
        return None
    try:
        limit = parse(keywords, kinds())
    except LoadError as error:
        raise SettingsError(f"{ini_name('limit')}: {error}") from None
    if not limit:
        raise SettingsError(f"{ini_name('limit')}: {limit} limits nothing; give an amount above 0 such as cpu=100%")
    return limit
