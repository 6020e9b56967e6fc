"""``./netmodes hosts``: manages private Docker hosts to practise on."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import CommandError, CommandParser

from dashboard import configuration
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.enter import enter_command, enter_environment, run_shell
from dashboard.engine.hosts.neighbour import NEIGHBOUR_ADDRESSES
from dashboard.engine.hosts.private_host import PrivateHost
from dashboard.engine.lans.images import add_image
from dashboard.engine.lans.lan import stop_hosts, undo_starts
from dashboard.interrupts import uninterrupted
from dashboard.management.commanding import WRONG_USAGE, NetmodesCommand, add_privileged_hosts, require_root

MAX_HOSTS = 100


def host_json(host: PrivateHost) -> dict[str, Any]:
    """A host as an element of the JSON document ``hosts/1``."""
    neighbour = {"netns": host.neighbour, "addresses": NEIGHBOUR_ADDRESSES} if host.neighbour else None
    fields = {"id": host.id, "pid": host.pid, "netns": host.netns, "socket": host.socket, "started": host.started}
    return {**fields, "neighbour": neighbour}


class Command(NetmodesCommand):
    """Creates, lists, enters and removes private hosts."""

    help = "Creates, lists, enters and removes private Docker hosts."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the actions: create [N], list, enter ID, remove ID…|--all."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="create|list|enter|remove")
        create = actions.add_parser("create", help="start N private hosts (default 1) with the lab image as nginx")
        create.add_argument("count", nargs="?", default="1", metavar="N", help="how many (default 1)")
        add_privileged_hosts(create)
        listing = actions.add_parser("list", help="list running private hosts")
        enter = actions.add_parser("enter", help="open a shell as root in a private host's namespaces")
        enter.add_argument("id", metavar="ID", help="an id from the list")
        remove = actions.add_parser("remove", help="stop and remove private hosts")
        remove.add_argument("ids", nargs="*", metavar="ID", help="ids from the list")
        remove.add_argument("--all", action="store_true", help="remove all private hosts")
        for parser_of_action in (create, listing, remove):
            parser_of_action.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs the action of the command line, and prints the private hosts that it concerns."""
        action = options["action"]
        if action != "list":
            require_root("A private host")
        if action == "enter":
            self._enter(options["id"])
        hosts = self.run(lambda: getattr(self, f"_{action}")(options))
        if options["json"]:
            self.print_json({"schema": "hosts/1", "hosts": [host_json(host) for host in hosts]})
            return
        for host in hosts:
            self.stdout.write(f"{host.id}  pid {host.pid}  netns {host.netns}  DOCKER_HOST=unix://{host.socket}")
        if not hosts:
            self.stdout.write("No private host is running.")

    async def _create(self, options: dict[str, Any]) -> tuple[PrivateHost, ...]:
        text = options["count"]
        if not (text.isascii() and text.isdigit() and 0 < int(text) <= MAX_HOSTS):
            raise CommandError(f"N must be a number from 1 to {MAX_HOSTS}, not “{text[:20]}”.", returncode=WRONG_USAGE)
        folder = configuration.data_dir()
        self.say(f"Starting {text} private host{'s' if text != '1' else ''}")
        created: list[PrivateHost] = []
        creating = [asyncio.ensure_future(self._create_one(folder, created)) for _ in range(int(text))]
        try:
            await asyncio.gather(*creating)
        except BaseException:
            await uninterrupted(undo_starts(creating, created))
            raise
        return tuple(created)

    async def _create_one(self, folder: Path, created: list[PrivateHost]) -> None:
        host = await private_host.start(folder)
        created.append(host)
        await add_image(host, folder, self.say)

    async def _list(self, _options: dict[str, Any]) -> tuple[PrivateHost, ...]:
        return private_host.list_hosts(configuration.data_dir())

    def _enter(self, identity: str) -> NoReturn:
        """Runs a shell on the host, and exits with its status. If root of the host is root of this machine, replaces
        this process with the shell. Otherwise the shell gets no terminal of this machine."""
        host = next((host for host in private_host.list_hosts(configuration.data_dir()) if host.id == identity), None)
        if host is None:
            raise CommandError(f"Unknown private host {identity}. {configuration.COMMAND} hosts list shows all.")
        if sys.stdin.isatty():
            root = "an ordinary user of this machine" if host.owner else "root of this machine"
            self.say(f"Shell on private host {identity}. Root of this host is {root}.")
            self.say("Type exit to leave it.")
        try:
            if host.owner:
                sys.exit(run_shell(host, os.environ))
            os.execve("/bin/sh", enter_command(host), enter_environment(host, os.environ))  # noqa: S606 - the command begins with sh
        except OSError as error:
            raise CommandError(f"The shell cannot be started: {error.strerror or error}.") from None

    async def _remove(self, options: dict[str, Any]) -> tuple[PrivateHost, ...]:
        hosts = private_host.list_hosts(configuration.data_dir())
        if bool(options["ids"]) == options["all"]:
            raise CommandError("Name the hosts to remove, or use --all.", returncode=WRONG_USAGE)
        unknown = set(options["ids"]) - {host.id for host in hosts}
        if unknown:
            raise CommandError(
                f"Unknown private host {', '.join(sorted(unknown))}. {configuration.COMMAND} hosts list shows all."
            )
        chosen = [host for host in hosts if options["all"] or host.id in options["ids"]]
        await uninterrupted(stop_hosts(chosen))
        if options["all"]:
            try:
                await private_host.stop_all(configuration.data_dir())
            except OSError as error:
                raise CommandError(f"Private hosts cannot be removed: {error}. Try again.") from None
        return tuple(chosen)
