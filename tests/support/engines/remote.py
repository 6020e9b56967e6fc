"""A Docker Engine on another machine: in pid, network, mount and UTS namespaces, reached over TLS and SSH."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dashboard.engine.hosts.cleanup import MARKER, remove_everything
from dashboard.engine.hosts.limits import make_cgroups
from dashboard.engine.lab_image import changes as lab_image_changes
from tests.support.polling import until
from tests.support.private_engine import build_lab_image

SCRIPT = Path(__file__).with_name("remote.sh")
RUN = Path("/run/netmodes-tests")
#: From a documentation range (RFC 5737) that neither private hosts nor the workers of the suite use.
CLIENT_ADDRESS, ADDRESS = "203.0.113.1", "203.0.113.2"
SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class RemoteEngine:
    """A running remote engine. ``certs`` is a folder for DOCKER_CERT_PATH; ``ssh_config`` a file for ssh -F."""

    name: str
    folder: Path
    certs: Path
    ssh_config: Path
    #: The process that is number 1 in the engine's pid namespace.
    pid: int

    @property
    def tls_endpoint(self) -> str:
        return f"tcp://{ADDRESS}:2376"

    @property
    def ssh_endpoint(self) -> str:
        return f"ssh://root@{ADDRESS}:{SSH_PORT}"

    def docker(self, *arguments: str) -> str:
        """stdout of the docker command over TLS."""
        command = ["docker", "-H", self.tls_endpoint, "--tlsverify", *arguments]
        env = os.environ | {"DOCKER_CERT_PATH": str(self.certs)}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True).stdout.strip()

    def on_machine(self, *command: str) -> str:
        """stdout of a command in the namespaces of the engine's machine."""
        enter = ["nsenter", "-t", str(self.pid), "--net", "--mount", "--uts", "--pid", "--", *command]
        return subprocess.run(enter, capture_output=True, text=True, timeout=30, check=True).stdout


def has_sshd() -> bool:
    """Whether OpenSSH's server is installed."""
    return Path("/usr/sbin/sshd").exists() and shutil.which("ssh") is not None


@contextmanager
def remote_engine(folder: Path) -> Iterator[RemoteEngine]:
    """An engine with the lab image, also tagged ``nginx``. It is removed completely at the end."""
    name = f"nmr{secrets.token_hex(3)}"
    run = RUN / name
    run.mkdir(parents=True)
    (folder / "data").mkdir()
    certs = _make_certificates(folder)
    ssh_config = _configure_ssh(folder, run)
    (folder / "cgroups").write_text("".join(f"{file}\n" for file in make_cgroups(name, None)))
    root = os.environ.get("NETMODES_ENGINE_ROOT", "")
    command = [
        "unshare",
        "--net",
        "--mount",
        "--uts",
        "--pid",
        "--fork",
        "--kill-child",
        "--propagation",
        "private",
        "--",
    ]
    command += ["/bin/sh", str(SCRIPT), name, str(folder), str(run), root, str(os.getpid()), CLIENT_ADDRESS, ADDRESS]
    with (folder / "dockerd.log").open("wb") as log:
        child = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=os.environ | {MARKER: name}
        )
    try:
        until(lambda: Path(f"/sys/class/net/{name}").exists() or _ip("link", "show", name) == 0)
        assert _ip("address", "add", f"{CLIENT_ADDRESS}/30", "dev", name) == 0
        assert _ip("link", "set", name, "up") == 0
        init = int(Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text())
        engine = RemoteEngine(name, folder, certs, ssh_config, init)
        until(lambda: _answers(engine) or child.poll() is not None)
        assert child.poll() is None, (folder / "dockerd.log").read_text()
        changes = [word for change in lab_image_changes() for word in ("--change", change)]
        engine.docker("import", *changes, str(build_lab_image()), "nginx:latest")
        yield engine
    finally:
        child.kill()
        child.wait()
        remove_everything(name, [run])
        _ip("link", "delete", name)


def _ip(*arguments: str) -> int:
    return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode


def _answers(engine: RemoteEngine) -> bool:
    try:
        return bool(engine.docker("version", "--format", "{{.Server.Version}}"))
    except subprocess.CalledProcessError:
        return False


def _make_certificates(folder: Path) -> Path:
    """A CA, and certificates for the server and the client, made by openssl."""
    place, client = folder / "certs", folder / "client-certs"
    place.mkdir()
    client.mkdir()

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=place, capture_output=True, check=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl("req", "-x509", *key, "-keyout", "ca-key.pem", "-out", "ca.pem", "-subj", "/CN=test CA")
    for name, extension in (("server", f"subjectAltName=IP:{ADDRESS}"), ("client", "extendedKeyUsage=clientAuth")):
        signed = ("-CA", "ca.pem", "-CAkey", "ca-key.pem", "-addext", extension, "-addext", "basicConstraints=CA:FALSE")
        openssl(
            "req", "-x509", *key, *signed, "-keyout", f"{name}-key.pem", "-out", f"{name}.pem", "-subj", f"/CN={name}"
        )
    for source, target in (("ca.pem", "ca.pem"), ("client.pem", "cert.pem"), ("client-key.pem", "key.pem")):
        shutil.copy(place / source, client / target)
    return client


def _configure_ssh(folder: Path, run: Path) -> Path:
    """Keys and configuration of sshd and ssh; without sshd only the client's file."""
    config = folder / "ssh_config"
    config.write_text("")
    if not has_sshd():
        return config
    for name in ("host_key", "client_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    shutil.copy(folder / "client_key.pub", folder / "authorized_keys")
    (folder / "sshd_config").write_text(
        f"Port {SSH_PORT}\nListenAddress {ADDRESS}\nHostKey {folder}/host_key\nPidFile none\n"
        f"UsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\n"
        f"SetEnv DOCKER_HOST=unix://{run}/docker.sock\n"
    )
    (folder / "known_hosts").write_text(f"{ADDRESS} {(folder / 'host_key.pub').read_text()}")
    config.write_text(f"IdentityFile {folder}/client_key\nUserKnownHostsFile {folder}/known_hosts\n")
    return config
