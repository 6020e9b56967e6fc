"""``./netmodes claims``: runs claims about network modes on this machine."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard import configuration
from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.markdown import catalogue_markdown
from dashboard.core.claims.misconceptions import all_misconceptions
from dashboard.core.claims.model import Claim
from dashboard.core.claims.run import ClaimsRun, ClaimState, ExecutedClaim, choose, run_text
from dashboard.core.comparison.text_table import printable
from dashboard.core.reports.model import ClaimVerdict
from dashboard.lab.bootstrap import open_context
from dashboard.lab.claims.worker import execute_run
from dashboard.management.commanding import FAILED, WRONG_USAGE, NetmodesCommand, add_privileged_hosts, require_root
from dashboard.store import claim_runs


class Command(NetmodesCommand):
    """Runs claims on this engine. Claims that would change the machine run on private hosts."""

    help = "Runs claims about network modes and prints the verdicts with the evidence."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the claims to run and options for the output."""
        parser.add_argument("ids", nargs="*", metavar="ID", help="claims to run (default: all; see --list)")
        parser.add_argument("--list", action="store_true", help="list the claims without running them")
        parser.add_argument("--markdown", action="store_true", help="with --list: the table of docs/claims.md")
        parser.add_argument("--all", action="store_true", help="show the evidence of every claim")
        add_privileged_hosts(parser)
        parser.add_argument("--json", action="store_true", help="print claims/1, a list")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs the claims. Exits with 0 if each one holds or cannot be tested here, 1 if one differs or an object was
        not removed, 2 for an unknown id."""
        try:
            claims = choose(all_claims(), options["ids"])
        except ValueError as error:
            raise CommandError(str(error), returncode=WRONG_USAGE) from None
        if options["list"]:
            if options["markdown"]:
                self.stdout.write(catalogue_markdown(claims, all_misconceptions()))
                return
            self._list(claims, as_json=options["json"])
            return
        require_root("Reading network namespaces")
        self.migrate()
        run = self.run(lambda: self._execute(configuration.data_dir(), claims, quiet=options["json"]))
        if options["json"]:
            self.print_json(run.results)
        else:
            self.stdout.write(run_text(run, everything=options["all"] or bool(options["ids"])))
        for line in run.left:
            self.say(f"Left over: {line}")
        if run.left or any(result.verdict is ClaimVerdict.DIFFERS for result in run.results):
            raise SystemExit(FAILED)

    def _list(self, claims: Sequence[Claim], *, as_json: bool) -> None:
        if as_json:
            names = ("id", "topic", "statement", "exact", "source")
            self.print_json(
                [
                    {name: getattr(claim, name) for name in names}
                    | {"lines": claim.shown_lines, "elsewhere": [each.sentence for each in claim.otherwise]}
                    for claim in claims
                ]
            )
            return
        for claim in claims:
            self.stdout.write(f"{claim.id:<26} {claim.topic:<13} {claim.statement}")
            for expectation in claim.otherwise:
                self.stdout.write(f"{'':<40} {expectation.sentence}")

    async def _execute(self, folder: Path, claims: Sequence[Claim], *, quiet: bool) -> ClaimsRun:
        done = 0

        def on_progress(_claim: str, state: ClaimState, result: ExecutedClaim | None) -> None:
            nonlocal done
            if state is ClaimState.DONE and result is not None and not quiet:
                done += 1
                self.say(f"{done}/{len(claims)} {result.verdict.word}: {printable(result.id)}")

        async with AsyncExitStack() as stack:
            context = await open_context(stack, folder, self.say)
            ids = [claim.id for claim in claims]
            run_id = await context.database.run(lambda: claim_runs.create_run(ids, driven=True))
            run = await execute_run(
                context, run_id, claims, on_progress=on_progress, say=self.say, exclusive_host=context.temporary
            )
        if run is None:
            raise CommandError("The run was cancelled.")
        return run
