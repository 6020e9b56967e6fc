"""``./netmodes workshop``: validates the folder of a workshop, or lists the workshops."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard import configuration
from dashboard.core.workshops.model import Workshop
from dashboard.core.workshops.parser import ParsedWorkshop
from dashboard.lab.workshops.files import Library, LibraryEntry, read_folder
from dashboard.management.commanding import NetmodesCommand


def as_json(parsed: ParsedWorkshop) -> dict[str, Any]:
    """The fields of a workshop for a JSON document, or the problems of its folder."""
    workshop = parsed.workshop
    return {
        "ok": workshop is not None,
        "slug": workshop.slug if workshop else None,
        "title": workshop.title if workshop else None,
        "steps": [step.slug for step in workshop.steps] if workshop else [],
        "problems": [{"file": p.file, "line": p.line, "sentence": p.sentence} for p in parsed.problems],
    }


class Command(NetmodesCommand):
    """Validates and lists workshops."""

    help = "Validates a workshop's folder, or lists the workshops."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the actions: validate PATH, list."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="validate|list")
        validate = actions.add_parser("validate", help="validate a folder; exit 1 and one line for each problem")
        validate.add_argument("path", metavar="PATH", help="the folder")
        listing = actions.add_parser("list", help="list the built-in workshops and those of this installation")
        for action in (validate, listing):
            action.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Validates a workshop or lists all. Exits with 1 if the validated workshop has problems."""
        if options["action"] == "validate":
            self._validate(options["path"], json=options["json"])
        else:
            self._list(json=options["json"])

    def _validate(self, path: str, *, json: bool) -> None:
        parsed = read_folder(Path(path))
        if json:
            self.print_json({"schema": "workshop/1", "path": path, **as_json(parsed)})
        elif parsed.workshop is not None:
            self.stdout.write(f"{parsed.workshop.title}: {_steps(parsed.workshop)}, no problems.")
        for problem in parsed.problems:
            self.say(str(problem))
        if parsed.workshop is None:
            count = len(parsed.problems)
            raise CommandError(f"{count} {'problem' if count == 1 else 'problems'} in {path}.")

    def _list(self, *, json: bool) -> None:
        own = configuration.data_dir() / "workshops"
        entries = Library(own).all()
        if json:
            workshops = [{"name": entry.name, "own": entry.own, **as_json(entry.parsed)} for entry in entries]
            self.print_json({"schema": "workshops/1", "folder": str(own), "workshops": workshops})
            return
        for entry in entries:
            self.stdout.write(_line(entry))
        self.say(f"Put your own workshops into {own}, one folder each.")


def _steps(workshop: Workshop) -> str:
    count = len(workshop.steps)
    return "1 step" if count == 1 else f"{count} steps"


def _line(entry: LibraryEntry) -> str:
    source = "own" if entry.own else "built-in"
    if entry.workshop is None:
        return f"{entry.name}  {source}  cannot be used: {entry.parsed.problems[0]}"
    return f"{entry.workshop.slug}  {source}  {_steps(entry.workshop)}  {entry.workshop.title}"
