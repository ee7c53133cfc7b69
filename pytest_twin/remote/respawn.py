"""Workers of pytest-xdist that died on another host: a new one is started there only if somebody answers.

pytest-xdist starts it without asking, and waits for its answer for ever; where a host is gone, the run would be too.
Then the other workers run what is left. Where those have been sent home already, as pytest-xdist does it as soon as it
has given all tests away, one more is started on another host.
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
    """See to it that no worker is started in place of another on a host that is gone.

    Args:
        config: That of the controller.
        timeout_s: How long to wait for an answer.
    """
    session: Any = config.pluginmanager.get_plugin("dsession")
    start_another = getattr(session, "_clone_node", None)
    if start_another is None:  # a pytest-xdist that does it in another way
        return

    def start_another_if_possible(node: Any) -> Any:
        gone = node.gateway.spec
        if not is_remote(gone) or is_reachable(gone, timeout_s):
            return start_another(node)
        session.report_line(f"twin: {address_of(gone)} does not answer; no worker is started there any more")
        if not _is_needed(session, node):
            return None
        spec = next((spec for spec in session.nodemanager.specs if _may_take_over(spec, gone, timeout_s)), None)
        if spec is None or session.config.option.dist == "each":
            session.shouldstop = f"no worker is left for some of the tests: {address_of(gone)} is gone"
            return None
        node.gateway.spec = copy(spec)  # of which the new one is made
        return start_another(node)

    session._clone_node = start_another_if_possible  # noqa: SLF001 - pytest-xdist has no hook for it


def _is_needed(session: Any, node: Any) -> bool:
    """Whether there are tests for another worker that those that are left do not run."""
    if session.config.option.dist == "each":  # every worker has all tests, and its own cannot be run elsewhere
        return True
    others = session._active_nodes - {node}  # noqa: SLF001
    if not all(other.shutting_down for other in others):
        return False
    scheduler = session.sched
    for given_to_nobody in ("pending", "workqueue"):  # as the schedulers of pytest-xdist call it
        if hasattr(scheduler, given_to_nobody) and scheduler.collection_is_completed:
            return bool(getattr(scheduler, given_to_nobody))
    return scheduler.has_pending or not scheduler.collection_is_completed


def _may_take_over(spec: Any, gone: Any, timeout_s: float) -> bool:
    return str(spec) != str(gone) and (not is_remote(spec) or is_reachable(spec, timeout_s))


def is_reachable(spec: Any, timeout_s: float) -> bool:
    """Whether a worker could be started there."""
    if spec.via:  # it would have to be asked by way of a gateway that may be gone too
        return False
    import execnet

    asked = execnet.XSpec(str(spec))
    asked.chdir = asked.id = None
    asked.execmodel = spec.execmodel
    if asked.ssh:
        asked.ssh = f"-o ConnectTimeout={max(1, round(timeout_s))} {asked.ssh}"  # so that ssh too does not stay
    found = InterruptSafeEvent()

    def ask() -> None:
        group = execnet.Group()
        try:
            group.makegateway(asked)
            found.set()
            group.terminate(timeout_s)
        except (OSError, EOFError, AssertionError, execnet.HostNotFound):  # in so many ways nobody answers
            pass

    asking = threading.Thread(target=ask, name="twin-asking", daemon=True)
    asking.start()
    asking.join(timeout_s)
    return found.is_set()
