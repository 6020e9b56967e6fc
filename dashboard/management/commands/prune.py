"""``./netmodes prune``: forgets what is over and older than asked."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard.management.commanding import WRONG_USAGE, NetmodesCommand
from dashboard.store.operations.pruning import KINDS, Pruned, prune

MOST_DAYS = 36_500
DAY_S = 86_400


class Command(NetmodesCommand):
    """Deletes what is over: measurements with every block, experiments with their journals, runs of claims, classes,
    ended links and sessions of browsers. Reports stay, and so does whatever still runs."""

    help = "Deletes what is over and older than so many days, and gives its room back. Reports stay."

    def add_arguments(self, parser: CommandParser) -> None:
        """How old, what, and whether only to say what would go."""
        parser.add_argument("--days", required=True, metavar="N", help="delete what ended longer ago; 0: all")
        parser.add_argument(
            "--only", action="append", choices=KINDS, metavar="KIND", help=f"only {', '.join(KINDS)}; may be repeated"
        )
        parser.add_argument("--dry-run", action="store_true", help="delete nothing, say what would go")
        parser.add_argument("--json", action="store_true", help="print prune/1")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Exit 0, also where nothing was old enough; 2 if N is no age."""
        days = _read_days(options["days"])
        self.migrate()
        found = prune(days * DAY_S, dry_run=options["dry_run"], what=options["only"] or KINDS)
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
    others = found.others
    parts = [
        _many(found.runs, "measurement") + f" with {_many(found.blocks, 'block')}" if found.runs else "",
        f"{_many(found.experiments, 'experiment')} launched for them" if found.experiments else "",
        _many(others.comparisons, "experiment") + f" with {others.entries:,} journal entries"
        if others.comparisons
        else "",
        _many(others.claims, "run") + " of claims" if others.claims else "",
        _many(others.classes, "class", "classes") if others.classes else "",
        _many(others.links, "ended link") if others.links else "",
        _many(others.logins, "ended sign-in") if others.logins else "",
    ]
    named = [part for part in parts if part]
    if not named:
        return f"Nothing that is over is older than {found.before}."
    verb = "Would delete" if found.dry_run else "Deleted"
    lines = [f"{verb} what is from before {found.before}: {', '.join(named)}."]
    if found.freed_bytes is not None:
        lines.append(f"The database's file is {found.freed_bytes / 1e6:.1f} MB smaller.")
    if found.room:
        lines.append(found.room)
    return "\n".join(lines)


def _many(count: int, what: str, several: str = "") -> str:
    return f"{count:,} {what if count == 1 else several or f'{what}s'}"
