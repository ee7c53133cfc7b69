"""Where a run is exported to, from a URL and the variables of OpenTelemetry."""

from __future__ import annotations

import importlib.util

import pytest

from pytest_twin.export.otlp import config as module
from pytest_twin.export.otlp.config import (
    METRICS,
    TRACES,
    OtlpConfig,
    OtlpError,
    OtlpLimits,
    check_requirements,
    read_config,
)
from pytest_twin.export.otlp.sampling import is_sampled
from pytest_twin.model.trace_context import parse_traceparent

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BASE = "OTEL_EXPORTER_OTLP_"


def urls(environ, url=None):
    return {name: signal.url for name, signal in read_config(environ, url).signals.items()}


@pytest.mark.parametrize(
    ("environ", "url", "base"),
    [
        ({}, None, "http://localhost:4318"),
        ({BASE + "ENDPOINT": "https://c:1/otlp/"}, None, "https://c:1/otlp"),
        ({BASE + "ENDPOINT": "https://c:1"}, "http://other:2", "http://other:2"),
        ({}, "http://c:1/v1/traces", "http://c:1"),
        ({}, "http://c:1/v1/metrics/", "http://c:1"),
        ({BASE + "TRACES_ENDPOINT": "http://x/y"}, "http://c:1", "http://c:1"),
    ],
)
def test_the_path_of_a_signal_is_added_to_the_url_of_a_collector(environ, url, base):
    assert urls(environ, url) == {TRACES: f"{base}/v1/traces", METRICS: f"{base}/v1/metrics"}
    assert read_config(environ, url).place == base


def test_the_url_of_a_signal_in_its_own_variable_is_used_as_it_is():
    environ = {BASE + "ENDPOINT": "http://a", BASE + "TRACES_ENDPOINT": "http://b/in?key=1"}
    assert urls(environ) == {TRACES: "http://b/in?key=1", METRICS: "http://a/v1/metrics"}


def test_a_signal_that_is_not_to_be_exported_is_left_out():
    assert list(urls({"OTEL_METRICS_EXPORTER": "none"})) == [TRACES]
    assert list(urls({"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "otlp"})) == [METRICS]


def test_headers_timeouts_and_compression_of_a_signal_come_before_the_common_ones():
    environ = {
        BASE + "HEADERS": "Api-Key=a%20b, x = 1 ,empty", BASE + "METRICS_HEADERS": "y=2",
        BASE + "TIMEOUT": "3", BASE + "TRACES_TIMEOUT": "1.5", BASE + "COMPRESSION": "gzip",
        BASE + "METRICS_COMPRESSION": "none",
    }  # fmt: skip
    found = read_config(environ).signals
    assert (found[TRACES].headers, found[METRICS].headers) == ({"api-key": "a b", "x": "1"}, {"y": "2"})
    assert (found[TRACES].timeout_s, found[METRICS].timeout_s) == (1.5, 3.0)
    assert (found[TRACES].compression, found[METRICS].compression) == ("gzip", "")


def test_a_user_and_a_password_become_a_header_and_are_in_no_url():
    found = read_config({}, "http://me:se%3Acret@c:1").signals[TRACES]
    assert found.url == "http://c:1/v1/traces"
    assert found.headers == {"authorization": "Basic bWU6c2U6Y3JldA=="}


def test_certificates_are_files_that_can_be_read(tmp_path):
    (tmp_path / "ca.pem").write_text("")
    found = read_config({BASE + "CERTIFICATE": str(tmp_path / "ca.pem")}).signals[TRACES]
    assert found.certificate == str(tmp_path / "ca.pem")
    with pytest.raises(OtlpError) as error:
        read_config({BASE + "CLIENT_KEY": str(tmp_path / "no.pem")})
    assert str(error.value) == f"OTEL_EXPORTER_OTLP_CLIENT_KEY: {tmp_path}/no.pem: No such file or directory"


def test_the_resource_is_that_of_the_environment():
    environ = {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,team=x%2Cy, bad", "OTEL_SERVICE_NAME": "shop"}
    assert read_config(environ).resource == {"service.name": "shop", "team": "x,y"}


def test_the_resource_has_the_pipeline_unless_the_environment_says_otherwise():
    environ = {"GITLAB_CI": "true", "CI_PIPELINE_ID": "9", "CI_JOB_NAME": "unit"}
    environ["OTEL_RESOURCE_ATTRIBUTES"] = "cicd.pipeline.task.name=mine"
    assert read_config(environ).resource == {
        "cicd.pipeline.run.id": "9", "cicd.pipeline.task.type": "test", "vcs.provider.name": "gitlab",
        "cicd.pipeline.task.name": "mine",
    }  # fmt: skip


def test_the_limits_are_those_of_the_environment():
    environ = {"OTEL_ATTRIBUTE_COUNT_LIMIT": "9", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "8",
               "OTEL_SPAN_LINK_COUNT_LIMIT": "7", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "6"}  # fmt: skip
    assert read_config(environ).limits == OtlpLimits(8, 128, 7, 6)


def test_a_parent_is_that_of_the_option_or_of_the_environment():
    other = PARENT.replace("0af7", "1111")
    assert read_config({"TRACEPARENT": PARENT, "TRACESTATE": "a=1"}).traceparent == PARENT
    given = read_config({"TRACEPARENT": PARENT, "TRACESTATE": "a=1"}, traceparent=other)
    assert (given.traceparent, given.tracestate) == (other, "")
    assert read_config({"TRACEPARENT": "nonsense"}).traceparent == ""  # as the specification has it


@pytest.mark.parametrize("text", ["", "00-0-0-01", PARENT.upper(), PARENT + "-x", "ff" + PARENT[2:],
                                  "00-" + "0" * 32 + PARENT[35:], PARENT[:36] + "0" * 16 + "-01"])  # fmt: skip
def test_what_is_no_traceparent_is_none(text):
    assert parse_traceparent(text) is None


def test_a_traceparent_names_trace_span_and_whether_it_is_sampled():
    trace, span, is_sampled_ = parse_traceparent(PARENT)
    assert (trace.hex(), span.hex(), is_sampled_) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True)
    assert not parse_traceparent(PARENT[:-2] + "00").is_sampled


@pytest.mark.parametrize(
    ("environ", "url", "problem"),
    [
        ({}, "ftp://me:secret@c", "'ftp://c' is not the URL of a collector; write one such as http://localhost:4318"),
        ({}, "http://", "'http://' is not the URL of a collector; write one such as http://localhost:4318"),
        (
            {BASE + "ENDPOINT": "c:4318"}, None,
            ("OTEL_EXPORTER_OTLP_ENDPOINT: 'c:4318' is not the URL of a collector; write one such as "
             "http://localhost:4318"),
        ),
        (
            {BASE + "PROTOCOL": "grpc"}, None,
            "OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' is not supported; set http/protobuf, or give a URL",
        ),
        ({BASE + "TIMEOUT": "soon"}, None, "OTEL_EXPORTER_OTLP_TIMEOUT: 'soon' is not a number of seconds above 0"),
        ({BASE + "TIMEOUT": "0"}, None, "OTEL_EXPORTER_OTLP_TIMEOUT: '0' is not a number of seconds above 0"),
        ({BASE + "COMPRESSION": "zip"}, None,
         "OTEL_EXPORTER_OTLP_COMPRESSION: 'zip' is not one of none, gzip, deflate"),
        ({"OTEL_SPAN_LINK_COUNT_LIMIT": "-1"}, None, "OTEL_SPAN_LINK_COUNT_LIMIT: '-1' is not a whole number"),
    ],
)  # fmt: skip
def test_what_is_invalid_is_one_clear_line(environ, url, problem):
    with pytest.raises(OtlpError) as error:
        read_config(environ, url)
    assert str(error.value) == problem


def test_a_url_that_is_given_needs_no_protocol():
    assert urls({BASE + "PROTOCOL": "grpc"}, "http://c:1")[TRACES] == "http://c:1/v1/traces"


def test_the_configuration_survives_its_way_to_the_process():
    config = read_config({BASE + "HEADERS": "a=1", "OTEL_SERVICE_NAME": "x", "TRACEPARENT": PARENT}, per_test=True)
    assert OtlpConfig.from_json(config.to_json()) == config


def test_a_missing_extra_is_one_clear_line(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(OtlpError) as error:
        check_requirements()
    assert str(error.value) == (
        "OTLP needs opentelemetry-exporter-otlp-proto-http; pip install 'pytest-twin[export]'"
    )  # fmt: skip


def test_with_the_extra_there_is_no_error():
    assert importlib.util.find_spec("opentelemetry.proto")
    check_requirements()


LOW, HIGH = bytes(15) + b"\1", b"\xff" * 16


@pytest.mark.parametrize(
    ("sampler", "argument", "parent", "low", "high"),
    [
        ("", "", None, True, True),
        ("", "", False, False, False),
        ("always_off", "", True, False, False),
        ("always_on", "", False, True, True),
        ("parentbased_always_off", "", None, False, False),
        ("parentbased_always_off", "", True, True, True),
        ("traceidratio", "0.5", False, True, False),
        ("parentbased_traceidratio", "0.5", None, True, False),
        ("traceidratio", "nonsense", None, True, True),
    ],
)
def test_a_sampler_of_the_environment_decides(sampler, argument, parent, low, high):
    environ = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}
    assert (is_sampled(environ, LOW, parent), is_sampled(environ, HIGH, parent)) == (low, high)
