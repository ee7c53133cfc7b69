"""Tests that pass on a quiet machine, and of which three break on a busy one.

pytest examples/flaky                                         # they pass
pytest examples/flaky --twin-flaky --twin-flaky-time 2m       # find those that break, and under what
pytest examples/flaky -k sleep --twin-constrain cpu=0.05 --twin-repeat 10    # reproduce: "failed 10 of 10"
pytest examples/flaky -k event --twin-constrain cpu=0.05 --twin-repeat 10    # the same test, mended: it passes
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from thumbnails import Thumbnails

PROGRAM = Path(__file__).with_name("thumbnails.py")


@pytest.fixture
def thumbnails():
    thumbnails = Thumbnails()
    yield thumbnails
    thumbnails.close()


def test_thumbnail_after_a_sleep(thumbnails):
    """It breaks: a sleep is no synchronization."""
    thumbnails.submit("cat")
    time.sleep(0.6)
    assert "cat" in thumbnails.made


def test_thumbnail_after_its_event(thumbnails):
    """It holds: the same test, which waits for what it needs. The limit is for a thread that has died."""
    assert thumbnails.submit("cat").wait(60)
    assert "cat" in thumbnails.made


def test_thumbnails_of_an_album(thumbnails):
    """It breaks: the answer of `wait` is ignored, and the limit is near to what the work takes."""
    album = [f"picture {number}" for number in range(3)]
    last = [thumbnails.submit(name) for name in album][-1]
    last.wait(1.5)
    assert set(album) <= thumbnails.made.keys()


def test_program_starts():
    """It breaks: a second is long for the start of a program only as long as it has a CPU."""
    with subprocess.Popen([sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        lines = []
        reader = threading.Thread(target=lambda: lines.append(program.stdout.readline()))
        reader.start()
        reader.join(timeout=1)
        in_time = list(lines)
        program.stdin.close()
        reader.join()
    assert in_time == [b"ready\n"]
