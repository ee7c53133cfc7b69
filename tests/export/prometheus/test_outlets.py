"""The ways to Prometheus, with the real servers at their other ends."""

from __future__ import annotations

import base64
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.error import URLError

import pytest

pytest.importorskip("prometheus_client")

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import CollectorRegistry
from prometheus_servers import free_port, get, server

from pytest_twin.export.prometheus.outlets import Endpoint, Gateway, OutletError, Textfile


class Numbers:
    """Collects one number."""

    value = 1.0

    def collect(self):
        yield GaugeMetricFamily("pytest_twin_number", "A number.", value=self.value)


@pytest.fixture
def numbers():
    return Numbers()


@pytest.fixture
def registry(numbers):
    found = CollectorRegistry()
    found.register(numbers)
    return found


@pytest.fixture
def gateway():
    """The URL of a running Pushgateway."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with server(["prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{port}"], f"{url}/-/ready"):
        yield url


def test_an_endpoint_tells_its_port_and_closes_it(registry):
    endpoint = Endpoint(("127.0.0.1", 0), registry, "", "")
    assert "pytest_twin_number 1.0" in get(endpoint.text)
    endpoint.close(keep=False)
    with pytest.raises(URLError):
        get(endpoint.text)


def test_an_endpoint_serves_https_with_a_certificate(registry, tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    try:
        subprocess.run([*command, "-keyout", key, "-out", certificate], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    endpoint = Endpoint(("127.0.0.1", 0), registry, str(certificate), str(key))
    assert endpoint.text.startswith("https://127.0.0.1:")
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    with urllib.request.urlopen(endpoint.text, context=context, timeout=30) as answer:  # noqa: S310 - our own
        assert b"pytest_twin_number 1.0" in answer.read()
    endpoint.close(keep=False)


def test_a_file_that_is_no_certificate_is_named(registry, tmp_path):
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("no certificate")
    with pytest.raises(OutletError, match=r"cert\.pem and .*key\.pem: .*; give a certificate and its key as PEM$"):
        Endpoint(("127.0.0.1", 0), registry, str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))


def test_a_certificate_that_is_a_folder_is_named(registry, tmp_path):
    with pytest.raises(OutletError, match=r": Is a directory$") as raised:
        Endpoint(("127.0.0.1", 0), registry, str(tmp_path), "")
    assert raised.value.setting == "prometheus_cert"


def test_a_key_without_a_certificate_is_an_error(registry):
    with pytest.raises(OutletError, match=r"^a\.key: there is no certificate for this key; give its file too$"):
        Endpoint(("127.0.0.1", 0), registry, "", "a.key")


def test_node_exporter_reads_the_textfile(registry, numbers, tmp_path, eventually):
    textfile = Textfile(str(tmp_path / "run.prom"), registry)
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    command = [
        "prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}", "--collector.disable-defaults",
        "--collector.textfile", f"--collector.textfile.directory={tmp_path}",
    ]  # fmt: skip
    with server(command, url):
        assert "pytest_twin_number 1" in get(url)
        assert "node_textfile_scrape_error 0" in get(url)
        numbers.value = 2.0
        textfile.update()
        assert "pytest_twin_number 2" in get(url)
        textfile.close(keep=False)
        assert "pytest_twin_number" not in get(url)
    assert list(tmp_path.iterdir()) == []


def test_other_users_can_read_the_textfile(registry, tmp_path):
    Textfile(str(tmp_path / "run.prom"), registry)
    assert (tmp_path / "run.prom").stat().st_mode & 0o777 == 0o644


def test_a_textfile_in_a_folder_that_does_not_exist_is_one_line(registry, tmp_path):
    with pytest.raises(OutletError, match=r"none/run\.prom: No such file or directory$"):
        Textfile(str(tmp_path / "none" / "run.prom"), registry)


def test_what_is_pushed_is_gone_after_the_run(registry, gateway):
    pushed = Gateway(gateway, registry, "laptop")
    pushed.update()
    assert 'pytest_twin_number{instance="laptop",job="pytest_twin"} 1' in get(f"{gateway}/metrics")
    pushed.close(keep=False)
    assert "pytest_twin_number" not in get(f"{gateway}/metrics")


def test_what_is_kept_has_the_last_value(registry, numbers, gateway):
    pushed = Gateway(gateway, registry, "laptop")
    pushed.update()
    numbers.value = 2.0
    pushed.close(keep=True)
    assert 'pytest_twin_number{instance="laptop",job="pytest_twin"} 2' in get(f"{gateway}/metrics")


def test_a_gateway_that_never_answers_costs_little_and_only_once(registry):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        pushed = Gateway(f"http://me:secret@127.0.0.1:{port}/", registry, "laptop")
        assert "secret" not in pushed.text
        began = time.monotonic()
        with pytest.raises(OutletError, match=rf"^http://127\.0\.0\.1:{port}/: timed out$"):
            pushed.update()
        assert time.monotonic() - began < 30  # the default of the library
        pushed.close(keep=False)


def test_a_gateway_that_refuses_is_named_with_its_status(registry, gateway):
    pushed = Gateway(f"{gateway}/nowhere", registry, "laptop")
    with pytest.raises(OutletError, match=r"/nowhere: HTTP status 404: Not Found$"):
        pushed.update()


def test_user_and_password_are_sent_to_the_gateway(registry):
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):
            seen.append(self.headers["Authorization"])
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as receiver:
        threading.Thread(target=receiver.handle_request, daemon=True).start()
        Gateway(f"http://me:se%20cret@127.0.0.1:{receiver.server_port}", registry, "laptop").update()
    assert seen == [f"Basic {base64.b64encode(b'me:se cret').decode()}"]
