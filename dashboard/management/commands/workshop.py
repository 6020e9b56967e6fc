"""``./netmodes workshop``: checks a workshop's folder, and lists the workshops that there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard import configuration
from dashboard.core.workshops.parser import Loaded
from dashboard.lab.workshops.files import Library, Shelved, read_folder
from dashboard.management.commanding import FAILED, NetmodesCommand


def described(loaded: Loaded) -> dict[str, Any]:
    """A workshop in JSON, or what is wrong with it."""
    found = loaded.workshop
    return {
        "ok": found is not None,
        "slug": found.slug if found else None,
        "title": found.title if found else None,
        "steps": [step.slug for step in found.steps] if found else [],
        "problems": [{"file": p.file, "line": p.line, "sentence": p.sentence} for p in loaded.problems],
    }


class Command(NetmodesCommand):
    """Checks and lists workshops."""

    help = "Checks a workshop's folder, or lists the workshops that there are."

    def add_arguments(self, parser: CommandParser) -> None:
        """Validate PATH, list."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="validate|list")
        validate = actions.add_parser("validate", help="check a folder; exit 1 and a line for each problem")
        validate.add_argument("path", metavar="PATH", help="the folder")
        listing = actions.add_parser("list", help="list the built-in workshops and those of this installation")
        for one in (validate, listing):
            one.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs one action."""
        if options["action"] == "validate":
            self._validate(options["path"], as_json=options["json"])
        else:
            self._list(as_json=options["json"])

    def _validate(self, path: str, *, as_json: bool) -> None:
        loaded = read_folder(Path(path))
        if as_json:
            self.print_json({"schema": "workshop/1", "path": path, **described(loaded)})
        elif loaded.workshop is not None:
            count = len(loaded.workshop.steps)
            self.stdout.write(
                f"{loaded.workshop.title}: {count} {'step' if count == 1 else 'steps'}, nothing is wrong."
            )
        for problem in loaded.problems:
            self.say(str(problem))
        if loaded.workshop is None:
            count = len(loaded.problems)
            raise CommandError(f"{count} {'problem' if count == 1 else 'problems'} in {path}.", returncode=FAILED)

    def _list(self, *, as_json: bool) -> None:
        own = configuration.data_dir() / "workshops"
        shelves = Library(own).all()
        if as_json:
            found = [{"name": one.name, "own": one.own, **described(one.loaded)} for one in shelves]
            self.print_json({"schema": "workshops/1", "folder": str(own), "workshops": found})
            return
        for one in shelves:
            self.stdout.write(_line(one))
        self.say(f"Your own go into {own}, a folder each.")


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"


def _line(one: Shelved) -> str:
    whose = "own" if one.own else "built-in"
    if one.workshop is None:
        return f"{one.name}  {whose}  cannot be used: {one.loaded.problems[0]}"
    return f"{one.workshop.slug}  {whose}  {_steps(len(one.workshop.steps))}  {one.workshop.title}"
