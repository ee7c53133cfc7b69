"""A scorecard in the terminal, as JSON and as HTML."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from made_recordings import of_frame, server
from rich.console import Console

from pytest_twin.analysis.fidelity import gates
from pytest_twin.analysis.fidelity.gates import FidelityGates, judge, limits_of
from pytest_twin.analysis.fidelity.scorecard import compare_recordings
from pytest_twin.model.machine_recording import RESOURCES
from pytest_twin.report.fidelity import document, html, terminal
from pytest_twin.report.fidelity.wording import failure_lines, format_limit, format_value, gap_lines

pytest.importorskip("scipy")
LIMITS = limits_of(FidelityGates(), 1.0)


@pytest.fixture(scope="module")
def scaled():
    """The scorecard of a run that is scaled, and received nothing over a network, as was recorded."""
    frame = server().frame.rename(columns={"mem": "net_received"}).assign(net_received=0.0)
    return compare_recordings(("<b>.csv", "run"), of_frame(frame), of_frame(frame.assign(cpu=0.8 * frame["cpu"])))


def test_the_table_has_each_gate_with_value_and_limit_and_what_it_catches(scaled, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    text = terminal.text(scaled)
    assert text.startswith("run as a replay of <b>.csv: failed (")
    assert re.search(r"mean bias \(NMBE\) +±5 % +-20 % ✗ +– +0 % +the run is scaled or offset", text)  # noqa: RUF001
    assert re.search(r"Wasserstein distance +none +\S+ points +– +0 points +shown only", text)  # noqa: RUF001
    assert re.search(r"\nverdict +failed +not judged +passed", text)
    assert "intervals of 1 s (recording) and 1 s (run), resampled to the coarser: 1 s; aligned by elapsed time" in text
    assert "  net_received: the recording does not vary" in text


def printed(card, width: int) -> str:
    console = Console(width=width, no_color=True)
    with console.capture() as captured:
        terminal._print(card, console)
    return captured.get()


@pytest.fixture(scope="module")
def wide():
    """The scorecard of all resources, one of which the recording does not have."""
    frame = server().frame
    frame = frame.assign(net_sent=1e7 * frame["cpu"], net_received=2e7 * frame["cpu"], disk_read=1e6 * frame["cpu"])
    return compare_recordings(("r", "run"), of_frame(frame.drop(columns="disk_read")), of_frame(0.5 * frame))


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 300])
def test_a_table_that_is_too_wide_is_split_by_resources(wide, width):
    before, _, _ = printed(wide, width).partition("\nfailed:")
    table = before[before.index("\ngate") + 1 :].splitlines()
    assert all(len(line) <= width for line in table)
    heads = [line.split() for line in table if line.startswith("gate")]
    assert [name for head in heads for name in head[2:] if name in RESOURCES] == [
        each.name for each in wide.resources if each.name != "disk_read"
    ]
    assert sum(line.startswith("correlation between") for line in table) == 1
    assert ("a failure tells" in before) == (width >= 160)
    assert sum(line.startswith("mean bias") for line in table) == len(heads)


def test_what_only_the_run_has_is_told_below_the_table(wide):
    table, _, rest = printed(wide, 160).partition("\nfailed:")
    assert "disk_read" not in table
    assert "  disk_read: the recording has no such column" in rest


def test_a_reason_is_told_once_for_all_resources():
    frame = server(80).frame
    lines = list(
        gap_lines(compare_recordings(("r", "run"), of_frame(frame.assign(mem=0.3, net_sent=0.0)), of_frame(frame)))
    )
    assert "cpu, mem, disk_write: error of p99: fewer than 500 values are known on both sides" in lines
    assert "net_sent: the run has no such column" in lines
    assert (
        "mem: skill, Pearson r at lag 0, lag, drift of the lag, r of changes, ratio of changes: "
        "the recording does not vary" in lines
    )


def test_a_failed_gate_says_what_is_wrong(scaled):
    lines = list(failure_lines(scaled))
    assert lines[0] == (
        "cpu: mean bias (NMBE) -20 %, the limit is ±5 %: the run is scaled or offset, or shows another metric"
    )


def test_a_value_that_failed_differs_from_its_limit():
    assert format_value(judge(gates.BIAS, 5.0012, LIMITS[gates.BIAS])) == "5.001 %"
    assert format_value(judge(gates.BIAS, 4.9998, LIMITS[gates.BIAS])) == "5 %"
    assert format_value(judge(gates.COVERAGE, 0.94999, LIMITS[gates.COVERAGE])) == "0.94999"
    shown = [
        format_limit(each, LIMITS[each]) for each in (gates.COVERAGE, gates.CV_RMSE, gates.P95, gates.CHANGE_RATIO)
    ]
    assert shown == ["≥ 0.95", "≤ 30 %", "±5 points", "0.5 to 2"]


def test_the_document_has_every_gate_of_every_resource(scaled):
    found = json.loads(document.text(scaled))
    assert (found["verdict"], found["interval_s"], found["recording"]) == ("failed", 1.0, "<b>.csv")
    assert found["resources"]["net_received"]["verdict"] == "not judged"
    bias = found["resources"]["cpu"]["gates"]["bias"]
    assert (bias["verdict"], bias["min"], bias["max"], bias["unit"]) == ("failed", -5, 5, "%")
    assert bias["value"] == pytest.approx(-20, abs=0.1)
    assert found["resources"]["cpu"]["gates"]["skill"]["max"] is None
    assert found["gates"]["coupling"]["verdict"] == "passed"


def test_the_page_draws_both_curves_on_one_axis_and_their_difference(scaled):
    page = html.page(scaled)
    assert page.startswith("<!doctype html>")
    assert "<b>.csv" not in page
    assert page.count('class="recorded" d="M') == page.count('class="replayed" d="M') == 2  # the network is not judged
    assert page.count('class="difference" d="M') == 2
    assert (
        '<td class="number failed" colspan="1" title="" data-label="cpu">-20 % '
        '<span role="img" aria-label="failed">✗</span></td>' in page
    )
    assert page.count('<span role="img" aria-label="not judged">–</span></td>') > 3  # noqa: RUF001
    assert not re.search(r"–\W+<span[^>]*>–", page)  # noqa: RUF001


def test_the_page_has_no_column_for_what_only_the_run_has(wide):
    page = html.page(wide)
    heads = re.findall(r'<th scope="col" class="number">([^<]+)</th>', page)
    assert heads == ["Limit", *(each.name for each in wide.resources if each.name != "disk_read")]
    assert "disk_read: the recording has no such column" in page


def test_an_axis_of_amounts_begins_at_0():
    """Although a mean over intervals that should be 0 is less by rounding."""
    frame = server().frame.assign(disk_write=lambda columns: columns["disk_write"] - columns["disk_write"].min() - 1e-9)
    page = html.page(compare_recordings(("r", "run"), of_frame(frame), of_frame(frame)))
    assert page.count("</b>, from 0 to ") == 3


def test_a_long_curve_keeps_its_peaks_and_its_gaps():
    values = np.zeros(50_000)
    values[31_234], values[20_000:21_000] = 1.0, np.nan
    path = html._path("recorded", values, 0.0, 1.0)
    assert path.count("M") == 2
    assert ",0.0" in path
    assert len(path) < 20_000
