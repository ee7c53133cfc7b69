"""Modules of the standard library as they were before any test ran.

Tests replace names in ``os``, ``sys``, ``json``, ``time`` and others: in the module, as ``monkeypatch`` and
``mock.patch`` do, or in every module that has imported it, as pyfakefs and freezegun do. Modules of this package with
code that may run during a test therefore import these modules from here, at their top::

    from pytest_twin._system.stdlib import os, time

Each is a copy of the real one, made at the first import from here. A function in it that is written in Python finds the
other names of its module in the copy too: the copy of `json.dumps` uses its own `json.JSONEncoder`. Names that it takes
from other modules, as `os.path.exists` and the methods of `subprocess.Popen` do, are not copied.
"""

from __future__ import annotations

TYPE_CHECKING = False  # small processes that import this start without typing
if TYPE_CHECKING:
    import json as json  # noqa: PLC0414 - exported
    import os as os  # noqa: PLC0414
    import resource as resource  # noqa: PLC0414
    import select as select  # noqa: PLC0414
    import signal as signal  # noqa: PLC0414
    import subprocess as subprocess  # noqa: PLC0414
    import sys as sys  # noqa: PLC0414
    import tempfile as tempfile  # noqa: PLC0414
    import threading as threading  # noqa: PLC0414
    import time as time  # noqa: PLC0414
else:
    FunctionType = type(lambda: None)  # that of `types`

    class Copy:
        """A copy of a module; not a module itself, so that tools that patch modules skip it.

        Its attributes are read faster than those of a `types.SimpleNamespace`, which the interpreter does not cache.
        """

    def __getattr__(name: str) -> Copy:
        """Copy a module when it is first imported from here."""
        if name.startswith("__"):  # the import system looks for these
            raise AttributeError(name)
        copy = globals()[name] = Copy()
        names = vars(__import__(name))
        own = {
            each: _within(copy, value)
            for each, value in names.items()
            if type(value) is FunctionType and value.__globals__ is names
        }
        copy.__dict__.update({**names, **own})
        return copy

    def _within(copy: Copy, value: FunctionType) -> FunctionType:
        """Return a function of the module with the copy as its globals."""
        own = FunctionType(value.__code__, vars(copy), value.__name__, value.__defaults__, value.__closure__)
        own.__kwdefaults__ = value.__kwdefaults__
        return own
