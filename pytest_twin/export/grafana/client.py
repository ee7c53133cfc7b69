"""Post annotations by the HTTP API of Grafana (GET and POST /api/annotations).

What is there already is not posted again, so a run may be posted twice. A Grafana that takes longer than `LIMIT_S` for
the first `BATCH` annotations is given up, and so is one that takes longer for as many more. A redirect is not followed:
the token is for the server that the user named.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from pytest_twin.export.grafana.annotations import TAG, Annotation

if TYPE_CHECKING:
    from pytest_twin.export.grafana.destination import Destination

LIMIT_S = 2.0  # the longest time that is lost by waiting
BATCH = 20  # the annotations that a server has to take in that time
LONGEST_ANSWER = 64 << 20  # bytes
API = "/api/annotations"
NO_ANSWER = f"does not answer; gave up after {LIMIT_S:g} s"
TOO_SLOW = f"takes fewer than {BATCH / LIMIT_S:g} annotations a second"
_ADVICE = {
    HTTPStatus.UNAUTHORIZED: "the token is not accepted; create a service account token",
    HTTPStatus.FORBIDDEN: "the token has no permission; give its service account the role Editor",
    HTTPStatus.NOT_FOUND: "there is no annotations API; give the address of Grafana",
}


# the number of annotations that are not there yet; None for each that was posted; or why one could not be
Answer = int | None | Exception


class GrafanaError(Exception):
    """Annotations cannot be posted; the message is one line for the user, without a token."""


class Posted(NamedTuple):
    """What was posted.

    Attributes:
        new: The number of new annotations.
        known: The number of those that were there already.
    """

    new: int
    known: int


def post(annotations: Sequence[Annotation], run: str, destination: Destination) -> Posted:
    """Post annotations that are not there yet.

    Args:
        annotations: The annotations of a run.
        run: The tag of the run.
        destination: The Grafana.

    Raises:
        GrafanaError: It does not take them.
    """
    session = _Session(destination)
    answers: SimpleQueue[Answer] = SimpleQueue()
    # a thread, since the look-up of a name cannot be given a timeout
    threading.Thread(target=_work, args=(session, annotations, run, answers), daemon=True).start()
    deadline, missing, new = time.monotonic() + LIMIT_S, len(annotations), 0
    try:
        while missing:
            answer = answers.get(timeout=max(deadline - time.monotonic(), 0.001))
            if isinstance(answer, Exception):
                raise GrafanaError(f"{destination.url}: {_reason(answer)}{_so_far(new, new + missing)}")
            new += answer is None
            missing = missing - 1 if answer is None else answer
            if new and new % BATCH == 0:
                deadline = time.monotonic() + LIMIT_S
    except Empty:
        reason = TOO_SLOW if new else NO_ANSWER
        raise GrafanaError(f"{destination.url}: {reason}{_so_far(new, new + missing)}") from None
    finally:
        session.abort()
    return Posted(new, len(annotations) - new)


def _so_far(posted: int, of: int) -> str:
    return f"; posted {posted} of {of} annotations, repeat the command for the others" if posted else ""


def _work(session: _Session, annotations: Sequence[Annotation], run: str, answers: SimpleQueue[Answer]) -> None:
    """Post the annotations that are not there yet, and put what came of it into a queue."""
    try:
        there = session.find(annotations, run)
        missing = [each for each in annotations if _key(each.start_ms, each.end_ms, each.text) not in there]
        answers.put(len(missing))
        for each in missing:
            session.post(each)
            answers.put(None)
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        answers.put(error)
    finally:
        session.close()


class _StatusError(ValueError):
    """Grafana refused; the message is for the user."""


class _Session:
    """A connection that is kept open over many requests."""

    def __init__(self, destination: Destination) -> None:
        of_scheme: Callable[..., HTTPConnection] = HTTPSConnection if destination.is_secure else HTTPConnection
        self._connection = of_scheme(destination.host, destination.port, timeout=LIMIT_S)
        self._path, self._is_aborted = destination.path + API, False
        self._headers = {
            "Authorization": f"Bearer {destination.token}", "Accept": "application/json",
            "Content-Type": "application/json", "User-Agent": TAG,
        }  # fmt: skip

    def find(self, annotations: Sequence[Annotation], run: str) -> set[tuple[int, int, str]]:
        """Return the annotations of a run that are there, by their keys."""
        first_ms, last_ms = min(each.start_ms for each in annotations), max(each.end_ms for each in annotations)
        words = [
            ("from", first_ms - 1), ("to", last_ms + 1), ("limit", 2 * len(annotations) + 100),
            ("type", "annotation"), ("tags", TAG), ("tags", run),
        ]  # fmt: skip
        found = self._ask("GET", f"{self._path}?{urlencode(words)}")
        if not isinstance(found, list):
            raise _StatusError("does not answer as Grafana does; give the address of Grafana")
        return set(_keys(found))

    def post(self, annotation: Annotation) -> None:
        """Post an annotation of the organization, which every dashboard can show."""
        document = {
            "time": annotation.start_ms, "timeEnd": annotation.end_ms, "tags": list(annotation.tags),
            "text": annotation.text,
        }  # fmt: skip
        self._ask("POST", self._path, json.dumps(document).encode())

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        if self._is_aborted:
            raise OSError("aborted")
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        text = answer.read(LONGEST_ANSWER)
        if not 200 <= answer.status < 300:
            raise _StatusError(_refusal(answer.status))
        return json.loads(text)

    def abort(self) -> None:
        """End a request that another thread waits for."""
        self._is_aborted = True
        if (open_socket := self._connection.sock) is not None:
            try:
                socket.socket.shutdown(open_socket, socket.SHUT_RDWR)
            except OSError:  # it is closed
                pass

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _key(start_ms: int, end_ms: int, text: str) -> tuple[int, int, str]:
    return start_ms, end_ms, text


def _keys(found: list[Any]) -> Iterator[tuple[int, int, str]]:
    for each in found:
        if isinstance(each, dict):
            start, end, text = each.get("time"), each.get("timeEnd"), each.get("text")
            if isinstance(start, int) and isinstance(end, int) and isinstance(text, str):
                yield _key(start, end or start, text)


def _refusal(status: int) -> str:
    if status in _ADVICE:
        return f"HTTP status {status}: {_ADVICE[HTTPStatus(status)]}"
    if 300 <= status < 400:
        return f"HTTP status {status}: it redirects to another address; give that one"
    return f"HTTP status {status}"


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, NO_ANSWER),
    (socket.gaierror, "there is no such host"),
    (ssl.SSLCertVerificationError, "its certificate is not trusted; SSL_CERT_FILE names a file with that of its CA"),
    (ssl.SSLError, "does not speak TLS; is its address http://?"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionError, "closed the connection"),
)


def _reason(error: Exception) -> str:
    """Return an error as text without a word of the other side, which may repeat the token."""
    if isinstance(error, _StatusError):
        return str(error)
    for kind, text in _REASONS:
        if isinstance(error, kind):
            return text
    no_api = "does not answer as Grafana does; give the address of Grafana"
    return (error.strerror or no_api) if isinstance(error, OSError) else no_api
