"""What a long measurement shows meanwhile: in a terminal, in a log, and with pytest-xdist."""

import io
import re
from types import SimpleNamespace

import pytest
from _pytest._io import TerminalWriter

from pytest_twin.plugin import progress
from pytest_twin.plugin.progress import Progress, format_left

PRINTS = """
    import pytest

    def test_it():
        print("mine")
        assert False
"""


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    monkeypatch.setattr(progress, "IN_PLACE_EVERY_S", 0.0)


@pytest.fixture
def terminal():
    """A terminal of 60 columns, in whose present line pytest has written something."""
    file = io.StringIO()
    writer = TerminalWriter(file)
    writer.fullwidth, writer.hasmarkup = 60, True
    writer.write("test_it.py ..")
    reporter = SimpleNamespace(isatty=True, hasmarkup=True, flush=file.flush, _tw=writer)
    plugins = {"terminalreporter": reporter}
    config = SimpleNamespace(pluginmanager=SimpleNamespace(get_plugin=plugins.get), option=SimpleNamespace(verbose=0))
    return SimpleNamespace(config=config, writer=writer, written=file.getvalue)


@pytest.mark.usefixtures("at_once")
def test_on_a_terminal_it_stands_behind_the_present_line_and_leaves_no_trace(terminal):
    shown = Progress(terminal.config)
    shown.show(lambda: "3 of 5 runs")
    shown.clear()
    assert terminal.written() == "test_it.py ..\x1b7\x1b[K 3 of 5 runs\x1b8\x1b7\x1b[K\x1b8"
    assert terminal.writer.width_of_current_line == len("test_it.py ..")
    shown.clear()
    assert terminal.written().endswith("runs\x1b8\x1b7\x1b[K\x1b8")


@pytest.mark.usefixtures("at_once")
def test_a_long_text_never_wraps_and_little_room_shows_nothing(terminal):
    Progress(terminal.config).show(lambda: "x" * 100)
    assert len(re.search(r" x+…x+", terminal.written())[0]) <= 60 - len("test_it.py ..")
    before = terminal.written()
    terminal.writer.write("." * 40)
    Progress(terminal.config).show(lambda: "nothing")
    assert terminal.written() == before + "." * 40


def test_it_is_shown_only_now_and_then(terminal):
    Progress(terminal.config).show(lambda: pytest.fail("too early"))
    terminal.config.option.verbose = -1
    progress.Progress(terminal.config).show(lambda: pytest.fail("too early"))


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--twin-profile", "--twin-profile-time=3s"], None),
        (["--twin-repeat=3"], "twin: test_it.py::test_it: 2 of 3 runs, 2 failed"),
    ],
)
def test_in_a_log_it_is_a_line_and_never_in_what_a_test_printed(pytester, flags, line):
    pytester.makepyfile(test_it=PRINTS)
    lines = pytester.runpytest(*flags).outlines
    assert line is None or line in lines
    at = next(at for at, each in enumerate(lines) if "Captured stdout call" in each)
    assert lines[at + 1] == "mine"
    assert not lines[at + 2].startswith("twin: ")


@pytest.mark.usefixtures("at_once")
def test_a_profile_tells_which_test_it_measures_and_how_long_it_takes(pytester):
    pytester.makepyfile(test_it="def test_it(): pass")
    result = pytester.runpytest("--twin-profile", "--twin-profile-time=4s")
    result.stdout.re_match_lines([r"twin: profile of test_it.py::test_it, 1 of 1: 0:0\d min left"])
    result.assert_outcomes(passed=1)


@pytest.mark.usefixtures("at_once")
def test_a_budget_tells_how_many_runs_it_has_made(pytester):
    pytester.makepyfile(test_it="import pytest\n@pytest.mark.twin_budget(p50=60)\ndef test_it(): pass")
    pytester.runpytest().stdout.fnmatch_lines(["twin: budget of test_it.py::test_it: 1 of * runs"])


def test_workers_of_xdist_print_it_on_stderr(pytester):
    pytester.makeconftest("from pytest_twin.plugin import progress\nprogress.LINE_EVERY_S = 0.0\n")
    pytester.makepyfile(test_it="def test_it(): pass")
    result = pytester.runpytest_subprocess("-n1", "--twin-repeat=3")
    result.stderr.fnmatch_lines(["twin: gw0: test_it.py::test_it: 1 of 3 runs"])
    result.stdout.no_fnmatch_line("*of 3 runs")
    result.assert_outcomes(passed=1)


def test_the_time_that_is_left_is_told_in_minutes():
    assert [format_left(seconds) for seconds in (-1, 65.2, 600)] == ["0:00 min left", "1:05 min left", "10:00 min left"]


def test_where_pytest_has_no_terminal_nothing_is_shown_and_all_repetitions_run(pytester, left):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.twin_budget(p50=10)
        def test_it(): pass
    """)
    pytester.runpytest("--twin", "-p", "no:terminal")
    assert len(left.tests) > 5
