"""A run of several hosts as a run of each: no curve and no figure mixes two machines."""

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
    """The run of each host by its name, pytest's own first; a run of one host is that run, with what its host is."""
    frames = run.samples, run.events, run.tests
    hosts = sorted({*run.hosts, *(host for frame in frames for host in hosts_of(frame))})
    if len(hosts) > 1:
        return {host: _run_of_host(run, host) for host in hosts}
    (host,) = hosts or [OWN]
    return {host: replace(run, fingerprint=fingerprint_of(run, host))}


def display_name(host: str) -> str:
    """A host in words."""
    return host or "pytest's host"


def hosts_of(frame: pd.DataFrame) -> list[str]:
    """The hosts that rows are of, pytest's own first."""
    return sorted(set(_host_column(frame)))


def add_host_to_ids(sides: Sequence[pd.DataFrame]) -> Sequence[pd.DataFrame]:
    """Rows of tests with the host in the ids, if any of these has several hosts: on another one it is another test."""
    if all(len(hosts_of(side)) < 2 for side in sides):
        return sides
    return [side.assign(nodeid=side["nodeid"] + _host_column(side).map(on_host)) for side in sides]


def on_host(host: str) -> str:
    """Where something was, behind what it is; empty for pytest's own host."""
    return f" on {host}" if host else ""


def fingerprint_of(run: Run, host: str) -> dict[str, Any] | None:
    """What a host of a run is; None where nothing tells."""
    found = run.fingerprint if host == OWN else run.hosts.get(host, {}).get("fingerprint")
    return found if isinstance(found, dict) else None


def _run_of_host(run: Run, host: str) -> Run:
    samples, events, tests = (frame[_host_column(frame) == host] for frame in (run.samples, run.events, run.tests))
    own = samples.drop(columns=HOST, errors="ignore")
    fingerprint = fingerprint_of(run, host)
    return replace(run, samples=own, events=events, tests=tests, fingerprint=fingerprint, outcomes={})


def _host_column(frame: pd.DataFrame) -> pd.Series[str]:
    """The host of each row."""
    import pandas as pd

    if HOST not in frame:
        return pd.Series(OWN, index=frame.index, dtype=object)
    return frame[HOST].astype(object).fillna(OWN).astype(str)
