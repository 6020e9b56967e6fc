"""``./netmodes prune``: deletes old data."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard.core.operations.storage import MAX_DAYS
from dashboard.management.commanding import WRONG_USAGE, NetmodesCommand
from dashboard.store.operations.pruning import KINDS, Pruned, prune

DAY_S = 86_400


class Command(NetmodesCommand):
    """Deletes old measurements, experiments, claim runs and training sessions that have ended, and old share links,
    sign-ins and audit entries. Reports stay."""

    help = "Deletes ended data that is older than N days and shrinks the database file. Reports stay."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds options for the age, the kinds of data, and a dry run."""
        parser.add_argument("--days", required=True, metavar="N", help="delete data that ended more than N days ago")
        parser.add_argument(
            "--only", action="append", choices=KINDS, metavar="KIND", help=f"only {', '.join(KINDS)}; may be repeated"
        )
        parser.add_argument("--dry-run", action="store_true", help="delete nothing, show what would be deleted")
        parser.add_argument("--json", action="store_true", help="print prune/1")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Deletes the data. Exits with 0, even if nothing was old enough; 2 if ``--days`` is not a valid number."""
        days = _parse_days(options["days"])
        self.migrate()
        pruned = prune(days * DAY_S, dry_run=options["dry_run"], kinds=options["only"] or KINDS)
        if options["json"]:
            self.print_json(pruned)
        else:
            self.stdout.write(_describe(pruned))


def _parse_days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days <= MAX_DAYS:
        raise CommandError(f"--days must be a number from 0 to {MAX_DAYS}, not “{text[:20]}”.", returncode=WRONG_USAGE)
    return days


def _describe(pruned: Pruned) -> str:
    others = pruned.others
    counts = (
        (pruned.runs, "measurement", f" with {_count(pruned.blocks, 'block')}"),
        (pruned.experiments, "experiment", " launched for them"),
        (others.comparisons, "experiment", f" with {_count(others.entries, 'journal entry', 'journal entries')}"),
        (others.claims, "claim run", ""),
        (others.classes, "training session", ""),
        (others.links, "ended link", ""),
        (others.logins, "expired sign-in", ""),
        (others.audit, "audit record", ""),
    )
    parts = [_count(number, noun) + suffix for number, noun, suffix in counts if number]
    if not parts:
        return f"Nothing that has ended is older than {pruned.before}."
    lines = [f"{'Would delete' if pruned.dry_run else 'Deleted'} data from before {pruned.before}: {', '.join(parts)}."]
    if pruned.freed_bytes is not None:
        lines.append(f"The database file is {pruned.freed_bytes / 1e6:.1f} MB smaller.")
    if pruned.room:
        lines.append(pruned.room)
    return "\n".join(lines)


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
