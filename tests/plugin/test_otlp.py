"""``pytest --twin-otlp``: what is sent of a real run, and what it costs when nobody takes it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import psutil
import pytest

pytest.importorskip("opentelemetry.proto")

from otlp_collector import collecting, values

from pytest_twin.export.otlp import config

TESTS = """
    import pytest, time

    @pytest.fixture
    def slow():
        time.sleep(0.05)

    @pytest.mark.parametrize("x", ["a", "b"])
    def test_good(slow, x): pass

    def test_bad(): assert 0

    @pytest.mark.stress(cpu=1)
    def test_loaded(): time.sleep(0.2)
"""
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("OTEL_", "TRACE", "GITHUB_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def collector():
    with collecting() as found:
        yield found


def otlp_lines(result):
    return [line for line in result.outlines if line.startswith(("otlp: ", "warning: otlp: "))]


def check_against_files(collector, left):
    """Every test, phase and load of the run folder is a span with the same figures and times."""
    by_id = {span.span_id: span for span in collector.spans}
    of_tests = {values(span.attributes).get("pytest_twin.nodeid"): span for span in collector.spans}
    for row in left.tests:
        span = of_tests[row["nodeid"]]
        found = values(span.attributes)
        for name, cell in row.items():
            key = f"pytest_twin.{name}"
            assert (type(found[key])(cell) == found[key]) if cell else (key not in found), (name, cell)
        assert span.end_time_unix_nano - span.start_time_unix_nano == round(float(row["duration_s"]) * 1e9)
        phases = {each.name: each for each in collector.spans if each.parent_span_id == span.span_id}
        walls = {name: row[f"{name}_s"] for name in ("setup", "call", "teardown") if row[f"{name}_s"]}
        assert {name: each.end_time_unix_nano - each.start_time_unix_nano for name, each in phases.items()} == {
            name: round(float(wall) * 1e9) for name, wall in walls.items()
        }
        assert all(each.start_time_unix_nano >= span.start_time_unix_nano for each in phases.values())
    loads = [span for span in collector.spans if span.name == "load cpu"]
    ends = [row for row in left.events if row["type"] == "cpu" and row["event"] in {"end", "abort"}]
    assert [values(span.attributes)["pytest_twin.load.achieved"] for span in loads] == [row["achieved"] for row in ends]
    assert [by_id[link.span_id].name for span in loads for link in span.links] == ["test_it.py::test_loaded"]


def test_a_run_is_sent_with_everything_that_its_files_have(pytester, left, collector, monkeypatch):
    monkeypatch.setenv("TRACEPARENT", PARENT)
    pytester.makepyfile(test_it=TESTS)
    result = pytester.runpytest_subprocess(f"--twin-otlp={collector.url}")
    result.assert_outcomes(passed=3, failed=1, warnings=result.parseoutcomes().get("warnings", 0))
    points = sum(
        len(getattr(metric, metric.WhichOneof("data")).data_points)
        for each in collector.resource_metrics for scope in each.scope_metrics for metric in scope.metrics
    )  # fmt: skip
    assert otlp_lines(result) == [
        f"otlp: {len(collector.spans)} spans and {points:,} metric points sent to {collector.url}, trace {PARENT[3:35]}"
    ]
    check_against_files(collector, left)
    [session] = [span for span in collector.spans if span.name == "pytest session"]
    assert session.parent_span_id.hex() == "b7ad6b7169203331"
    assert values(session.attributes)["test.suite.run.status"] == "failure"
    assert points > 30


def test_the_process_that_exports_is_not_among_those_of_the_tests(pytester, left, collector):
    pytester.makepyfile("import time\ndef test_it(): time.sleep(0.5)")
    pytester.runpytest_subprocess(f"--twin-otlp={collector.url}", "--twin-interval=0.05").assert_outcomes(passed=1)
    assert {row["tests_process_count"] for row in left.samples[2:]} <= {"1", ""}
    assert collector.spans


def test_each_test_can_have_a_trace_of_its_own(pytester, collector):
    pytester.makepyfile("def test_a(): pass\ndef test_b(): pass")
    pytester.runpytest_subprocess(
        f"--twin-otlp={collector.url}", "--twin-otlp-trace=per-test", f"--twin-traceparent={PARENT}"
    )
    tests = [span for span in collector.spans if "test.case.name" in values(span.attributes)]
    assert len({span.trace_id for span in tests}) == 2
    [session] = [span for span in collector.spans if span.name == "pytest session"]
    assert session.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"


def test_with_xdist_only_the_controller_exports(pytester, left, collector, few_plugins):
    pytest.importorskip("xdist")
    pytester.makepyfile(test_it=TESTS.replace("@pytest.mark.stress(cpu=1)", ""))
    result = pytester.runpytest_subprocess("-n2", f"--twin-otlp={collector.url}")
    assert len(otlp_lines(result)) == 1
    assert [path for path, _, _ in collector.requests] == ["/v1/traces", "/v1/metrics"]
    workers = {values(span.attributes).get("pytest_twin.worker") for span in collector.spans} - {None}
    assert workers == {row["worker"] for row in left.tests} <= {"gw0", "gw1"}
    assert sum("test.case.name" in values(span.attributes) for span in collector.spans) == 4


def test_a_project_with_a_provider_of_its_own_passes_its_tests(pytester, collector):
    pytest.importorskip("opentelemetry.sdk")
    pytester.makepyfile("""
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        def test_no_provider_is_set():
            assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)

        def test_the_own_provider_is_used():
            exporter, provider = InMemorySpanExporter(), TracerProvider()
            provider.add_span_processor(SimpleSpanProcessor(exporter))
            trace.set_tracer_provider(provider)
            assert trace.get_tracer_provider() is provider
            assert not trace.get_current_span().get_span_context().is_valid
            with trace.get_tracer("mine").start_as_current_span("work"):
                pass
            assert [span.name for span in exporter.get_finished_spans()] == ["work"]
    """)
    pytester.runpytest_subprocess(f"--twin-otlp={collector.url}").assert_outcomes(passed=2)
    assert "work" not in {span.name for span in collector.spans}
    assert len(collector.spans) == 9


@pytest.mark.parametrize("answers", [False, None])
def test_a_collector_that_is_away_or_never_answers_costs_one_line(pytester, answers, eventually):
    """False: nothing listens; None: a connection is accepted, and that is all."""
    pytester.makepyfile("def test_it(): pass")
    server = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{server.getsockname()[1]}"
    if answers is False:
        server.close()
    took = []
    for flags in (["--twin"], [f"--twin-otlp={url}"]):
        began = time.monotonic()
        result = pytester.runpytest_subprocess(*flags)
        took.append(time.monotonic() - began)
        assert result.ret == 0
    server.close()
    [line] = otlp_lines(result)
    assert line.startswith("warning: otlp: ")
    assert line.endswith("; to send the run later: pytest-twin export twin-report --otlp URL")
    assert ("Connection refused" in line) if answers is False else ("no answer" in line or "longer than" in line)
    assert took[1] - took[0] < 20  # 2 s, on a machine ten times as slow
    eventually(lambda: not exporting())


def exporting():
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
        except psutil.Error:
            continue
        if any(word.endswith(os.path.join("export", "otlp", "main.py")) for word in line):
            found.append(process)
    return found


def test_a_session_without_a_summary_is_exported_too(pytester, collector):
    pytester.makepyfile("def test_it(): pass")
    assert pytester.runpytest_subprocess(f"--twin-otlp={collector.url}", "-p", "no:terminal").ret == 0
    assert "test_a_session_without_a_summary_is_exported_too.py::test_it" in {span.name for span in collector.spans}


def test_a_disabled_sdk_sends_nothing(pytester, collector, monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_subprocess(f"--twin-otlp={collector.url}")
    assert otlp_lines(result) == ["otlp: nothing is exported, because OTEL_SDK_DISABLED is true"]
    assert collector.requests == []


def test_without_a_url_it_is_that_of_the_environment(pytester, collector, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.replace("//", "//me:secret@"))
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_subprocess("--twin-otlp")
    assert otlp_lines(result)[0].startswith("otlp: 5 spans ")
    assert "secret" not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--twin-otlp=ftp://me:secret@c"],
         "--twin-otlp: 'ftp://…@c' is not the URL of a collector; write one such as http://localhost:4318"),
        (["--twin-otlp", "test_it.py"],
         "--twin-otlp: 'test_it.py' is a file and no URL; write the option behind the tests, or give a URL"),
        (["--twin-otlp=http://c", "--twin-traceparent=1"],
         "--twin-traceparent: '1' is not a traceparent; write VERSION-TRACE-SPAN-FLAGS in hexadecimal digits"),
        (["--twin-otlp-trace=per-test"],
         "--twin-otlp-trace: nothing is exported; give --twin-otlp URL too"),
        (["--twin-otlp=http://c", "--twin-otlp-trace=per-suite"],
         "--twin-otlp-trace: 'per-suite' is not one of per-session, per-test; did you mean \"per-test\"?"),
    ],
)  # fmt: skip
def test_what_is_invalid_is_one_clear_line_before_anything_starts(pytester, left, flags, problem):
    pytester.makepyfile(test_it="def test_it(): pass")
    result = pytester.runpytest_inprocess(*flags)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line] == [f"ERROR: {problem}"]
    assert not left.folder.exists()


def test_a_missing_extra_is_one_clear_line_before_anything_starts(pytester, left, monkeypatch):
    monkeypatch.setattr(config, "find_spec", lambda name: None)
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_inprocess("--twin-otlp")
    assert [line for line in result.errlines if line] == [
        "ERROR: --twin-otlp: OTLP needs opentelemetry-exporter-otlp-proto-http; pip install 'pytest-twin[export]'"
    ]
    assert not left.folder.exists()


PROGRAM = """
import sys, pytest
status = pytest.main(["--twin", "-q", "--disable-plugin-autoload", "-p", "pytest_twin.plugin"])
print("imported", sorted(name for name in sys.modules if name.startswith(("opentelemetry", "google.protobuf",
      "pytest_twin.export", "pytest_twin.plugin.otlp"))))
sys.exit(status)
"""


def test_unused_nothing_of_it_is_imported(tmp_path):
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("imported []\n")


def test_used_nothing_of_opentelemetry_is_imported_beside_the_tests(pytester, collector):
    pytester.makepyfile("""
        import sys
        def test_it(): assert [name for name in sys.modules if name.startswith(("opentelemetry.", "google."))] == []
    """)
    few = ["-p", "pytest_twin.plugin", "--disable-plugin-autoload"]
    pytester.runpytest_subprocess(*few, f"--twin-otlp={collector.url}").assert_outcomes(passed=1)
    assert collector.spans
