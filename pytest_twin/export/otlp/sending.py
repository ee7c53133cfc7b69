"""Send messages of OTLP over HTTP, with the standard library."""

from __future__ import annotations

import gzip
import http.client
import os
import socket
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self
from urllib.parse import SplitResult, urlsplit

from pytest_twin.export.otlp.config import OtlpSignal
from pytest_twin.model.version import __version__

if TYPE_CHECKING:
    import ssl

TRY_AGAIN = {429, 502, 503, 504}  # by the specification of OTLP
FIRST_PAUSE_S = 0.1
LARGEST_ANSWER = 1 << 20
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class SendingError(Exception):
    """A message was not taken; the message says why, without headers and passwords.

    Attributes:
        may_pass: Whether it may be taken a moment later.
    """

    def __init__(self, text: str, *, may_pass: bool = False) -> None:
        super().__init__(text)
        self.may_pass = may_pass


class OtlpSender:
    """Sends messages of one signal; a context manager that closes its connection."""

    def __init__(self, signal: OtlpSignal, deadline: float) -> None:
        """Prepare to send.

        Args:
            signal: Where to, and how.
            deadline: By `time.monotonic`; until then it is tried again where that may help.
        """
        self._signal, self._deadline = signal, deadline
        self._parts = urlsplit(signal.url)
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(self, body: bytes) -> bytes:
        """Send a message, and return the answer.

        Raises:
            SendingError: It was not taken.
        """
        compressed = _compress(body, self._signal.compression)
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return self._send_once(compressed)
            except SendingError as error:
                self._close()
                if not error.may_pass or time.monotonic() + pause_s > self._deadline:
                    raise
            time.sleep(pause_s)
            pause_s *= 2

    def _send_once(self, body: bytes) -> bytes:
        with _limited(self._signal, self._deadline) as timeout_s:
            return self._request(body, timeout_s)

    def _request(self, body: bytes, timeout_s: float) -> bytes:
        if self._connection is None:
            self._connection = _connect(self._parts, self._signal, timeout_s)
        elif self._connection.sock is not None:
            self._connection.sock.settimeout(timeout_s)
        self._connection.request("POST", self._target(), body, self._headers())
        answer = self._connection.getresponse()
        content = answer.read(LARGEST_ANSWER)
        if not 200 <= answer.status < 300:
            raise SendingError(
                f"HTTP status {answer.status} {answer.reason}".strip(), may_pass=answer.status in TRY_AGAIN
            )
        return content

    def _target(self) -> str:
        """Return what the request asks for: a path, or the whole URL where a proxy passes it on."""
        if self._parts.scheme == "http" and _proxy("http", self._parts.hostname or "") is not None:
            return self._signal.url
        path = self._parts.path or "/"
        return f"{path}?{self._parts.query}" if self._parts.query else path

    def _headers(self) -> Mapping[str, str]:
        compression = {"content-encoding": self._signal.compression} if self._signal.compression else {}
        own = {"content-type": "application/x-protobuf", "user-agent": f"pytest-twin/{__version__}"}
        return {**own, **compression, **self._signal.headers}


def check_connection(signal: OtlpSignal, deadline: float) -> None:
    """Check that a connection to the collector, or to the proxy, can be opened.

    Raises:
        SendingError: It cannot be.
    """
    parts = urlsplit(signal.url)
    address = _address(parts, _proxy(parts.scheme, parts.hostname or ""))
    with _limited(signal, deadline) as timeout_s, socket.create_connection(address, timeout_s):
        pass


@contextmanager
def _limited(signal: OtlpSignal, deadline: float) -> Iterator[float]:
    """Yield the seconds that a step may take, and report its errors.

    Raises:
        SendingError: There was an error, or no time is left.
    """
    timeout_s = min(signal.timeout_s, deadline - time.monotonic())
    if timeout_s <= 0:
        raise SendingError("no time is left")
    try:
        yield timeout_s
    except TimeoutError:
        raise SendingError(f"no answer within {timeout_s:.1f} s") from None
    except socket.gaierror as error:
        raise SendingError(f"the host is unknown ({error.strerror})") from None
    except OSError as error:
        raise SendingError(str(error.strerror or error)) from None
    except http.client.HTTPException as error:
        raise SendingError(f"the answer is not HTTP ({type(error).__name__})") from None


def _compress(body: bytes, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.compress(body, 1)
    return zlib.compress(body, 1) if compression == "deflate" else body


def _address(parts: SplitResult, proxy: SplitResult | None) -> tuple[str, int]:
    """Return the host and the port to connect to."""
    if proxy is not None:
        return proxy.hostname or "", proxy.port or 80
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _connect(parts: SplitResult, signal: OtlpSignal, timeout_s: float) -> http.client.HTTPConnection:
    is_tls = parts.scheme == "https"
    proxy = _proxy(parts.scheme, parts.hostname or "")
    through = _address(parts, proxy)
    connection = (
        http.client.HTTPSConnection(*through, timeout=timeout_s, context=_tls_context(signal))
        if is_tls
        else http.client.HTTPConnection(*through, timeout=timeout_s)
    )
    if proxy and is_tls:
        connection.set_tunnel(*_address(parts, None))
    return connection


def _proxy(scheme: str, host: str) -> SplitResult | None:
    """Return the proxy for a host, from the environment; None for none."""
    if not any(name.lower() in PROXY_VARIABLES for name in os.environ):
        return None
    from urllib.request import getproxies_environment, proxy_bypass

    url = getproxies_environment().get(scheme, "")
    return urlsplit(url) if url and not proxy_bypass(host) else None


def _tls_context(signal: OtlpSignal) -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context(cafile=signal.certificate or None)
    if signal.client_certificate:
        context.load_cert_chain(signal.client_certificate, signal.client_key or None)
    return context
