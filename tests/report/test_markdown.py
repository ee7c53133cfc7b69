"""summary.md."""

from made_runs import MadeRun, busy_run

from pytest_twin.model.event import SKIP
from pytest_twin.report.markdown import LONGEST, cut, page, said


def test_a_run_is_summed_up_in_tables(tmp_path):
    text = page(busy_run(tmp_path).story())
    assert text.startswith("## pytest-twin: 1 failed, 2 passed\n\n2026-01-01 12:00:00 UTC")
    assert (
        "### Did not pass\n\n| test | outcome | took | CPU time | peak memory | under load |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        r"| tests/test\_b.py::test\_broken | failed | 1.50 s | 3.25 s | 100 MiB |  |"
    ) in text
    assert "| disk | 50MB/s | 10.0MB/s | 1 | 1.30 s | starved: it got 20% of what was asked |" in text
    assert r"| ram\_used\_percent | 35.9 % | +5.90 s |" in text


def test_no_name_of_a_test_gets_out_of_its_cell():
    assert said("a|b`c`<script>*x*\n[y](z) @me") == (r"a\|b\`c\`&lt;script&gt;\*x\*\\n\[y\](z) \@me")


def test_a_long_id_is_cut_in_the_middle():
    text = cut("tests/" + "x" * 500 + "[last]")
    assert len(text) <= LONGEST
    assert text.startswith("tests/")
    assert text.endswith("[last]")


def test_of_many_tests_the_first_are_listed_and_the_rest_counted(tmp_path):
    made = MadeRun(tmp_path).sampled(3)
    for number in range(25):
        made.test(f"t.py::test_{number}", number / 10, number / 10 + 0.1, "failed")
    assert "… and 5 more in tests.csv" in page(made.story())


def test_budgets_are_told_where_tests_have_some(tmp_path):
    made = MadeRun(tmp_path).sampled(2).test("t.py::test_a", 0, 1, budget="ok")
    made.test("t.py::test_b", 1, 2, "failed", budget="cpu_seconds 3.2 s > 2 s").test("t.py::test_c", 1, 2)
    text = page(made.story())
    assert "### Budgets\n\n1 of 2 tests with a budget kept it.\n" in text
    assert r"| t.py::test\_b | cpu\_seconds 3.2 s &gt; 2 s |" in text


def test_loads_that_were_not_reached_are_told(tmp_path):
    text = page(MadeRun(tmp_path).sampled(1).happened(0.5, SKIP, "cpu", target="2").story())
    assert "Not reached before the end: 1 cpu" in text
