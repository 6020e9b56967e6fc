"""``./netmodes up``: migrates, serves, prints a one-time sign-in link."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress
from types import FrameType
from typing import Any

import uvicorn
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard import configuration
from dashboard.core.operations.deployment import Role, role_of
from dashboard.lab.lab_process import run_lab
from dashboard.management.commanding import FAILED, WRONG_USAGE, NetmodesCommand
from dashboard.management.serving import (
    address_to_open,
    announced,
    lab_is_here,
    public_address,
    served_address,
    sign_in_line,
    tell_service_manager,
)
from dashboard.web.http.shared_frames import SharingProtocol


class Server(uvicorn.Server):
    """Says the link once the sockets are open and the lab has started."""

    def __init__(self, config: uvicorn.Config, command: BaseCommand, url: str, link: str) -> None:
        super().__init__(config)
        self._command = command
        self._url = url
        self._link = link
        self._was_told = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A second Ctrl-C does not cut short what the first one began, which would leave containers behind; a third one
        does."""
        if sig == signal.SIGINT and self.should_exit and not self._was_told:
            self._was_told = True
            self._command.stderr.write("Stopping what was started. Ctrl-C once more leaves it where it is.")
            return
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Uvicorn's own start, then the link."""
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._command.stdout.write(f"Netmodes serves on {self._url}")
            self._command.stdout.write(self._link)
            if configuration.value("NETMODES_ROLE") != Role.WEB:
                self._command.stdout.write("Ctrl-C stops everything that it started.")
            self._command.stdout.flush()
            tell_service_manager("READY=1")


class Command(NetmodesCommand):
    """Serves on 127.0.0.1, or drives Docker for those that do."""

    help = "Serves Netmodes and prints a one-time sign-in link."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where to listen."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default 8000)")
        parser.add_argument(
            "--role",
            default=configuration.value("NETMODES_ROLE", "all"),
            help="all (default); or, with a database for both: web serves pages only, lab drives Docker only",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs until Ctrl-C."""
        try:
            role = role_of(options["role"])
        except ValueError as error:
            raise CommandError(str(error), returncode=WRONG_USAGE) from None
        os.environ["NETMODES_ROLE"] = str(role)
        if role is Role.LAB:
            self._drive()
        else:
            self._serve(role, options["host"], options["port"])

    def _drive(self) -> None:
        """A lab without pages."""
        if lab_is_here():
            message = f"Another Netmodes drives Docker from {configuration.data_dir()} already."
            raise CommandError(message, returncode=FAILED)
        self.migrate()

        def ready(engine: str) -> None:
            self.stdout.write(f"The lab of Netmodes is here: {engine}")
            self.stdout.write("Ctrl-C stops everything that it started; SIGTERM leaves it for the next lab.")
            self.stdout.flush()
            tell_service_manager("READY=1")

        if code := asyncio.run(run_lab(configuration.data_dir(), self.say, ready)):
            raise SystemExit(code)

    def _serve(self, role: Role, host: str, port: int) -> None:
        """Pages, with a lab in the same process or without one."""
        if not 0 < port < 65536:
            raise CommandError("--port takes a number from 1 to 65535.", returncode=WRONG_USAGE)
        if role is Role.ALL and self._serves_already():
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
            ws=SharingProtocol,
            ws_max_size=64 * 1024,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=5,
            proxy_headers=False,
        )
        url = address_to_open(host, port)
        try:
            # Cleaned up by then: uvicorn raises the signal once more when it has stopped.
            with announced(url), suppress(KeyboardInterrupt):
                Server(config, self, url, sign_in_line(public_address(url))).run(sockets=[listening])
        except BlockingIOError:
            message = f"Another Netmodes begins to serve from {configuration.data_dir()} just now."
            raise CommandError(message, returncode=FAILED) from None

    def _serves_already(self) -> bool:
        """A second ``up`` says where the first one serves, with a fresh link: the old one may be lost."""
        address = served_address()
        if address is None:
            return False
        self.stdout.write(f"Netmodes serves on {address} already.")
        self.stdout.write(sign_in_line(public_address(address)))
        return True

    def _listen(self, host: str, port: int) -> socket.socket:
        """The socket, opened before anything is started, so that a taken port is said at once."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            listening.close()
            message = f"Cannot listen on {host}:{port}: {error.strerror}. Stop what listens there, or choose --port N."
            raise CommandError(message) from None
        listening.listen(2048)
        return listening
