"""Installs the Docker Engine, and other programs that Netmodes or its tests run."""

import os

from dashboard.launcher.console import say
from dashboard.launcher.launch import Launch
from dashboard.launcher.machine import has, run, runs_systemd
from dashboard.launcher.packages import Packages

SOCKET = "/var/run/docker.sock"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: Chromium without a user interface; the tests prefer it (tests/browser/chromium.py). Lighthouse needs a browser.
HEADLESS = "chromium-headless-shell"


def engine_answers() -> bool:
    """Returns whether a Docker Engine answers at its socket. If DOCKER_HOST is the address of an engine on a network,
    returns True without a check: the command itself reports what is wrong with that engine."""
    import socket

    address = os.environ.get("DOCKER_HOST") or f"unix://{SOCKET}"
    if not address.startswith("unix://"):
        return True
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(10)
            connection.connect(address.removeprefix("unix://"))
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return b" 200 " in connection.recv(64)
    except OSError:
        return False


def install_engine(launch: Launch, *, browser: bool, tests: bool) -> None:
    """Installs the programs that a command with an engine needs, as packages of the distribution. Adds those for the
    tests if ``tests`` is true, and a browser if ``browser`` is true.

    A Docker Engine is installed only if dockerd is missing. Unless ``tests`` is true, there are two more conditions: no
    engine answers, and DOCKER_HOST is not set. Raises LauncherError.
    """
    packages = Packages(launch)
    if browser and not any(has(name) for name in (*BROWSERS, *([HEADLESS] if tests else []))):
        package, user = (HEADLESS, "the browser tests load") if tests else ("chromium", "Lighthouse loads")
        packages.need(package, f"{user} the real pages in it")
    packages.need_program("iproute2", "ip and ss show interfaces and listeners", "ip", "ss")
    packages.need_program("net-tools", "netstat shows listeners in the workshops", "netstat")
    packages.need_program("busybox-static", "its nslookup queries resolvers and works in every namespace", "busybox")
    missing = not has("dockerd") and (tests or not engine_answers())
    host = os.environ.get("DOCKER_HOST")
    if missing and host and not tests:
        say(f"netmodes: no Docker Engine answers at {host} (DOCKER_HOST); the launcher does not install one for it.")
        missing = False
    if missing:
        no_engine = f"no Docker Engine answers at unix://{SOCKET}"
        packages.need("docker.io", "the tests start their own Docker Engine" if tests else no_engine)
        # docker.io only recommends the certificates.
        if not os.path.exists(CERTIFICATES):
            packages.need("ca-certificates", "the engine checks the certificates of registries")
        packages.need_program("iptables", "the engine writes the NAT rules of published ports with it", "iptables")
    if missing or tests:
        packages.need_program("e2fsprogs", "mkfs.ext4 makes the disks that limit what private hosts store", "mkfs.ext4")
    if tests or any(word.partition("=")[0] == "--engine" for word in launch.arguments):
        packages.need_program("mmdebstrap", "it makes the root file systems of other engines", "mmdebstrap")
    if tests:
        packages.need_program("nftables", "the tests read native nftables rules with it", "nft")
        packages.need_program("tcpdump", "the tests compare the packets that it shows", "tcpdump")
    packages.install()
    if missing or tests:
        # On Debian the command line is a package that docker.io only recommends; elsewhere docker.io contains it.
        packages.need_program("docker-cli", "the docker command, for what users type", "docker")
        packages.install()
    if tests:
        _install_services(packages)
    elif missing and runs_systemd() and not engine_answers():
        say("Starting docker.service: docker.io was just installed")
        if not run("systemctl", "start", "docker"):
            say("netmodes: docker.service did not start; journalctl -u docker shows why.")


def _install_services(packages: Packages) -> None:
    """Installs PostgreSQL and NATS for the tests. Stops their services, because the tests run both programs themselves
    as an ordinary user."""
    import glob

    if not has("initdb") and not glob.glob("/usr/lib/postgresql/*/bin/initdb"):
        packages.need("postgresql", "the tests of the team shape run their own PostgreSQL")
    packages.need_program("nats-server", "the tests of the team shape run their own NATS", "nats-server")
    services = list(packages.missing)
    packages.install()
    if services and runs_systemd():
        say(f"Stopping the services that were installed with it: {' '.join(services)}")
        run("systemctl", "-q", "disable", "--now", *services)
