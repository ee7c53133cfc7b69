"""The request for one load, as it travels from the tests' process to the supervisor and from there to the workers."""

from __future__ import annotations

TYPE_CHECKING = False  # a plain class, without typing: to import dataclasses takes 10 ms, a fifth of the start
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, NoReturn, Self


REPLAY = "replay"  # option: the replay that a load is a part of
ON_TIME = "on_time"  # option: the profile begins at the start of the load, and not when it is ready
BESIDE = "beside"  # option: the shared counter of the CPU seconds that other loads of the replay use
LATE = "late_s"  # option: how much of such a profile was over when the workers were given the load; below 0: its start
LOWEST = "lowest"  # option of a replayed memory: the recorded share below its profile
WHOLE = "whole"  # option of memory: the profile is that of the whole machine, and the load what others leave of it
STOPPED, TIMED, CUT = "stopped", "duration", "stopped before it was ready"  # reasons of an end


class LoadRequest:
    """One load to be applied; frozen.

    Attributes:
        id: The name of the load, unique among the loads that are applied at the same time.
        module: The module of the stressor.
        unit: The unit of the profile's values, one of `pytest_twin.stressors.spec.kind`.
        profile: Points of (seconds, value) with straight lines between them; the last value is held.
        options: The modifiers of the load by name (``block``, ``directory``, ``strict``).
        stop_when: Conditions on samples as (column, comparison, number); the first that holds stops the load.
        start: When to start, in the time of loads (`EventLoop.now`); None is at once.
        duration: Seconds from its start, or from when it is ready if it has no start; None is until it is stopped.
        seed: The seed of every random choice of the stressor.
    """

    __slots__ = ("duration", "id", "module", "options", "profile", "seed", "start", "stop_when", "unit")

    id: str
    module: str
    unit: str
    profile: Sequence[tuple[float, float]]
    options: Mapping[str, Any]
    stop_when: Sequence[tuple[str, str, float]]
    start: float | None
    duration: float | None
    seed: int

    def __init__(
        self,
        *,
        unit: str,
        profile: Sequence[tuple[float, float]],
        id: str = "",  # noqa: A002 - as the column is called
        module: str = "",
        options: Mapping[str, Any] | None = None,
        stop_when: Sequence[tuple[str, str, float]] = (),
        start: float | None = None,
        duration: float | None = None,
        seed: int = 0,
    ) -> None:
        values = id, module, unit, profile, options or {}, stop_when, start, duration, seed
        names = "id", "module", "unit", "profile", "options", "stop_when", "start", "duration", "seed"
        for name, value in zip(names, values, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"LoadRequest is frozen: {name} cannot be set")

    def with_options(self, **options: Any) -> LoadRequest:
        """Return the same request with other values of these modifiers."""
        return LoadRequest.from_json({**self.to_json(), "options": {**self.options, **options}})

    def to_json(self) -> dict[str, Any]:
        """Return the request as a dict for `json`."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, message: Mapping[str, Any]) -> Self:
        """Read a request from a dict that came as JSON; other keys are ignored.

        Raises:
            KeyError: There is no unit or no profile.
        """
        return cls(
            unit=message["unit"],
            profile=message["profile"],
            **{name: message[name] for name in cls.__slots__ if name not in {"unit", "profile"} and name in message},
        )
