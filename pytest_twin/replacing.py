"""Workers of pytest-xdist that died on another host: a new one is started there only if somebody answers.

pytest-xdist starts it without asking, and waits for its answer for ever; where a host is gone, the run would be too.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from pytest_twin.addresses import address_of, is_remote

if TYPE_CHECKING:
    import pytest


def replace_only_where_somebody_answers(config: pytest.Config, timeout_s: float) -> None:
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
        spec = node.gateway.spec
        if not is_remote(spec) or answers(spec, timeout_s):
            return start_another(node)
        session.report_line(f"twin: {address_of(spec)} does not answer; no worker is started there any more")
        _go_on_without(session, node)
        return None

    session._clone_node = start_another_if_possible  # noqa: SLF001 - pytest-xdist has no hook for it


def answers(spec: Any, timeout_s: float) -> bool:
    """Whether a worker could be started there."""
    if spec.via:  # it would have to be asked by way of a gateway that may be gone too
        return False
    import execnet

    asked = execnet.XSpec(str(spec))
    asked.chdir = asked.id = None
    asked.execmodel = spec.execmodel
    if asked.ssh:
        asked.ssh = f"-o ConnectTimeout={max(1, round(timeout_s))} {asked.ssh}"  # so that ssh too does not stay
    found = threading.Event()

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


def _go_on_without(session: Any, node: Any) -> None:
    """Leave the tests to the other workers; where those cannot have them, the run ends, and says why."""
    others = session._active_nodes - {node}  # noqa: SLF001
    scheduler = session.sched
    each_has_all = getattr(session.config.option, "dist", "") == "each"
    is_done = scheduler.collection_is_completed and not scheduler.has_pending and not each_has_all
    if each_has_all or not (others or is_done):
        session.shouldstop = f"no worker is left for some of the tests: {address_of(node.gateway.spec)} is gone"
    elif not others:
        session.triggershutdown()
