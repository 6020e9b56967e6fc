"""``./netmodes claims``: what is said about network modes, executed here."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard import configuration
from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.markdown import catalogue
from dashboard.core.claims.misconceptions import all_misconceptions
from dashboard.core.claims.model import Claim
from dashboard.core.claims.run import ClaimsRun, Executed, Step, choose, run_text
from dashboard.core.comparison.text_table import printable
from dashboard.core.reports.model import ClaimVerdict
from dashboard.lab.bootstrap import open_context
from dashboard.lab.claims.worker import execute_run
from dashboard.management.commanding import FAILED, WRONG_USAGE, NetmodesCommand, require_root
from dashboard.store import claim_runs


class Command(NetmodesCommand):
    """Executes claims on this engine, and on private hosts those that need a machine to themselves."""

    help = "Executes what is said about network modes and says what holds, with the evidence."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which, and how to show them."""
        parser.add_argument("ids", nargs="*", metavar="ID", help="which claims (default: all; --list names them)")
        parser.add_argument("--list", action="store_true", help="say which claims there are, and execute none")
        parser.add_argument("--markdown", action="store_true", help="with --list: as it stands in docs/claims.md")
        parser.add_argument("--all", action="store_true", help="show the evidence of every claim")
        parser.add_argument("--json", action="store_true", help="print claims/1, a list")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Exit 0 if every claim holds or cannot be tested here, 1 if one differs or something is left over, 2 for an
        unknown id."""
        try:
            claims = choose(all_claims(), options["ids"])
        except ValueError as error:
            raise CommandError(str(error), returncode=WRONG_USAGE) from None
        if options["list"]:
            if options["markdown"]:
                self.stdout.write(catalogue(claims, all_misconceptions()))
                return
            self._list(claims, as_json=options["json"])
            return
        require_root("Reading network namespaces")
        self.migrate()
        try:
            found = self.run(lambda: self._execute(configuration.data_dir(), claims, quiet=options["json"]))
        except asyncio.CancelledError:
            raise SystemExit(128 + signal.SIGTERM) from None
        if options["json"]:
            self.print_json(found.results)
        else:
            self.stdout.write(run_text(found, everything=options["all"] or bool(options["ids"])))
        for line in found.left:
            self.say(f"Left over: {line}")
        if found.left or any(one.verdict is ClaimVerdict.DIFFERS for one in found.results):
            raise SystemExit(FAILED)

    def _list(self, claims: Sequence[Claim], *, as_json: bool) -> None:
        if as_json:
            names = ("id", "topic", "statement", "exact", "source")
            self.print_json(
                [{name: getattr(one, name) for name in names} | {"lines": one.shown_lines} for one in claims]
            )
            return
        for one in claims:
            self.stdout.write(f"{one.id:<26} {one.topic:<13} {one.statement}")

    async def _execute(self, folder: Path, claims: Sequence[Claim], *, quiet: bool) -> ClaimsRun:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        done = 0

        def tell(_claim: str, step: Step, found: Executed | None) -> None:
            nonlocal done
            if step is Step.DONE and found is not None and not quiet:
                done += 1
                self.say(f"{done}/{len(claims)} {found.verdict}: {printable(found.id)}")

        async with AsyncExitStack() as stack:
            context = await open_context(stack, folder, self.say)
            ids = [claim.id for claim in claims]
            run = await context.database.run(lambda: claim_runs.create_run(ids, driven=True))
            found = await execute_run(context, run, claims, tell=tell, say=self.say, mine=context.passing)
        if found is None:
            raise CommandError("Somebody ended it before its time.", returncode=FAILED)
        return found
