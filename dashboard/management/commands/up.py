"""``./netmodes up``: migrates the database, serves pages, prints a one-time sign-in link."""

import asyncio
import errno
import os
import signal
import socket
from contextlib import suppress
from types import FrameType
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard import configuration, interrupts
from dashboard.core.operations.deployment import LAB_READY, Role, parse_role
from dashboard.core.operations.proxy_headers import is_trusted
from dashboard.lab.lab_process import run_lab
from dashboard.management.commanding import (
    FAILED,
    WRONG_USAGE,
    NetmodesCommand,
    add_privileged_hosts,
)
from dashboard.management.serving import (
    address_to_open,
    announced,
    is_lab_running,
    notify_service_manager,
    public_address,
    served_address,
    sign_in_line,
)
from dashboard.web.http.server.connection_limits import limited_protocol, raise_descriptor_limit
from dashboard.web.http.server.shared_frames import SharedFrameProtocol
from dashboard.web.service import service


class NoSuchAddressError(CommandError):
    """The machine does not have the address to listen on."""


class Server(uvicorn.Server):
    """Prints the sign-in link once the server has started."""

    def __init__(self, config: uvicorn.Config, command: BaseCommand, url: str, link: str) -> None:
        super().__init__(config)
        self._command = command
        self._url = url
        self._link = link
        self._is_warned = False

    def handle_exit(self, sig: int, _frame: FrameType | None) -> None:
        """Ends the server, also while it starts. Further signals print a warning: to abort would leave containers
        behind. After some seconds another Ctrl-C aborts."""
        if interrupts.is_first(sig):
            self.should_exit = True
            service.abort_start()
        elif not self._is_warned:
            self._is_warned = True
            self._command.stderr.write(
                f"Stopping containers. Ctrl-C after {interrupts.GRACE_S:.0f} seconds leaves them running."
            )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts uvicorn, then prints the link."""
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._command.stdout.write(f"Netmodes is running at {self._url}")
            self._command.stdout.write(self._link)
            if configuration.value("NETMODES_ROLE") != Role.WEB:
                self._command.stdout.write("Press Ctrl-C to stop it and its containers.")
            self._command.stdout.flush()
            notify_service_manager("READY=1")


class Command(NetmodesCommand):
    """Serves pages, drives Docker, or both."""

    help = "Starts Netmodes and prints a one-time sign-in link."

    def add_arguments(self, parser: CommandParser) -> None:
        """Address, port, role."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default 8000)")
        parser.add_argument(
            "--role",
            default=configuration.value("NETMODES_ROLE", "all"),
            help="all (default); in a team deployment: web (pages only) or lab (Docker only)",
        )
        add_privileged_hosts(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs until Ctrl-C or SIGTERM."""
        try:
            role = parse_role(options["role"])
        except ValueError as error:
            raise CommandError(str(error), returncode=WRONG_USAGE) from None
        os.environ["NETMODES_ROLE"] = str(role)
        if role is Role.LAB:
            self._run_lab()
        else:
            self._serve(role, options["host"], options["port"])

    def _run_lab(self) -> None:
        if is_lab_running():
            message = f"Another lab is running from {configuration.data_dir()}."
            raise CommandError(message, returncode=FAILED)
        self.migrate()

        def ready(engine: str) -> None:
            self.stdout.write(f"{LAB_READY}: {engine}")
            self.stdout.write(
                "Press Ctrl-C to stop it and its containers. SIGTERM leaves the containers to the next lab."
            )
            self.stdout.flush()
            notify_service_manager("READY=1")

        code = asyncio.run(run_lab(configuration.data_dir(), self.say, ready))
        interrupts.ignore()
        self.say("The lab has stopped.")
        if code:
            raise SystemExit(code)

    def _serve(self, role: Role, host: str, port: int) -> None:
        """Serves pages, with or without a lab in the same process."""
        if not 0 < port < 65536:
            raise CommandError("--port must be a number from 1 to 65535.", returncode=WRONG_USAGE)
        if role is Role.ALL and self._is_running():
            return
        listening = self._listen(host, port)
        self.migrate()
        config = uvicorn.Config(
            "dashboard.asgi:application",
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="on",
            http=limited_protocol(raise_descriptor_limit(), lambda peer: is_trusted(peer, settings.TRUSTED_PROXIES)),
            ws=SharedFrameProtocol,
            ws_max_size=64 * 1024,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=5,
            proxy_headers=False,
        )
        url = address_to_open(host, port)
        try:
            with announced(url):
                server = Server(config, self, url, sign_in_line(public_address(url)))
                if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
                    signal.signal(signal.SIGHUP, server.handle_exit)
                server.run(sockets=listening)
            interrupts.ignore()
            self.say("Netmodes has stopped.")
        except BlockingIOError:
            message = f"Another server is starting from {configuration.data_dir()}."
            raise CommandError(message, returncode=FAILED) from None

    def _is_running(self) -> bool:
        """Whether a server runs already; prints its address and a new link, since the first link may be lost."""
        address = served_address()
        if address is None:
            return False
        self.stdout.write(f"Netmodes is already running at {address}")
        self.stdout.write(sign_in_line(public_address(address)))
        return True

    def _listen(self, host: str, port: int) -> list[socket.socket]:
        """The listening sockets, opened first so that a port in use is reported at once. On loopback they are one for
        each family: browsers look for the own name at ::1 first, and another program there would get our cookies."""
        listening = [self._bind(host, port)]
        other = {"127.0.0.1": "::1", "localhost": "::1", "0.0.0.0": "::1", "::1": "127.0.0.1"}.get(host)  # noqa: S104
        if other and settings.OWN_NAME:
            with suppress(NoSuchAddressError):
                listening.append(self._bind(other, port))
        return listening

    def _bind(self, host: str, port: int) -> socket.socket:
        """A listening socket; NoSuchAddressError if the machine does not have the address."""
        shown = f"[{host}]" if ":" in host else host
        try:
            listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        except OSError as error:
            raise NoSuchAddressError(f"Cannot listen on {shown}:{port}: {error.strerror}.") from None
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::1":
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            listening.close()
            message = f"Cannot listen on {shown}:{port}: {error.strerror}. Stop what listens there, or choose --port N."
            is_missing = error.errno == errno.EADDRNOTAVAIL
            raise (NoSuchAddressError if is_missing else CommandError)(message) from None
        listening.listen(2048)
        return listening
