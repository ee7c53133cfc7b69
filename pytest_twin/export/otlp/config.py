"""Where and how to export: from a URL and the environment variables of OpenTelemetry."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit, urlunsplit

from pytest_twin.export.otlp.ci_environment import of_environment, without_password
from pytest_twin.model.trace_context import parse_traceparent
from pytest_twin.settings.parsers import DEFAULT_COLLECTOR, is_server_url

TRACES, METRICS = "traces", "metrics"
DEFAULT_TIMEOUT_S = 10.0  # as the exporters of OpenTelemetry have it; they read seconds from the variable too
HTTP_PROTOBUF = "http/protobuf"
NEEDS = {"opentelemetry.proto": "pip install 'pytest-twin[export]'"}


class OtlpError(Exception):
    """Nothing can be exported; the message is for the user."""


@dataclass(frozen=True)
class OtlpSignal:
    """Where one signal, traces or metrics, is sent.

    Attributes:
        url: The whole URL, without a user and a password.
        headers: The headers of each request.
        timeout_s: The limit of each request.
        compression: ``gzip``, ``deflate`` or empty.
        certificate: The file with the certificates of authorities; empty for those of the system.
        client_certificate: The file with our own certificate; empty for none.
        client_key: The file with its key.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = DEFAULT_TIMEOUT_S
    compression: str = ""
    certificate: str = ""
    client_certificate: str = ""
    client_key: str = ""


@dataclass(frozen=True)
class OtlpLimits:
    """The limits of a span, by the variables of the specification; None is no limit."""

    attributes: int | None = 128
    events: int | None = 128
    links: int | None = 128
    text: int | None = None


@dataclass(frozen=True)
class OtlpConfig:
    """What to export.

    Attributes:
        signals: Where each signal is sent; one that is missing is not exported.
        per_test: Whether each test has a trace of its own.
        traceparent: The parent of the session, as the header of W3C Trace Context; empty for none.
        tracestate: The header ``tracestate`` of that parent.
        resource: Attributes of all that is exported, from the environment.
        limits: The limits of a span.
        disabled: Why nothing is exported although it is asked for; empty for nothing of the kind.
    """

    signals: Mapping[str, OtlpSignal]
    per_test: bool = False
    traceparent: str = ""
    tracestate: str = ""
    resource: Mapping[str, str] = field(default_factory=dict)
    limits: OtlpLimits = OtlpLimits()
    disabled: str = ""

    def to_json(self) -> str:
        """Return the configuration as text, for the process that exports."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the configuration from its text."""
        found: dict[str, Any] = json.loads(text)
        found["signals"] = {name: OtlpSignal(**each) for name, each in found["signals"].items()}
        return cls(**{**found, "limits": OtlpLimits(**found["limits"])})

    @property
    def place(self) -> str:
        """The place for people: the common beginning of the URLs."""
        urls = [each.url for each in self.signals.values()]
        return urls[0].removesuffix(f"/v1/{TRACES}").removesuffix(f"/v1/{METRICS}") if urls else ""


def check_requirements() -> None:
    """Check that the modules of the extra are installed, without importing them.

    Raises:
        OtlpError: One is not.
    """
    for module, command in NEEDS.items():
        try:
            is_there = find_spec(module) is not None
        except ModuleNotFoundError:  # of the package that it is in
            is_there = False
        if not is_there:
            raise OtlpError(f"OTLP needs opentelemetry-exporter-otlp-proto-http; {command}")


def read_config(
    environ: Mapping[str, str], url: str | None = None, *, per_test: bool = False, traceparent: str | None = None
) -> OtlpConfig:
    """Return the configuration.

    Args:
        environ: The environment.
        url: The collector; None is that of the environment, or `DEFAULT_COLLECTOR`.
        per_test: Whether each test has a trace of its own.
        traceparent: The parent of the session; None is that of the environment.

    Raises:
        OtlpError: A value is invalid; the message begins with its name.
    """
    parent = traceparent if traceparent is not None else environ.get("TRACEPARENT", "")
    signals = {
        signal: _signal(environ, signal, url)
        for signal in (TRACES, METRICS)
        if environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip().lower() != "none"
    }
    return OtlpConfig(
        signals,
        per_test=per_test,
        traceparent=parent if parse_traceparent(parent) else "",
        tracestate=environ.get("TRACESTATE", "") if traceparent is None else "",
        resource=_resource(environ),
        limits=_limits(environ),
        disabled="OTEL_SDK_DISABLED is true" if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" else "",
    )


def _signal(environ: Mapping[str, str], signal: str, url: str | None) -> OtlpSignal:
    def read(name: str) -> tuple[str, str]:
        """Return the variable that counts for the signal, and its value."""
        own, common = f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", f"OTEL_EXPORTER_OTLP_{name}"
        variable = own if environ.get(own, "").strip() else common
        return variable, environ.get(variable, "").strip()

    variable, endpoint = read("ENDPOINT")
    if url is None:
        _check_protocol(*read("PROTOCOL"))
    is_whole = url is None and variable.endswith(f"_{signal.upper()}_ENDPOINT")
    found = url or endpoint or DEFAULT_COLLECTOR
    if not is_server_url(found):
        place = "" if url else f"{variable}: "
        raise OtlpError(
            f"{place}{without_password(found)!r} is not the URL of a collector; write one such as {DEFAULT_COLLECTOR}"
        )
    target, authorization = _split_user(found if is_whole else _with_path(found, signal))
    name, timeout = read("TIMEOUT")
    return OtlpSignal(
        target,
        {**_pairs(read("HEADERS")[1]), **authorization},
        _seconds(name, timeout),
        _compression(*read("COMPRESSION")),
        _file(*read("CERTIFICATE")),
        _file(*read("CLIENT_CERTIFICATE")),
        _file(*read("CLIENT_KEY")),
    )


def _with_path(url: str, signal: str) -> str:
    """Return the URL of a signal from that of a collector."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/").removesuffix(f"/v1/{TRACES}").removesuffix(f"/v1/{METRICS}")
    return urlunsplit(parts._replace(path=f"{path}/v1/{signal}", fragment=""))


def _split_user(url: str) -> tuple[str, dict[str, str]]:
    """Return a URL without user and password, and the header that has them."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, {}
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return without_password(url), {"authorization": f"Basic {b64encode(user.encode()).decode()}"}


def _check_protocol(variable: str, protocol: str) -> None:
    if protocol not in {"", HTTP_PROTOBUF}:
        raise OtlpError(f"{variable}: {protocol!r:.40} is not supported; set {HTTP_PROTOBUF}, or give a URL")


def _seconds(variable: str, text: str) -> float:
    try:
        seconds = float(text or DEFAULT_TIMEOUT_S)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise OtlpError(f"{variable}: {text!r:.40} is not a number of seconds above 0")
    return seconds


def _compression(variable: str, text: str) -> str:
    if text.lower() not in {"", "none", "gzip", "deflate"}:
        raise OtlpError(f"{variable}: {text!r:.40} is not one of none, gzip, deflate")
    return text.lower().removeprefix("none")


def _file(variable: str, path: str) -> str:
    if not path:
        return ""
    try:
        with open(path, "rb"):
            return str(Path(path).absolute())
    except OSError as error:
        raise OtlpError(f"{variable}: {path}: {error.strerror}") from None


def _pairs(text: str) -> dict[str, str]:
    """Return ``key=value,key=value``, with both percent-encoded."""
    found = (pair.partition("=") for pair in text.split(","))
    return {unquote(key.strip()).lower(): unquote(value.strip()) for key, sign, value in found if sign and key.strip()}


def _resource(environ: Mapping[str, str]) -> dict[str, str]:
    found = (pair.partition("=") for pair in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","))
    named = {key.strip(): unquote(value.strip()) for key, sign, value in found if sign and key.strip()}
    service = environ.get("OTEL_SERVICE_NAME", "").strip()
    return {**of_environment(environ), **named, **({"service.name": service} if service else {})}


def _limits(environ: Mapping[str, str]) -> OtlpLimits:
    def read(default: int | None, *variables: str) -> int | None:
        text = next((value for name in variables if (value := environ.get(name, "").strip())), "")
        if text and not text.isdecimal():
            raise OtlpError(f"{variables[-1]}: {text!r:.40} is not a whole number")
        return int(text) if text else default

    return OtlpLimits(
        read(128, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"),
        read(128, "OTEL_SPAN_EVENT_COUNT_LIMIT"),
        read(128, "OTEL_SPAN_LINK_COUNT_LIMIT"),
        read(None, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
    )
