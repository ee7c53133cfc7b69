"""Replace a worker of pytest-xdist that died on another host only if that host can be reached.

pytest-xdist starts the new worker without a check, and waits for it without a timeout, so a lost host would hang the
run. Here the other workers run the remaining tests. Where those are shutting down already, which pytest-xdist lets them
do as soon as all tests are assigned, the new worker is started on another host.
"""

from __future__ import annotations

import threading
from copy import copy
from typing import TYPE_CHECKING, Any

from pytest_twin._system.interruptible_event import InterruptSafeEvent
from pytest_twin.remote.gateways import address_of, is_remote

if TYPE_CHECKING:
    import pytest


def respawn_only_on_reachable_hosts(config: pytest.Config, timeout_s: float) -> None:
    """Let pytest-xdist start no worker in place of another on a host that cannot be reached.

    Args:
        config: The configuration of pytest in the controller.
        timeout_s: Seconds to wait for a host.
    """
    session: Any = config.pluginmanager.get_plugin("dsession")
    start_replacement = getattr(session, "_clone_node", None)
    if start_replacement is None:  # another version of pytest-xdist
        return

    def start_on_reachable_host(node: Any) -> Any:
        lost_spec = node.gateway.spec
        if not is_remote(lost_spec) or is_reachable(lost_spec, timeout_s):
            return start_replacement(node)
        session.report_line(f"twin: {address_of(lost_spec)} does not respond; no new worker is started there")
        if not _is_needed(session, node):
            return None
        spec = next((spec for spec in session.nodemanager.specs if _may_take_over(spec, lost_spec, timeout_s)), None)
        if spec is None or session.config.option.dist == "each":
            session.shouldstop = (
                f"no worker is left to run the remaining tests: {address_of(lost_spec)} does not respond"
            )
            return None
        node.gateway.spec = copy(spec)  # the new worker is made from it
        return start_replacement(node)

    session._clone_node = start_on_reachable_host  # noqa: SLF001 - pytest-xdist has no hook for it


def _is_needed(session: Any, node: Any) -> bool:
    """Return whether tests remain that no other worker runs."""
    if session.config.option.dist == "each":  # each worker has tests of its own
        return True
    others = session._active_nodes - {node}  # noqa: SLF001
    if not all(other.shutting_down for other in others):
        return False
    scheduler = session.sched
    for unassigned in ("pending", "workqueue"):  # names in the schedulers of pytest-xdist
        if hasattr(scheduler, unassigned) and scheduler.collection_is_completed:
            return bool(getattr(scheduler, unassigned))
    return scheduler.has_pending or not scheduler.collection_is_completed


def _may_take_over(spec: Any, lost_spec: Any, timeout_s: float) -> bool:
    return str(spec) != str(lost_spec) and (not is_remote(spec) or is_reachable(spec, timeout_s))


def is_reachable(spec: Any, timeout_s: float) -> bool:
    """Return whether a gateway to a host can be opened in time."""
    if spec.via:  # the gateway in between may be lost too
        return False
    import execnet

    trial = execnet.XSpec(str(spec))
    trial.chdir = trial.id = None
    trial.execmodel = spec.execmodel
    if trial.ssh:
        trial.ssh = f"-o ConnectTimeout={max(1, round(timeout_s))} {trial.ssh}"  # ends ssh too
    reached = InterruptSafeEvent()

    def connect() -> None:
        group = execnet.Group()
        try:
            group.makegateway(trial)
            reached.set()
            group.terminate(timeout_s)
        except (OSError, EOFError, AssertionError, execnet.HostNotFound):  # the errors of an unreachable host
            pass

    thread = threading.Thread(target=connect, name="twin-asking", daemon=True)
    thread.start()
    thread.join(timeout_s)
    return reached.is_set()
