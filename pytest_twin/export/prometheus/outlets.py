"""The ways on which metrics reach Prometheus: an endpoint, a file for node_exporter, and a Pushgateway."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit

import prometheus_client
from prometheus_client.exposition import basic_auth_handler, default_handler

from pytest_twin.export.prometheus.metrics import JOB

if TYPE_CHECKING:
    from prometheus_client.registry import CollectorRegistry

    from pytest_twin.export.prometheus.config import PrometheusConfig

TEXTFILE_S, PUSH_S = 1.0, 5.0
PUSH_TIMEOUT_S, DELETE_TIMEOUT_S = 1.0, 0.5  # together less than the time that a run waits for its exporter
ENDPOINT, CERTIFICATE, KEY = "prometheus", "prometheus_cert", "prometheus_key"  # settings
TEXTFILE = "prometheus_textfile"
TEMPORARY = ".tmp"  # node_exporter reads only files whose names end with .prom


class OutletError(Exception):
    """Metrics cannot be exported in one way; the message is for the user, without secrets.

    Attributes:
        setting: The setting that is wrong; empty where the other side fails while the run goes on.
    """

    def __init__(self, message: str, setting: str = "") -> None:
        super().__init__(message)
        self.setting = setting


class Outlet(Protocol):
    """One way to Prometheus.

    Attributes:
        every_s: Seconds between two updates; 0 if it needs none.
        text: Where the metrics are, for people.
    """

    every_s: float
    text: str

    def update(self) -> None:
        """Export the present values.

        Raises:
            OutletError: They cannot be exported.
        """

    def close(self, *, keep: bool) -> None:
        """Export the last values or remove what was exported.

        Raises:
            OutletError: It fails.
        """


class Endpoint:
    """An HTTP endpoint that Prometheus scrapes."""

    every_s = 0.0

    def __init__(self, address: tuple[str, int], registry: CollectorRegistry, certificate: str, key: str) -> None:
        """Open the port.

        Raises:
            OutletError: It cannot be opened, or the certificate cannot be used.
        """
        host, port = address
        if key and not certificate:
            raise OutletError(f"{key}: there is no certificate for this key; give its file too", KEY)
        if certificate:
            key = key or certificate  # a file may have both
            _check_certificate(certificate, key)
        try:
            self._server, _ = prometheus_client.start_http_server(
                port, host, registry, certificate or None, key or None
            )
        except PermissionError as error:
            raise OutletError(f"port {port} on {host}: {error.strerror}; choose one above 1023", ENDPOINT) from None
        except socket.gaierror as error:
            problem = f"{host}: {error.strerror}; give a name or an address of this machine"
            raise OutletError(problem, ENDPOINT) from None
        except OSError as error:
            what = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be opened: {error.strerror}"
            problem = f"port {port} on {host} {what}; choose another one, or 0 for a free one"
            raise OutletError(problem, ENDPOINT) from None
        shown = f"[{host}]" if ":" in host else host
        self.text = f"http{'s' if certificate else ''}://{shown}:{self._server.server_port}/metrics"

    def update(self) -> None:
        """Do nothing: a scrape reads the values."""

    def close(self, *, keep: bool) -> None:  # noqa: ARG002
        """Close the port."""
        self._server.shutdown()  # its loop looks twice a second
        self._server.server_close()


def _check_certificate(certificate: str, key: str) -> None:
    """Check both before the port is opened: an error of start_http_server would leave it open.

    Raises:
        OutletError: One cannot be used.
    """
    for path, setting in ((certificate, CERTIFICATE), (key, KEY)):
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise OutletError(f"{path}: {error.strerror}", setting) from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        files = " and ".join(dict.fromkeys((certificate, key)))
        problem = f"{files}: {error.reason or error}; give a certificate and its key as PEM"
        raise OutletError(problem, CERTIFICATE) from None


class Textfile:
    """A file for the textfile collector of node_exporter; each version of it is whole."""

    every_s = TEXTFILE_S

    def __init__(self, path: str, registry: CollectorRegistry) -> None:
        """Check that the file can be written.

        Raises:
            OutletError: It cannot.
        """
        self.text, self._path, self._registry = path, Path(path), registry
        if self._path.is_dir():
            raise OutletError(f"{path} is a directory; give a file in it", TEXTFILE)
        self.update()

    def update(self) -> None:
        """Replace the file."""
        temporary = self._path.with_name(self._path.name + TEMPORARY)
        try:
            temporary.write_bytes(prometheus_client.generate_latest(self._registry))
            temporary.chmod(0o644)  # node_exporter runs as another user
            temporary.replace(self._path)
        except OSError as error:
            raise OutletError(f"{self._path}: {error.strerror}", TEXTFILE) from None

    def close(self, *, keep: bool) -> None:
        """Remove the file, or write it a last time."""
        if keep:
            self.update()
        else:
            self._path.unlink(missing_ok=True)


class Gateway:
    """A Pushgateway, for runs that are shorter than two scrapes."""

    every_s = PUSH_S

    def __init__(self, url: str, registry: CollectorRegistry, instance: str) -> None:
        """Prepare to push; nothing is sent yet.

        Args:
            url: The gateway, possibly with a user and a password.
            registry: What is pushed.
            instance: The value of the label ``instance`` of the group.
        """
        parts = urlsplit(url)
        place = parts.netloc.rpartition("@")[2]
        self.text = urlunsplit((parts.scheme, place, parts.path, "", ""))
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._registry, self._group = registry, {"instance": instance}
        self._failed = False

    def update(self) -> None:
        """Replace the group of this run on the gateway."""
        self._call(
            lambda: prometheus_client.push_to_gateway(
                self.text, JOB, self._registry, self._group, PUSH_TIMEOUT_S, self._handle
            )
        )

    def close(self, *, keep: bool) -> None:
        """Push a last time, or remove the group."""
        if self._failed:
            return  # it was told; a dead gateway must not cost the run more time
        if keep:
            self.update()
        else:
            self._call(
                lambda: prometheus_client.delete_from_gateway(
                    self.text, JOB, self._group, DELETE_TIMEOUT_S, self._handle
                )
            )

    def _call(self, send: Callable[[], None]) -> None:
        self._failed = True
        try:
            send()
        except HTTPError as error:
            error.close()
            raise OutletError(f"{self.text}: HTTP status {error.code}: {error.reason}") from None
        except OSError as error:  # URLError is one
            reason = getattr(error, "reason", error)
            text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
            raise OutletError(f"{self.text}: {text}") from None
        self._failed = False

    def _handle(
        self, url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes
    ) -> Callable[[], None]:
        if not self._user:
            return default_handler(url, method, timeout, headers, data)
        return basic_auth_handler(url, method, timeout, headers, data, self._user, self._password)


def open_outlets(config: PrometheusConfig, registry: CollectorRegistry, instance: str) -> list[Outlet]:
    """Open each way that the configuration asks for.

    Args:
        config: The configuration.
        registry: What is exported.
        instance: The name of this machine, for a gateway.

    Raises:
        OutletError: One cannot be opened; those before it are closed.
    """
    outlets: list[Outlet] = []
    try:
        if config.address is not None:
            outlets.append(Endpoint(config.address, registry, config.certificate, config.key))
        if config.textfile:
            outlets.append(Textfile(config.textfile, registry))
        if config.gateway:
            outlets.append(Gateway(config.gateway, registry, instance))
    except OutletError:
        for each in outlets:
            each.close(keep=False)
        raise
    return outlets
