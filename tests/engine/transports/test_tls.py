"""TLS with certificates that are made as Docker's documentation says."""

from __future__ import annotations

import http.server
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import requests

from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.protocol import EngineUnreachable
from dashboard.engine.transports.tls import TlsAdapter
from tests.support.polling import DEADLINE_S


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers every request with its path."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing."""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """The server's certificate, which names localhost only."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "ca.pem")]
    subprocess.run(command, capture_output=True, check=True)
    (tmp_path / "cert.pem").symlink_to("ca.pem")  # the client's
    return tmp_path / "ca.pem"


@pytest.fixture
def port(certificate: Path) -> Iterator[int]:
    """The port of a TLS server at 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def get(url: str, *, verify: bool | str) -> str:
    with requests.Session() as session:
        session.mount("https://", TlsAdapter())
        return session.get(url, verify=verify, timeout=DEADLINE_S).text


def test_certificates_are_checked_but_not_strictly() -> None:
    with requests.Session() as session:
        adapter = TlsAdapter()
        session.mount("https://", adapter)
        pool = adapter.poolmanager.connection_from_url("https://192.0.2.1:2376", {})
        context = pool.conn_kw["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT


def test_verification_can_be_turned_off(port: int) -> None:
    with pytest.warns(Warning, match="Unverified HTTPS request"):
        assert get(f"https://127.0.0.1:{port}/version", verify=False) == "/version"


def test_a_verified_certificate_must_have_the_name_of_the_host(port: int, certificate: Path) -> None:
    assert get(f"https://localhost:{port}/version", verify=str(certificate)) == "/version"
    with pytest.raises(requests.exceptions.SSLError, match="match"):
        get(f"https://127.0.0.1:{port}/version", verify=str(certificate))


async def test_a_certificate_of_another_host_is_reported_in_a_sentence(
    port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certificate.parent))
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    engine = DockerEngine(f"tcp://127.0.0.1:{port}")
    with pytest.raises(EngineUnreachable, match=r"The TLS connection .* failed: .*match"):
        await engine.info()
    await engine.close()
