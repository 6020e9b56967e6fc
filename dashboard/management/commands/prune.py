"""``./netmodes prune``: forgets measurements that are older than asked."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard.lab.pruning import Pruned, prune
from dashboard.management.commanding import WRONG_USAGE, NetmodesCommand

MOST_DAYS = 36_500
DAY_S = 86_400


class Command(NetmodesCommand):
    """Deletes runs that are over, with every block; experiments and their journals stay."""

    help = "Deletes measurements that are older than so many days, and gives their room back."

    def add_arguments(self, parser: CommandParser) -> None:
        """How old, and whether only to say what would go."""
        parser.add_argument("--days", required=True, metavar="N", help="delete what was measured longer ago; 0: all")
        parser.add_argument("--dry-run", action="store_true", help="delete nothing, say what would go")
        parser.add_argument("--json", action="store_true", help="print prune/1")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Exit 0, also where nothing was old enough; 2 if N is no age."""
        days = _read_days(options["days"])
        self.migrate()
        found = prune(days * DAY_S, dry_run=options["dry_run"])
        if options["json"]:
            self.print_json(found)
        else:
            self.stdout.write(_said(found))


def _read_days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days <= MOST_DAYS:
        sentence = f"--days must be a number from 0 to {MOST_DAYS}, not “{text[:20]}”."
        raise CommandError(sentence, returncode=WRONG_USAGE)
    return days


def _said(found: Pruned) -> str:
    if not found.runs:
        return f"No measurement that is over is older than {found.before}."
    verb = "Would delete" if found.dry_run else "Deleted"
    lines = [f"{verb} {_many(found.runs, 'run')} from before {found.before}, with {_many(found.blocks, 'block')}"]
    if found.experiments:
        lines[0] += f" and {_many(found.experiments, 'experiment')} launched for them"
    lines[0] += "."
    if found.freed_bytes is not None:
        lines.append(f"The database's file is {found.freed_bytes / 1e6:.1f} MB smaller.")
    if found.room:
        lines.append(found.room)
    return "\n".join(lines)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
