"""``./netmodes lan``: manages LANs of private hosts and neighbours."""

import asyncio
from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard import configuration
from dashboard.engine.hosts.registry import LanPlace
from dashboard.engine.lans.images import add_image
from dashboard.engine.lans.lan import (
    Lan,
    create_lan,
    describe_problem,
    list_lans,
    netem_refusal,
    remove_lan,
    stop_hosts,
)
from dashboard.interrupts import uninterrupted
from dashboard.management.commanding import WRONG_USAGE, NetmodesCommand, add_privileged_hosts, require_root
from dashboard.management.commands.hosts import host_json


def lan_json(lan: Lan) -> dict[str, Any]:
    """A LAN as an element of the JSON document ``lans/1``."""
    place, running = lan.place, {host.id for host in lan.hosts}
    return {
        "name": lan.name,
        "mtu": place.mtu,
        "delay_ms": place.delay_ms,
        "loss_percent": place.loss_percent,
        "hosts": [
            host_json(host) | {"addresses": host.lan.addresses, "running": host.id in running} for host in lan.all_hosts
        ],
        "neighbours": [{"netns": netns, "addresses": addresses} for netns, addresses in lan.neighbours],
    }


def _find(name: str) -> Lan:
    lan = next((lan for lan in list_lans(configuration.data_dir()) if lan.name == name), None)
    if lan is None:
        raise CommandError(f"Unknown LAN {name}. {configuration.COMMAND} lan list shows all.")
    return lan


class Command(NetmodesCommand):
    """Creates, lists, starts and removes LANs of private hosts, and forms a swarm of their hosts."""

    help = "Creates, lists, starts and removes LANs: private hosts and neighbours without Docker on one switch."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the actions: create NAME, list, start NAME, remove NAME…|--all, swarm NAME."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="create|list|start|remove|swarm")
        create = actions.add_parser("create", help="create a LAN with a router, private hosts and neighbours")
        create.add_argument("name", metavar="NAME", help="the name of the LAN")
        create.add_argument("--hosts", type=int, default=2, metavar="N", help="number of private hosts (default 2)")
        create.add_argument("--neighbours", type=int, default=1, metavar="N", help="number of neighbours (default 1)")
        create.add_argument("--mtu", type=int, default=1500, help="the MTU of every link (default 1500)")
        create.add_argument("--delay", type=int, default=0, metavar="MS", help="delay packets on every link")
        create.add_argument("--loss", type=int, default=0, metavar="PERCENT", help="drop packets on every link")
        add_privileged_hosts(create)
        listing = actions.add_parser("list", help="list LANs with their hosts and neighbours")
        start = actions.add_parser("start", help="start the ended hosts of a LAN again, with the containers that ran")
        start.add_argument("name", metavar="NAME", help="a name from the list")
        remove = actions.add_parser("remove", help="stop and remove LANs with all their hosts")
        remove.add_argument("names", nargs="*", metavar="NAME", help="names from the list")
        remove.add_argument("--all", action="store_true", help="remove all LANs")
        swarm = actions.add_parser("swarm", help="form a swarm of the hosts of a LAN, for overlay networks")
        swarm.add_argument("name", metavar="NAME", help="a name from the list")
        swarm.add_argument("--leave", action="store_true", help="end the swarm instead")
        for parser_of_action in (create, listing, start, remove, swarm):
            parser_of_action.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs the action of the command line, and prints the LANs that it concerns."""
        action = options["action"]
        if action != "list":
            require_root("A LAN")
        lans = self.run(lambda: getattr(self, f"_{action}")(options))
        # The state of a removed LAN can no longer be read.
        documents = [{"name": lan.name} if action == "remove" else lan_json(lan) for lan in lans]
        if options["json"]:
            self.print_json({"schema": "lans/1", "lans": documents})
            return
        for lan in lans:
            self.stdout.write(lan.name)
            for host in lan.hosts:
                self.stdout.write(f"  {host.lan.addresses[0]}  host {host.id}  DOCKER_HOST=unix://{host.socket}")
            for host in lan.ended:
                self.stdout.write(f"  {host.lan.addresses[0]}  host {host.id}  ended")
            for netns, addresses in lan.neighbours if action != "remove" else ():
                self.stdout.write(f"  {addresses[0]}  neighbour  netns {netns}")
        if not lans:
            self.stdout.write("No LANs.")

    async def _create(self, options: dict[str, Any]) -> tuple[Lan, ...]:
        folder, name, count = configuration.data_dir(), options["name"], options["hosts"]
        place = LanPlace(name, 1, options["neighbours"], options["mtu"], options["delay"], options["loss"])
        if problem := describe_problem(place, count):
            raise CommandError(problem, returncode=WRONG_USAGE)
        if any(lan.name == name for lan in list_lans(folder)):
            raise CommandError(f"The LAN {name} already exists: choose another name, or remove it first.")
        if (place.delay_ms or place.loss_percent) and (problem := await asyncio.to_thread(netem_refusal)):
            raise CommandError(problem)
        self.say(f"Creating the LAN {name} with {count} private host{'s' if count != 1 else ''}")
        lan = await create_lan(folder, place, count)
        try:
            await asyncio.gather(*(add_image(host, folder, self.say) for host in lan.hosts))
        except BaseException:
            await uninterrupted(stop_hosts(lan.hosts))
            raise
        return (lan,)

    async def _start(self, options: dict[str, Any]) -> tuple[Lan, ...]:
        # Imported here because only this needs the SDK.
        from dashboard.lab.lans import engines

        lan = _find(options["name"])
        self.say(f"Starting the hosts of the LAN {lan.name} that have ended: {len(lan.ended)}")
        await engines.start_again(configuration.data_dir(), lan)
        return (_find(lan.name),)

    async def _swarm(self, options: dict[str, Any]) -> tuple[Lan, ...]:
        # Imported here because only this needs the SDK.
        from dashboard.engine.lans.swarm import leave_swarm
        from dashboard.engine.protocol import EngineError
        from dashboard.lab.lans import engines

        lan = _find(options["name"])
        if not lan.hosts:
            raise CommandError(
                f"The hosts of the LAN {lan.name} have ended: run {configuration.COMMAND} lan start first."
            )
        try:
            if options["leave"]:
                await leave_swarm(lan.hosts)
            else:
                await engines.form_new_swarm(configuration.data_dir(), lan)
        except EngineError as error:
            raise CommandError(f"The hosts of the LAN {lan.name} cannot form a swarm: {error}") from error
        return (_find(lan.name),)

    async def _list(self, _options: dict[str, Any]) -> tuple[Lan, ...]:
        return list_lans(configuration.data_dir())

    async def _remove(self, options: dict[str, Any]) -> tuple[Lan, ...]:
        folder = configuration.data_dir()
        lans = list_lans(folder)
        if bool(options["names"]) == options["all"]:
            raise CommandError("Name the LANs to remove, or use --all.", returncode=WRONG_USAGE)
        unknown = set(options["names"]) - {lan.name for lan in lans}
        if unknown:
            raise CommandError(f"Unknown LAN {', '.join(sorted(unknown))}. {configuration.COMMAND} lan list shows all.")
        chosen = tuple(lan for lan in lans if options["all"] or lan.name in options["names"])
        await asyncio.gather(*(remove_lan(folder, lan) for lan in chosen))
        return chosen
