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

def is_within(share, cpu_s, used=time.process_time):
    '''Use this CPU time at least, and more while that was more than this share of the time that passed.

    What enforces a quota may itself have to wait for a CPU; what was used meanwhile is made up for later.
    '''
    began, before = time.monotonic(), used()
    while True:
        passed, burnt = time.monotonic() - began, used() - before
        if burnt >= cpu_s and burnt <= share * passed + 0.1:  # a period, which may have just begun
            return True
        if burnt > cpu_s + 10:
            return False
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
