"""Where annotations are posted: the address of a Grafana, and the token of a service account."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

LONGEST_TOKEN = 4096
EXAMPLE = "https://grafana.example.com"


class DestinationError(Exception):
    """A destination cannot be used; the message is for the user, and has neither a token nor a password."""


class Destination(NamedTuple):
    """A Grafana.

    Attributes:
        is_secure: Whether it is asked by HTTPS.
        host: The name or the address of its host.
        port: Its port.
        path: The path before ``/api``, without a slash at the end.
        token: The token of a service account.
    """

    is_secure: bool
    host: str
    port: int
    path: str
    token: str

    @property
    def url(self) -> str:
        """The address for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.is_secure else ''}://{host}:{self.port}{self.path}"

    def __repr__(self) -> str:
        """Return the address only: a token must not get into a log."""
        return f"Destination({self.url!r})"


def parse_destination(url: str, token: str) -> Destination:
    """Check the URL of a Grafana.

    Raises:
        DestinationError: It cannot be used.
    """
    if "@" in url:  # first: no other message may repeat a part of it
        raise DestinationError("has a user name or a password; remove it, and give a token with --token-file")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise DestinationError(f"is not a URL; write one such as {EXAMPLE}") from None
    if parts.scheme not in {"http", "https"}:
        named = f" {parts.scheme!r}" if re.fullmatch(r"[a-z0-9+.-]{1,20}", parts.scheme) else ""
        raise DestinationError(f"unknown scheme{named}; write http:// or https://, as in {EXAMPLE}")
    if not parts.hostname or port == 0 or not re.fullmatch(r"[\x21-\x7e]+", url):
        raise DestinationError(f"is not the URL of a server; write one such as {EXAMPLE}")
    if parts.query or parts.fragment:
        raise DestinationError(f"has a query or a fragment; write the address of Grafana only, as in {EXAMPLE}")
    is_secure = parts.scheme == "https"
    return Destination(is_secure, parts.hostname, port or (443 if is_secure else 80), parts.path.rstrip("/"), token)


def read_token(path: Path) -> str:
    """Read a token from a file.

    Raises:
        DestinationError: The file cannot be read, or has no token.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_TOKEN + 1).decode("utf-8-sig").strip()
    except OSError as error:
        raise DestinationError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        text = "\0"
    if not text:
        raise DestinationError(f"{path} is empty; write the token of a service account into it")
    if not re.fullmatch(r"[\x21-\x7e]+", text) or len(text) > LONGEST_TOKEN:
        raise DestinationError(f"{path} has no token; write the token of a service account into it, and nothing else")
    return text
