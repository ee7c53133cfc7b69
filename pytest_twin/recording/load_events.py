"""Turn the replies of the supervisor on a load into events of annotations.csv."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_twin.loads.applied import NOT_REACHED
from pytest_twin.model import event
from pytest_twin.model.event import Event, detail
from pytest_twin.recording.constraints import STAT, STAT_BEGAN
from pytest_twin.stressors.spec.request import CUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.model.clock import Clock


def load_events(
    load: AppliedLoad, reply: Mapping[str, Any], clock: Clock, usable: Mapping[str, float]
) -> Iterator[Event]:
    """Return the events that a reply reports, each at the time at which it happened.

    Args:
        load: The load that the reply is about.
        reply: That the load is ready, has ended, or was aborted.
        clock: The run's clock.
        usable: For each measure the amount that is 100 %: CPUs, bytes of memory.
    """
    note = {"note": load.note} if load.note else {}
    start = Event(0.0, event.START, load.id, load.part.kind.type, load.test, target=load.part.text)
    at = clock.elapsed(reply["at"])
    if reply["event"] == "ready":
        processes = {"processes": len(reply["pids"])}
        applied = {"backend": reply["achieved"].get("backend", "")} if load.part.is_constraint else processes
        yield start._replace(elapsed_s=at, detail=detail("", {**note, **applied}))
        return
    since = reply["since"] or reply["began"]
    if since is not None and reply["since"] is None:  # it began, but was never ready
        yield start._replace(elapsed_s=clock.elapsed(since), detail=detail("", note))
    how = event.ABORT if reply["event"] == "abort" else event.SKIP if since is None else event.END
    reason = NOT_REACHED if how == event.SKIP else reply["reason"]
    held_s = 0.0 if since is None else reply["at"] - since - reply["paused"]
    achieved = {"held_s": held_s, **reply["achieved"]}
    if load.part.ramp_s:
        achieved["full_s"] = max(0.0, achieved["held_s"] - load.part.ramp_s)
    figures = {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in achieved.items()
        if name not in {STAT, STAT_BEGAN}  # the file exists only while the constraint is held
    }
    yield start._replace(
        elapsed_s=max(at, 0.0),
        event=how,
        achieved="" if reason == CUT else load.part.format_achieved(achieved, achieved["held_s"], usable),
        detail=detail("", {**note, "reason": reason, **figures}),
    )
