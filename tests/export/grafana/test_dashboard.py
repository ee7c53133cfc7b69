"""The dashboard: the rules of grafana/dashboard-linter, Grafana's own model, and each metric on it."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from pytest_twin.export.grafana.dashboard import dashboard_text
from pytest_twin.export.prometheus.metrics import HISTOGRAM, all_metrics

ROOT = Path(__file__).parents[3]
MODEL = json.loads(dashboard_text())
PANELS = [panel for panel in MODEL["panels"] if panel["type"] != "row"]
TARGETS = [(panel, target) for panel in PANELS for target in panel["targets"]]
ACTIVE_LOADS = MODEL["annotations"]["list"][1]
EXPRESSIONS = [target["expr"] for _, target in TARGETS] + [ACTIVE_LOADS["expr"]]
SELECTOR = re.compile(r"(\w+)\{([^}]*)\}(\[[^]]*\])?")
FUNCTION_BEFORE = re.compile(r"(\w+)\($")
# those of the categories of Grafana's value formats that the dashboard uses
UNITS = {"none", "percentunit", "bytes", "Bps", "ops", "s", "celsius", "dateTimeAsIso"}
OF_DATA_SOURCE = {"step", "titleFormat", "textFormat", "tagKeys"}  # settings of the query, not of Grafana's model


def differences(written, read, place=""):
    """What of a document is not in another one."""
    if isinstance(written, dict) and isinstance(read, dict):
        for key, value in written.items():
            yield from differences(value, read.get(key), f"{place}.{key}")
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for at, (one, other) in enumerate(zip(written, read, strict=True)):
            yield from differences(one, other, f"{place}[{at}]")
    elif written != read:
        yield place


def test_it_is_the_one_that_its_program_makes():
    page = runpy.run_path(str(ROOT / "docs" / "dashboard.py"))["page"]
    assert dashboard_text() == page()


def test_grafana_has_each_field_in_its_model():
    register_default_plugins()
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(MODEL)))
    lost = {place.rpartition(".")[2] for place in differences(MODEL, read)}
    assert lost == OF_DATA_SOURCE


def test_a_field_that_grafana_does_not_have_would_be_found():
    register_default_plugins()
    panels = [{**MODEL["panels"][1], "colour": "red"}]
    read = json.loads(JSONEncoder().encode(Dashboard.from_json({**MODEL, "panels": panels})))
    assert ".panels[0].colour" in differences({**MODEL, "panels": panels}, read)


def test_each_metric_is_on_the_dashboard_and_each_one_of_it_is_exported():
    ends = ("_bucket", "_sum", "_count")
    exported = {
        name
        for metric in all_metrics()
        for name in ([metric.name + end for end in ends] if metric.type == HISTOGRAM else [metric.full_name])
    }
    shown = {name for expression in EXPRESSIONS for name in re.findall(r"pytest_twin_\w+", expression)}
    assert shown == exported


def test_the_data_source_is_a_variable():
    found = {variable["name"]: variable for variable in MODEL["templating"]["list"]}
    assert list(found) == ["datasource", "job", "instance"]
    assert (found["datasource"]["type"], found["datasource"]["query"]) == ("datasource", "prometheus")
    assert found["datasource"]["label"] == "Data source"
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"$datasource"}
    assert {target["datasource"]["uid"] for _, target in TARGETS} == {"$datasource"}


@pytest.mark.parametrize("name", ["job", "instance"])
def test_job_and_instance_are_variables_with_all_values(name):
    variable = next(each for each in MODEL["templating"]["list"] if each["name"] == name)
    assert (variable["type"], variable["datasource"]["uid"]) == ("query", "$datasource")
    assert (variable["multi"], variable["allValue"], variable["label"]) == (True, ".+", name.title())
    assert variable["refresh"] == 2  # when the time range changes
    assert re.fullmatch(r"label_values\(\{.+\}, " + name + r"\)", variable["query"])


def test_each_panel_has_a_title_a_description_a_unit_and_queries():
    titles = [panel["title"] for panel in PANELS]
    assert all(titles)
    assert len(titles) == len(set(titles))
    assert [panel["title"] for panel in PANELS if not panel["description"].endswith((".", ")."))] == []
    assert [panel["title"] for panel in PANELS if not panel["targets"]] == []
    assert {panel["fieldConfig"]["defaults"]["unit"] for panel in PANELS} == UNITS


def test_each_selector_has_matchers_for_job_and_instance():
    for expression in EXPRESSIONS:
        assert SELECTOR.findall(expression)
        assert expression.count("{") == len(SELECTOR.findall(expression))
        for name, matchers, _ in SELECTOR.findall(expression):
            assert matchers.split(", ")[:2] == ['job=~"$job"', 'instance=~"$instance"'], name


def test_each_range_is_that_of_the_panel_and_within_a_rate():
    for expression in EXPRESSIONS:
        for found in SELECTOR.finditer(expression):
            before = FUNCTION_BEFORE.search(expression[: found.start()])
            is_rate = before is not None and before[1] in {"rate", "increase"}
            assert found[3] == ("[$__rate_interval]" if is_rate else None), expression


def test_a_counter_is_drawn_as_a_rate_or_an_increase_and_its_total_is_a_figure():
    for panel, target in TARGETS:
        for found in SELECTOR.finditer(target["expr"]):
            if found[1].endswith(("_total", "_bucket", "_sum", "_count")) and not found[3]:
                is_idle_count = found[1] == "node_cpu_seconds_total" and 'mode="idle"' in found[2]  # the number of CPUs
                assert panel["type"] == "stat" or is_idle_count, panel["title"]


def test_it_has_an_identifier_and_is_changed_by_its_program_only():
    assert (MODEL["uid"], MODEL["editable"]) == ("pytest-twin", False)
    assert "id" not in MODEL


def test_panels_have_numbers_of_their_own_and_do_not_overlap():
    numbers = [panel["id"] for panel in MODEL["panels"]]
    assert numbers == list(range(1, len(numbers) + 1))
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in MODEL["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_limits_and_failures_come_first():
    assert MODEL["panels"][0]["title"] == "Run at a glance"
    assert [panel["title"] for panel in PANELS[:2]] == ["Budgets exceeded", "Tests failed"]
    for panel in PANELS[:2]:
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert steps == [{"value": None, "color": "green"}, {"value": 1, "color": "red"}]


def test_the_regions_are_those_of_active_loads():
    assert ACTIVE_LOADS["expr"].endswith("> 0")
    assert "pytest_twin_load_active{" in ACTIVE_LOADS["expr"]
    posted = MODEL["annotations"]["list"][2]
    assert (posted["target"]["type"], posted["target"]["tags"]) == ("tags", ["pytest-twin"])


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_can_read_each_query(tmp_path):
    lines = ["groups:", "- name: dashboard", "  rules:"]
    for number, expression in enumerate(EXPRESSIONS):
        text = json.dumps(expression.replace("$__rate_interval", "1m"))
        lines += [f"  - record: query:{number}", f"    expr: {text}"]
    (tmp_path / "rules.yml").write_text("\n".join(lines))
    done = subprocess.run(
        ["promtool", "check", "rules", "rules.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(EXPRESSIONS)} rules found" in done.stdout
