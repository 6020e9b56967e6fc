"""``./netmodes reap``: removes what ended processes of Netmodes left behind."""

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard import configuration
from dashboard.engine.protocol import Engine, EngineError
from dashboard.lab.bootstrap import open_context, open_engine
from dashboard.lab.lab_lock import LabBusyError
from dashboard.lab.reaper import Reaped, reap, reap_everything, reap_hosts
from dashboard.management.commanding import FAILED, WRONG_USAGE, NetmodesCommand, require_root


class Command(NetmodesCommand):
    """Removes leftovers of Netmodes. What a running process uses stays, as does everything without a label of
    Netmodes."""

    help = (
        "Removes containers, networks and private hosts that ended processes of Netmodes left behind, and reports that "
        "were deleted more than 30 days ago."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the option ``--all``, and the option for the output format."""
        parser.add_argument(
            "--all",
            action="store_true",
            help="after this machine was revoked: remove everything of the installation that it joined, even what is "
            "in use; needs no database",
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Prints what was removed. Exits with 1 if something could not be removed."""
        require_root("Removing leftovers")
        if options["all"]:
            removed = self._reap_all()
        else:
            self.migrate()
            removed = self.run(self._reap)
        for line in removed.refused:
            self.say(f"cannot remove {line}")
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
            self.stdout.write(f"kept {line}")
        if not removed.removed and not removed.refused:
            self.stdout.write("There is nothing to remove.")

    def _reap_all(self) -> Reaped:
        folder = configuration.data_dir()
        joined = configuration.joined(folder)
        if not joined:
            message = "This machine has not joined an installation: --all removes what belongs to such a machine."
            raise CommandError(message, returncode=WRONG_USAGE)

        async def work() -> Reaped:
            async with AsyncExitStack() as stack:

                async def engine() -> Engine:
                    opened, _info, _keeper = await open_engine(stack, folder, self.say, may_start_private=False)
                    return opened

                return await reap_everything(folder, joined.get("installation", ""), engine)

        try:
            return self.run(work)
        except LabBusyError:
            message = f"A lab runs from {folder}. Stop it first; --all removes what it drives."
            raise CommandError(message) from None

    async def _reap(self) -> Reaped:
        folder = configuration.data_dir()
        hosts = await reap_hosts(folder)
        try:
            async with AsyncExitStack() as stack:
                context = await open_context(stack, folder, self.say, may_start_private=False)
                reaped = await reap(context)
        except EngineError as error:
            return replace(hosts, refused=(*hosts.refused, str(error)))
        return replace(reaped, removed=hosts.removed + reaped.removed, refused=hosts.refused + reaped.refused)
