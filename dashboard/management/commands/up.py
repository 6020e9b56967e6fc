"""``./netmodes up``: migrates the database, serves pages, prints a one-time sign-in link."""

import asyncio
import errno
import os
import signal
import socket
from contextlib import closing, suppress
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import uvloop
from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from dashboard import configuration, interrupts
from dashboard.core.namespaces.addresses import bracket
from dashboard.core.operations.deployment import LAB_READY, Role, messaging_problem, parse_role
from dashboard.core.operations.web_user import WebUser
from dashboard.engine.hosts.programs import require_valid_settings
from dashboard.management.commanding import WRONG_USAGE, NetmodesCommand, add_privileged_hosts
from dashboard.management.descriptors import raise_descriptor_limit
from dashboard.management.memory import grow_string_table, limit_garbage, limit_heap
from dashboard.management.serving import (
    address_to_open,
    announced,
    is_lab_running,
    notify_service_manager,
    public_address,
    served_address,
    sign_in_line,
)


class NoSuchAddressError(CommandError):
    """The machine does not have the address on which the server is to listen."""


class Command(NetmodesCommand):
    """Serves pages, drives the Docker Engine, or both."""

    help = "Starts Netmodes and prints a one-time sign-in link."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds options for the address, the port and the role."""
        parser.add_argument(
            "--host",
            default="127.0.0.1",
            help="address to listen on (default 127.0.0.1); for another one, set NETMODES_ALLOWED_HOSTS, too",
        )
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default 8000)")
        parser.add_argument(
            "--role",
            default=configuration.value("NETMODES_ROLE", "all"),
            help="all (default); in a team deployment: web (pages only) or lab (Docker only)",
        )
        add_privileged_hosts(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs until Ctrl-C or SIGTERM."""
        limit_heap()
        try:
            role = parse_role(options["role"])
        except ValueError as error:
            raise CommandError(str(error), returncode=WRONG_USAGE) from None
        if role is Role.ALL and configuration.joined(settings.DATA_DIR):
            message = (
                f"This machine has joined an installation: run {configuration.COMMAND} lab. "
                f"To use it on its own, delete {settings.DATA_DIR / configuration.JOINED_FILE}."
            )
            raise CommandError(message, returncode=WRONG_USAGE)
        redis_url, is_installed = configuration.value("REDIS_URL"), find_spec("nats") is not None
        if problem := messaging_problem(role, settings.NATS_URL, redis_url, is_installed=is_installed):
            raise CommandError(problem, returncode=WRONG_USAGE)
        if role.drives:
            require_valid_settings()
        os.environ["NETMODES_ROLE"] = str(role)
        if role is Role.LAB:
            self._run_lab()
        else:
            self._serve(role, options["host"], options["port"])

    def _run_lab(self) -> None:
        from dashboard.lab.lab_process import run_lab

        if is_lab_running():
            message = f"Another lab is running from {configuration.data_dir()}. Stop it first."
            raise CommandError(message)
        raise_descriptor_limit()
        self.migrate()

        def ready(engine: str) -> None:
            grow_string_table()
            limit_garbage()
            self.stdout.write(f"{LAB_READY}: {engine}")
            self.stdout.write(
                "Press Ctrl-C to stop it and its containers. SIGTERM leaves the containers to the next lab."
            )
            self.stdout.flush()
            notify_service_manager("READY=1")

        run = run_lab(configuration.data_dir(), self.say, ready)
        code = asyncio.run(run, loop_factory=uvloop.new_event_loop)
        interrupts.ignore()
        self.say("The lab has stopped.")
        if code:
            raise SystemExit(code)

    def _serve(self, role: Role, host: str, port: int) -> None:
        """Serves pages, with or without a lab, until the server is stopped."""
        if not 0 < port < 65536:
            raise CommandError("--port must be a number from 1 to 65535.", returncode=WRONG_USAGE)
        if role is Role.ALL and self._is_running():
            return
        url = address_to_open(host, port)
        self._require_allowed_host(url)
        listening = self._listen(host, port)
        from dashboard.management.pages import web_process  # imported here: a lab without pages does not need it

        try:
            user = self._find_web_user() if role is Role.ALL and web_process.is_apart() else None
            if user is not None:
                self._serve_apart(listening, url, user)
            else:
                self._serve_here(listening, url)
            interrupts.ignore()
            self.say("Netmodes has stopped.")
        except BlockingIOError:
            message = (
                f"Another server is starting from {configuration.data_dir()}. Wait until it has started, or stop it."
            )
            raise CommandError(message) from None

    def _require_allowed_host(self, url: str) -> None:
        """Raises CommandError if the server would refuse requests to ``url``, and links do not begin with an origin of
        a reverse proxy instead."""
        name = bracket(urlsplit(url).hostname or "")
        if name not in settings.ALLOWED_HOSTS and not settings.CSRF_TRUSTED_ORIGINS:
            message = f"Requests to {name} would be refused. Add {name} to NETMODES_ALLOWED_HOSTS."
            raise CommandError(message, returncode=WRONG_USAGE)

    def _find_web_user(self) -> WebUser | None:
        """The user as which the web process runs. If this machine cannot run that process in a sandbox, prints a
        warning and returns None. Raises CommandError if no user id is free."""
        from dashboard.management.pages.sandbox import find_refusal
        from dashboard.management.pages.web_process import find_user

        try:
            user = find_user(configuration.data_dir())
        except LookupError as error:
            raise CommandError(str(error)) from None
        if reason := find_refusal(user):
            self.say(f"Pages are served as root: this machine does not allow an unprivileged web process ({reason}).")
            return None
        return user

    def _serve_here(self, listening: list[socket.socket], url: str) -> None:
        from dashboard.management.pages.page_server import PageServer

        self.migrate()
        with announced(url):
            link = sign_in_line(public_address(url))
            server = PageServer(lambda: self._print_link(url, link), self.say)
            if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
                signal.signal(signal.SIGHUP, server.handle_exit)
            server.run(sockets=listening)

    def _serve_apart(self, listening: list[socket.socket], url: str, user: WebUser) -> None:
        """Runs the lab in this process, and serves pages in a process that runs as an ordinary user."""
        from dashboard.management.pages.lab_and_pages import run_lab_and_pages
        from dashboard.management.pages.starter import StarterError
        from dashboard.management.pages.web_process import WebProcess, WebProcessError

        folder = configuration.data_dir()
        try:
            with closing(WebProcess(listening, user, self.say)) as web:
                self.migrate()
                with announced(url):
                    link = sign_in_line(public_address(url))
                    run = run_lab_and_pages(folder, web, self.say, lambda: self._print_link(url, link))
                    asyncio.run(run, loop_factory=uvloop.new_event_loop)
        except (StarterError, WebProcessError) as error:
            raise CommandError(str(error)) from None

    def _print_link(self, url: str, link: str) -> None:
        """Prints the address and the sign-in link, and tells the service manager that pages are served."""
        self.stdout.write(f"Netmodes is running at {url}")
        self.stdout.write(link)
        if configuration.value("NETMODES_ROLE") != Role.WEB:
            self.stdout.write("Press Ctrl-C to stop it and its containers.")
        self.stdout.flush()
        notify_service_manager("READY=1")

    def _is_running(self) -> bool:
        """Whether a server of this data folder runs already. If so, prints its address and a new link, because the
        first link may be lost. Raises CommandError instead if this process is a service: for the service manager, a
        service that ends before it is ready has failed."""
        address = served_address()
        if address is None:
            return False
        if os.environ.get("NOTIFY_SOCKET"):
            message = f"Netmodes is already running at {address}. Stop it first."
            raise CommandError(message)
        self.require_current_server()
        self.stdout.write(f"Netmodes is already running at {address}")
        self.stdout.write(sign_in_line(public_address(address)))
        return True

    def _listen(self, host: str, port: int) -> list[socket.socket]:
        """Opens the listening sockets. This comes before anything else starts, so that a port in use is reported at
        once.

        On loopback, opens one for IPv4 and one for IPv6. Browsers try the server's own host name at ::1 first, and
        another program that listens there would receive the server's cookies.
        """
        listening = [self._bind(host, port)]
        other = {"127.0.0.1": "::1", "localhost": "::1", "0.0.0.0": "::1", "::1": "127.0.0.1"}.get(host)  # noqa: S104
        if other and settings.OWN_NAME:
            with suppress(NoSuchAddressError):
                listening.append(self._bind(other, port))
        return listening

    def _bind(self, host: str, port: int) -> socket.socket:
        """Opens a listening socket. Raises NoSuchAddressError if the machine does not have the address, and
        CommandError if the port is in use."""
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
