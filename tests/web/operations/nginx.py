"""A real nginx with the configuration in docs/deploying.md."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import tarfile
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from socket import create_connection

from dashboard.engine.lab_image import lab_image_archive
from tests.support.polling import until
from tests.support.private_engine import CACHE

NAME = "netmodes.example.org"
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "deploying.md"
#: Debian's main configuration, without anything about the proxy.
MAIN_CONFIGURATION = """daemon off;
{user}
pid {folder}/pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    {temporary}
    include {folder}/netmodes.conf;
}}
"""


def shown_configuration() -> str:
    """The configuration in the document."""
    (found,) = re.findall(r"^```nginx\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    return str(found)


def adapted(text: str, changes: dict[str, str]) -> str:
    """The text with every pattern replaced. AssertionError if a pattern is missing: then the document has changed."""
    for pattern, value in changes.items():
        text, count = re.subn(pattern, value, text)
        assert count, f"docs/deploying.md no longer has {pattern}"
    return text


def program(folder: Path) -> list[str]:
    """The machine's nginx, or the one of the lab image with its libraries."""
    if installed := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin"):
        return [installed]
    with tarfile.open(lab_image_archive(CACHE)) as archive:
        wanted = [one for one in archive if one.name.startswith("usr/") and "busybox" not in one.linkname + one.name]
        archive.extractall(folder, wanted, filter="tar")
    (loader,) = {path.resolve() for path in folder.rglob("ld-linux*.so.*")}
    libraries = dict.fromkeys(str(path.parent) for path in folder.rglob("*.so*"))
    return [str(loader), "--library-path", ":".join(libraries), str(folder / "usr/sbin/nginx")]


class Nginx:
    """nginx on two ports of 127.0.0.1 in front of ``upstream``, with a certificate in ``trust``."""

    def __init__(self, folder: Path, upstream: int, plain: int, secure: int) -> None:
        self.port = secure
        self.plain_port = plain
        self.origin = f"https://{NAME}:{secure}"
        self._folder = folder
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"),
                *("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-days", "2"),
                *("-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
        self.trust = ssl.create_default_context(cafile=certificate)
        changes = {
            r" *listen \[::\].*\n": "",
            r"listen 80;": f"listen 127.0.0.1:{plain};",
            r"listen 443 ssl": f"listen 127.0.0.1:{secure} ssl",
            r"server 127\.0\.0\.1:8000;": f"server 127.0.0.1:{upstream};",
            r"/etc/ssl/netmodes\.example\.org\.pem": str(certificate),
            r"/etc/ssl/netmodes\.example\.org\.key": str(key),
        }
        (folder / "netmodes.conf").write_text(adapted(shown_configuration(), changes))
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "\n    ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(MAIN_CONFIGURATION.format(folder=folder, temporary=temporary, user=user))
        root = folder / "debian"
        root.mkdir()
        self._command = [*program(root), "-p", str(folder), "-c", str(folder / "nginx.conf")]

    def start(self) -> None:
        """Starts nginx and waits until it listens."""
        said = self._folder / "nginx.err"
        with said.open("wb") as stderr:
            # nginx ends with the tests, even if they are killed.
            command = ["setpriv", "--pdeathsig", "TERM", *self._command]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr)
        until(lambda: self._listens() or self._process.poll() is not None)
        assert self._process.poll() is None, said.read_text()

    def _listens(self) -> bool:
        try:
            create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Stops nginx."""
        self._process.terminate()
        self._process.wait(10)

    def connect(self, address: str = "127.0.0.1", server_name: str = NAME) -> HTTPSConnection:
        """A TLS connection from an address of this machine."""
        connection = HTTPSConnection(NAME, self.port, context=self.trust, timeout=20)
        plain = create_connection(("127.0.0.1", self.port), 20, source_address=(address, 0))
        connection.sock = self.trust.wrap_socket(plain, server_hostname=server_name)
        return connection

    def connect_plainly(self) -> HTTPConnection:
        """A connection to the port without TLS."""
        connection = HTTPConnection(NAME, self.plain_port, timeout=20)
        connection.sock = create_connection(("127.0.0.1", self.plain_port), 20)
        return connection
