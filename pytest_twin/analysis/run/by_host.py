"""Split a run of several hosts into one run for each: no curve and no figure mixes two machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_twin.model.event import HOST

if TYPE_CHECKING:
    import pandas as pd

    from pytest_twin.model.run import Run

OWN = ""  # as the tables call the host of pytest itself


def by_host(run: Run) -> dict[str, Run]:
    """Return the run of each host by its name, pytest's own first, each with the fingerprint of its host."""
    frames = run.samples, run.events, run.tests
    hosts = sorted({*run.hosts, *(host for frame in frames for host in hosts_of(frame))})
    if len(hosts) > 1:
        return {host: _run_of_host(run, host) for host in hosts}
    (host,) = hosts or [OWN]
    return {host: replace(run, fingerprint=fingerprint_of(run, host))}


def display_name(host: str) -> str:
    """Return the name of a host for people."""
    return host or "pytest's host"


def hosts_of(frame: pd.DataFrame) -> list[str]:
    """Return the hosts of rows, pytest's own first."""
    return sorted(set(host_column(frame)))


def add_host_to_ids(sides: Sequence[pd.DataFrame]) -> Sequence[pd.DataFrame]:
    """Add the host to the ids of tests if a side has several hosts: on another host it is a different test."""
    if all(len(hosts_of(side)) < 2 for side in sides):
        return sides
    return [side.assign(nodeid=side["nodeid"] + host_column(side).map(on_host)) for side in sides]


def on_host(host: str) -> str:
    """Return `` on NAME`` to append to a text; empty for pytest's own host."""
    return f" on {host}" if host else ""


def fingerprint_of(run: Run, host: str) -> dict[str, Any] | None:
    """Return the fingerprint of a host; None if unknown."""
    found = run.fingerprint if host == OWN else run.hosts.get(host, {}).get("fingerprint")
    return found if isinstance(found, dict) else None


def _run_of_host(run: Run, host: str) -> Run:
    samples, events, tests = (frame[host_column(frame) == host] for frame in (run.samples, run.events, run.tests))
    own = samples.drop(columns=HOST, errors="ignore")
    fingerprint = fingerprint_of(run, host)
    return replace(run, samples=own, events=events, tests=tests, fingerprint=fingerprint, outcomes={})


def host_column(frame: pd.DataFrame) -> pd.Series[str]:
    """Return the host of each row."""
    import pandas as pd

    if HOST not in frame:
        return pd.Series(OWN, index=frame.index, dtype=object)
    return frame[HOST].astype(object).fillna(OWN).astype(str)
