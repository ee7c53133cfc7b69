"""summary.md."""

from made_runs import MadeRun, busy_run, leaky_run, run_of_two_hosts
from saved_runs import made, weighed

from pytest_twin.model.event import SKIP
from pytest_twin.report.formats import summary_of
from pytest_twin.report.markdown import page
from pytest_twin.report.markdown_escape import escape
from pytest_twin.report.wording import LONGEST, truncate_middle


def test_a_run_is_summed_up_in_tables(tmp_path):
    text = page(busy_run(tmp_path).summary())
    assert text.startswith("## pytest-twin: 1 failed, 2 passed\n\n2026-01-01 12:00:00 UTC")
    assert (
        "### Did not pass\n\n| test | outcome | error | what stood out while it ran |\n"
        "| --- | --- | --- | --- |\n"
        r"| tests/test\_b.py::test\_broken | failed |  | nothing unusual; machine 50 % busy; the test used 3.25 s CPU"
    ) in text
    assert "| disk | 50MB/s | 10.0MB/s | 1 | 1.30 s | starved: achieved 20 % of the request |" in text
    assert r"| ram\_used\_percent | 35.9 % | +5.90 s |" in text


def test_a_resource_that_nobody_used_has_no_peak_in_the_table(tmp_path):
    summary = MadeRun(tmp_path).sampled(3, swap_used_percent="0.0", pressure_io_percent="0.004").summary()
    peaks = page(summary).partition("### Peaks\n\n")[2]
    assert r"| pressure\_io\_percent | 0.004 % |" in peaks
    assert r"swap\_used\_percent" not in peaks
    assert "swap_used_percent" in [peak.column for peak in summary.peaks]  # which run.json has


def test_tests_are_heavy_by_what_they_added_and_those_that_left_it_behind_are_named(tmp_path):
    text = page(leaky_run(tmp_path).summary())
    grown = text.partition("### Highest memory growth\n\n")[2].partition("\n\n")[0]
    assert grown.splitlines()[0] == "| test | outcome | duration | CPU time | memory growth | load |"
    assert grown.splitlines()[2:] == [r"| t.py::test\_leak | passed | 1.00 s | 750 ms | +60.0 MiB |  |"]
    kept = "| test | memory kept by its process |\n| --- | --- |\n| t.py::test\\_leak | +60.0 MiB |\n"
    assert f"### Kept memory\n\n{kept}\n" in text


def test_tests_that_write_much_to_disks_are_named_with_how_much(tmp_path):
    made = MadeRun(tmp_path).sampled(3).test("t.py::test_export", 0, 1, written_MB="64.0")
    text = page(made.test("t.py::test_log", 1, 2, written_MB="9.9").test("t.py::test_none", 2, 3).summary())
    assert (
        "### Most written to disk\n\n| test | written |\n| --- | --- |\n| t.py::test\\_export | 64.0 MiB |\n\n" in text
    )
    assert "### Most written" not in page(busy_run(tmp_path / "quiet").summary())


def test_no_name_of_a_test_gets_out_of_its_cell():
    assert escape("a|b`c`<script>*x*\n[y](z) @me") == (r"a\|b\`c\`&lt;script&gt;\*x\*\\n\[y\](z) \@me")
    assert [escape(text) for text in ("- a", "1. a", "-3.5 %", "12.5")] == [r"\- a", r"1\. a", "-3.5 %", "12.5"]


def test_a_long_id_is_cut_in_the_middle():
    text = truncate_middle("tests/" + "x" * 500 + "[last]")
    assert len(text) <= LONGEST
    assert text.startswith("tests/")
    assert text.endswith("[last]")


def test_of_many_tests_the_first_are_listed_and_the_rest_counted(tmp_path):
    made = MadeRun(tmp_path).sampled(3)
    for number in range(25):
        made.test(f"t.py::test_{number}", number / 10, number / 10 + 0.1, "failed")
    assert "… and 5 more in tests.csv" in page(made.summary())


def test_budgets_are_told_where_tests_have_some(tmp_path):
    made = MadeRun(tmp_path).sampled(2).test("t.py::test_a", 0, 1, budget="ok")
    made.test("t.py::test_b", 1, 2, "failed", budget="cpu_seconds 3.2 s > 2 s").test("t.py::test_c", 1, 2)
    text = page(made.summary())
    assert "### Budgets\n\n1 of 2 tests with a budget is within it.\n" in text
    assert r"| t.py::test\_b | cpu\_seconds 3.2 s &gt; 2 s |" in text


def test_loads_that_were_not_reached_are_told(tmp_path):
    text = page(MadeRun(tmp_path).sampled(1).happened(0.5, SKIP, "cpu", target="2").summary())
    assert "Not started before the end of the run: 1 cpu" in text


def test_what_came_of_comparing_stands_before_the_slowest_tests(tmp_path):
    made(tmp_path / "a", {"t.py::test_a": 0.1})
    made(tmp_path / "b", {"t.py::test_a": 0.2}, cpu="B")
    text = page(summary_of(tmp_path / "b", weighed(tmp_path / "a", tmp_path / "b", "cpu_seconds>10%")))
    assert "\n\n### Compared: different machine: CPU A -&gt; B\n\nbefore (1 run) -&gt; after" in text
    assert "| t.py::test\\_a | duration | 100.0 ms | 200.0 ms | x2.00 |  |  | possibly more |\n\n### Slowest" in text


PROFILE = """nodeid,resource,level_percent,slowdown,slowdown_low,slowdown_high,knee_percent,rank
t.py::test_a,disk,0,1.01,0.98,1.03,25,2
t.py::test_a,disk,100,2.00,1.90,2.10,25,2
t.py::test_a,cpu,0,1.00,0.99,1.02,50,1
t.py::test_a,cpu,100,4.00,3.50,4.60,50,1
t.py::test_b,cpu,0,1.00,,,,
t.py::test_b,cpu,100,,,,,
"""


def test_a_profile_is_the_load_that_hurts_each_test_most(tmp_path):
    (tmp_path / "profile.csv").write_text(PROFILE)
    text = page(MadeRun(tmp_path).sampled(2).summary())
    assert (
        "### Most sensitive to\n\n| test | load | slowdown at 100 % | 95 % interval | knee | then |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| t.py::test\\_a | cpu | 4.00 | 3.50 to 4.60 | 50 % | disk |\n"
        "| t.py::test\\_b | none significant |  |  |  |  |\n"
    ) in text


def test_a_profile_with_failures_and_a_quota_has_columns_for_them(tmp_path):
    (tmp_path / "profile.csv").write_text("""nodeid,resource,level_percent,slowdown,knee_percent,rank,runs,failures
t.py::test_a,cpu,0,1.00,100,1,12,1
t.py::test_a,cpu,75,1.50,100,1,6,1
t.py::test_a,cpu,100,,100,1,5,4
t.py::test_a,quota,100,1.00,50,,12,1
t.py::test_a,quota,50,2.00,50,,6,0
""")
    text = page(MadeRun(tmp_path).sampled(2).summary())
    assert (
        "| test | load | slowdown at 100 % | 95 % interval | knee | then | CPU quota: knee | fails |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |\n"
        "| t.py::test\\_a | cpu |  |  | 100 % |  | 50 % | 4 of 5 under cpu=100%, 1 of 12 without load |\n"
    ) in text


def test_of_several_hosts_each_row_names_its_own(tmp_path):
    text = page(run_of_two_hosts(tmp_path).summary())
    assert "90 samples every 0.1 s · 2 hosts\n" in text
    assert "| test | host | outcome |" in text
    assert r"| t.py::test\_there | far | failed | 2.00 s |" in text
    assert r"| t.py::test\_here | pytest's host | passed | 2.00 s |" in text
    assert "| pytest's host | cpu | 2 | 2 cores | 1 | 1.80 s |  |\n| far | cpu | 2 | 1 cores | 1 | 1.80 s | ach" in text
    assert r"| far | cpu\_percent | 85.8 % | +5.80 s |" in text
    assert r"| pytest's host | cpu\_percent | 45.9 % | +5.90 s |" in text


def test_of_one_host_no_row_names_it(tmp_path):
    assert "host" not in page(busy_run(tmp_path).summary())
