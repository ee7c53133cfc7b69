"""Whether the programs of others that a load asks for are there, looked for only when one is asked for."""

from __future__ import annotations

from pytest_twin.model.engine import ENGINE, check_known, stressors_of
from pytest_twin.model.load import Load, LoadError


def check_engine(load: Load) -> None:
    """See to it that a load can be applied here, as far as that can be known.

    Raises:
        LoadError: It cannot; the program is not installed, or does not have a stressor.
    """
    if not stressors_of(load):
        return
    from pytest_twin.stressors.stress_ng import stressors

    try:
        known = stressors()
    except OSError as error:
        raise LoadError([(ENGINE, str(error))]) from None
    check_known(load, known)
