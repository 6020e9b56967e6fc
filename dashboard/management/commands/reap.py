"""``./netmodes reap``: removes what is ours and left over, nothing else."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from django.core.management.base import CommandParser

from dashboard import configuration
from dashboard.engine.protocol import EngineUnreachable
from dashboard.lab.bootstrap import open_context
from dashboard.lab.reaper import Reaped, reap, reap_hosts
from dashboard.management.commanding import FAILED, NetmodesCommand, require_root


class Command(NetmodesCommand):
    """What a living process drives is left alone; so is everything without exactly our label."""

    help = "Removes containers, networks and private hosts of ours that nobody drives any more."

    def add_arguments(self, parser: CommandParser) -> None:
        """Only the form of the answer."""
        parser.add_argument("--json", action="store_true", help="print what was removed as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Says each thing that was removed."""
        require_root("Removing what is left over")
        self.migrate()
        removed = self.run(self._reap)
        for line in removed.refused:
            self.say(f"not removed: {line}")
        self._show(removed, as_json=options["json"])
        if removed.refused:
            raise SystemExit(FAILED)

    def _show(self, removed: Reaped, *, as_json: bool) -> None:
        if as_json:
            self.print_json(removed)
            return
        for line in removed.removed:
            self.stdout.write(f"removed {line}")
        for line in removed.kept:
            self.stdout.write(f"left alone: {line}")
        if not removed.removed and not removed.refused:
            self.stdout.write("Nothing of ours is left over.")

    async def _reap(self) -> Reaped:
        folder = configuration.data_dir()
        hosts = await reap_hosts(folder)
        try:
            async with AsyncExitStack() as stack:
                context = await open_context(stack, folder, self.say, may_start_private=False)
                found = await reap(context)
        except EngineUnreachable as error:
            return Reaped(hosts, (), (str(error),))
        return replace(found, removed=hosts + found.removed)
