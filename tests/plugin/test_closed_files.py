"""Tests that close what is not theirs, or leave themselves little: rows go on, and never into files of theirs."""

from __future__ import annotations

import os
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and users of Linux")

CLOSES = """
    import os, pytest, subprocess

    @pytest.fixture(scope="module")
    def child():
        child = subprocess.Popen(["sleep", "60"])
        yield child
        child.kill()
        child.wait()

    @pytest.mark.twin_budget(peak_memory="64GiB")
    def test_before(child): pass

    @pytest.mark.twin_budget(peak_memory="64GiB")
    def test_closes(tmp_path):
        kept = [fd for fd in map(int, os.listdir("/proc/self/fd")) if fd > 2 and is_ours(fd)]
        assert len(kept) >= 5
        for fd in kept:
            os.close(fd)
        files = [open(tmp_path / str(number), "w+b", buffering=0) for number in range(60)]
        globals().update(files=files)

    @pytest.mark.twin_budget(peak_memory="64GiB", cpu_seconds=60)
    def test_after(child): pass

    def test_no_row_is_in_a_file_of_the_test():
        for file in files:
            assert os.fstat(file.fileno()).st_size == 0
            os.pread(file.fileno(), 1, 0)

    def is_ours(fd):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            return False
        return "twin-report" in target or target.startswith("/proc/")
"""


def test_rows_and_figures_go_on_after_a_test_that_closed_their_files(pytester, left):
    pytester.makepyfile(CLOSES)
    result = pytester.runpytest_subprocess("-p", "no:xdist", "--twin")
    result.assert_outcomes(passed=4)
    assert not [line for line in result.outlines if "warning: error" in line or "moved or removed" in line]
    assert [row["outcome"] for row in left.tests] == ["passed"] * 4
    assert [row["budget"] for row in left.tests] == ["ok", "ok", "ok", ""]
    assert all(row["peak_memory_MB"] and row["children_cpu_s"] for row in left.tests)
    ended = [row["test"] for row in left.events if (row["type"], row["event"]) == ("test", "end")]
    assert len(ended) == 4


LITTLE = {
    "another user": "os.setuid(65534)",
    "no more files": "resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))",
    "all files closed": "os.closerange(3, 64)",
}


@pytest.mark.slow
@pytest.mark.parametrize("does", LITTLE)
def test_a_test_that_leaves_its_process_little_keeps_its_row_and_the_exit_code_of_pytest(pytester, left, does):
    if does == "another user" and os.geteuid() != 0:
        pytest.skip("needs root")
    pytester.makepyfile(f"""
        import os, pytest, resource

        @pytest.mark.stress(cpu=1)
        def test_before(): pass
        def test_it(): {LITTLE[does]}
        def test_after(): pass
    """)
    flags = ("-pno:xdist", "-pno:cacheprovider", "-pno:hypothesispytest", "-pno:asyncio", "--capture=sys")
    bare = pytester.runpytest_subprocess("-pno:twin", *flags)
    result = pytester.runpytest_subprocess("--twin", *flags)
    assert result.ret == bare.ret
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stderr.no_fnmatch_line("*pytest_twin*")
    assert [row["outcome"] for row in left.tests] == ["passed"] * 3
