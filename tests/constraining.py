"""Whether processes can be constrained here, and tests that need it."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

import pytest

BURN = """
import time

def burn(cpu_s):
    '''Use CPU time, and return how long that took.'''
    began, until = time.monotonic(), time.process_time() + cpu_s
    while time.process_time() < until:
        pass
    return time.monotonic() - began
"""

NO_BACKEND = """
from pytest_twin.stressors.spec.request import LoadRequest
with_options = LoadRequest.with_options
LoadRequest.with_options = lambda self, **options: with_options(self, **{**options, "backend": "no backend"})
"""
"""A conftest.py with which no constraint can be enforced."""


def need(**limits: str) -> None:
    """Skip a test if one of these limits cannot be enforced here."""
    for name, value in limits.items():
        if why := _why_not(name, value):
            pytest.skip(why)


@cache
def _why_not(name: str, value: str) -> str:
    if sys.platform != "linux":
        return "constraints need Linux"
    command = [sys.executable, "-m", "pytest_twin", "constrain", f"--{name}", value, sys.executable, "-c", "pass"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""
