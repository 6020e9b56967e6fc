"""``./netmodes audit``: prints the audit trail."""

from typing import Any

from django.core.management.base import CommandParser

from dashboard.core.comparison.text_table import printable
from dashboard.management.commanding import NetmodesCommand
from dashboard.store.operations import audit
from dashboard.store.operations.audit import AuditFilter


class Command(NetmodesCommand):
    """Prints the entries of the audit trail, newest first. Needs no engine and no root."""

    help = "Prints the audit trail: who did what, newest first."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds options for filters and the output format."""
        parser.add_argument("--account", default="", metavar="NAME", help="only entries of this account")
        parser.add_argument(
            "--action", default="", metavar="ACTION", help="only this action, such as “stop experiment”"
        )
        parser.add_argument(
            "--outcome", default="", choices=["", *audit.OUTCOMES], metavar="OUTCOME", help="done, refused or failed"
        )
        parser.add_argument("--limit", type=int, default=audit.MAX_EXPORTED, metavar="N", help="at most N entries")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="print audit/1")
        form.add_argument("--csv", action="store_true", help="print CSV")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Prints the entries. Exits with 0, even if there are none."""
        self.migrate()
        chosen = AuditFilter(options["account"], options["action"], options["outcome"])
        trail = audit.read(chosen, max(0, min(options["limit"], audit.MAX_EXPORTED)))
        if options["json"]:
            self.print_json(trail)
        elif options["csv"]:
            self.stdout.write(audit.as_csv(trail), ending="")
        else:
            for line in trail.entries:
                words = (line.at[:19], line.account, line.outcome, line.action, line.object, line.address)
                self.stdout.write(printable("  ".join(filter(None, words))))
