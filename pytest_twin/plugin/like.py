"""Let the tests run as on the machine of a recording (``--twin-like``)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_twin.plugin.stash import TWIN
from pytest_twin.plugin.typed_options import is_typed
from pytest_twin.settings.options import OPTIONS, SettingsError, flag

if TYPE_CHECKING:
    import pytest

    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.loads.twin.surroundings import Surroundings
    from pytest_twin.model.machine_speed import MachineSpeed
    from pytest_twin.plugin.stash import ItemRequest
    from pytest_twin.run_folder.recorded_twin import RecordedTwin
    from pytest_twin.settings.options import Settings

EXCLUDED = ("schedule", "constrain", "profile", "flaky")  # options that surround the tests with something else


def constrain_like(config: pytest.Config, settings: Settings) -> Settings:
    """Return the settings with the constraint that their recording asks for; it is kept in the configuration.

    An option that was typed takes precedence over one of ``addopts`` or of a configuration file.

    Raises:
        SettingsError: The recording cannot be reproduced, or another option excludes it.
    """
    for name in EXCLUDED:
        if getattr(settings, name) and (is_typed(config, name) or not is_typed(config, "like")):
            if is_typed(config, name) and not is_typed(config, "like"):
                return settings.replace(like=None)
            both = f"{settings.written('like')} cannot be combined with {settings.written(name)}"
            raise SettingsError(f"{both}: choose one of them")
    twin = config.stash.get(TWIN, None)
    if twin is None:
        twin = config.stash[TWIN] = _read(config, settings)
    unset = {name: OPTIONS[name].default for name in EXCLUDED}
    return settings.replace(**{**unset, "constrain": twin.limits.constraint or None})


def _read(config: pytest.Config, settings: Settings) -> RecordedTwin:
    from pytest_twin.loads.schedule.window import parse_window
    from pytest_twin.loads.twin.machine import this_machine
    from pytest_twin.loads.twin.machine_limits import TwinError
    from pytest_twin.model.machine_formats.parser import RecordingError
    from pytest_twin.run_folder.csv_frames import ReadingError
    from pytest_twin.run_folder.recorded_twin import read_twin

    assert settings.like is not None  # noqa: S101 - by the caller
    try:
        window = parse_window(settings.like_window or {})
    except ValueError as error:
        raise SettingsError(f"{settings.written('like_window')}: {error}") from None
    try:
        path = config.invocation_params.dir / settings.like
        return read_twin(path, this_machine(_speed_for(settings.like_scale)), settings.like_scale, window)
    except ReadingError as error:
        raise SettingsError(f"{settings.written('like')}: {error}") from None
    except (RecordingError, TwinError) as error:
        raise SettingsError(f"{settings.written('like')}: {settings.like}: {error}") from None


def _speed_for(scale: str) -> MachineSpeed | None:
    """Return the scores of this machine, where the scale needs them; the first time they are measured."""
    if scale != "speed":
        return None
    from pytest_twin.telemetry.calibration import calibrated_speed

    return calibrated_speed()


def schedule_around(
    surroundings: Surroundings, nodeid: str, request: ItemRequest, session_s: float = 0.0
) -> Schedule | None:
    """Return the schedule to play around a test: that of its marks together with what surrounded it in the recording.

    Args:
        surroundings: What surrounded the tests of the recording.
        nodeid: The test.
        request: What its marks ask for.
        session_s: Seconds since the first test began.
    """
    from pytest_twin.loads.spec import Load

    marked = request.schedule
    loads = [request.load, *(event.load for event in marked.events)] if marked is not None else [request.load]
    found = surroundings.around(nodeid, Load.merged(load for load in loads if load), session_s)
    if marked is None or found is None:
        return found or marked
    return replace(marked, events=tuple(sorted((*marked.events, *found.events), key=lambda event: event.start_s)))


def recorded_count(surroundings: Surroundings, nodeids: list[str]) -> str:
    """Return how many of the tests the recording has."""
    known = sum(nodeid in surroundings.stretches for nodeid in nodeids)
    return f"{flag('like')}: {known} of {len(nodeids)} tests are in the recording"
