"""The names that we write out are those of the semantic conventions that are installed."""

from __future__ import annotations

import importlib
import pkgutil
import re

import pytest
from made_runs import busy_run

from pytest_twin.export.otlp import attributes
from pytest_twin.export.otlp.attributes import PREFIX, SCHEMA_URL
from pytest_twin.export.otlp.ci_environment import SYSTEMS, of_environment
from pytest_twin.export.otlp.resource import resource_of
from pytest_twin.export.otlp.run_rows import RunRows
from pytest_twin.export.otlp.sample_metrics import COUNTER, GAUGE, METRICS

schemas = pytest.importorskip("opentelemetry.semconv.schemas")
VERSION = SCHEMA_URL.rpartition("/")[2].replace(".", "_")
if not hasattr(schemas.Schemas, f"V{VERSION}"):
    pytest.skip("the installed conventions are older", allow_module_level=True)


def constants(package):
    """All names in the modules of a package of the conventions."""
    modules = importlib.import_module(package)
    found = {}
    for module in pkgutil.iter_modules(modules.__path__):
        for name, value in vars(importlib.import_module(f"{package}.{module.name}")).items():
            if name.isupper() and isinstance(value, str):
                found[value] = f"{package}.{module.name}", name
    return found


ATTRIBUTES = {
    **constants("opentelemetry.semconv._incubating.attributes"),
    **constants("opentelemetry.semconv.attributes"),
}
METRIC_NAMES = constants("opentelemetry.semconv._incubating.metrics")


def test_the_schema_is_one_of_the_conventions():
    assert getattr(schemas.Schemas, f"V{VERSION}").value == SCHEMA_URL


def test_the_attributes_of_tests_are_conventional():
    assert {attributes.CASE_NAME, attributes.CASE_STATUS, attributes.SUITE_NAME, attributes.SUITE_STATUS} <= {
        *ATTRIBUTES
    }
    tests = importlib.import_module("opentelemetry.semconv._incubating.attributes.test_attributes")
    assert {*attributes.CASE_STATUSES.values()} == {each.value for each in tests.TestCaseResultStatusValues}
    statuses = {each.value for each in tests.TestSuiteRunStatusValues}
    assert {attributes.SUCCESS, attributes.FAILURE, attributes.ABORTED} <= statuses


def test_the_attributes_of_ci_and_of_resources_are_conventional(tmp_path):
    of_ci = {name for system in SYSTEMS for name in system.attributes} | {*of_environment({"GITLAB_CI": "true"})}
    run = RunRows(busy_run(tmp_path).write())
    of_resource = {name for name in resource_of(run, "", "ci-7", {}) if not name.startswith(PREFIX)}
    assert of_ci | of_resource <= {*ATTRIBUTES}


@pytest.mark.parametrize("column", METRICS)
def test_a_metric_has_the_name_the_unit_the_kind_and_the_attributes_of_the_conventions(column):
    metric = METRICS[column]
    module, name = METRIC_NAMES[metric.name]
    text = importlib.util.find_spec(module).loader.get_source(module)
    text = text.partition(f"\n{name}: Final")[2].partition('"""')[2].partition('"""')[0]
    kinds = {"gauge": GAUGE, "counter": COUNTER, "updowncounter": "up-down"}
    assert kinds[re.search(r"Instrument: (\w+)", text)[1]] == metric.kind
    assert re.search(r"Unit: (\S+)", text)[1] == metric.unit
    assert {key for key in metric.attributes if not key.startswith(PREFIX)} <= {*ATTRIBUTES}
