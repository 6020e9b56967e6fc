"""The reference of commands, generated from their parsers. ``python -m tests.docs.reference`` writes it to the page."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from django.core.management import load_command_class
from django.core.management.base import BaseCommand

from dashboard.launcher import usage
from tests.docs.documents import ROOT

PAGE = ROOT / "docs/commands.md"
MARK = "<!-- made by python -m tests.docs.reference -->\n"
#: Commands that the launcher does itself, with what they pass on.
LAUNCHER = {"setup": "up", "test": None, "check": None, "help": None}
#: Options of ``test``; every other goes to pytest.
TEST_OPTIONS = {"--all", "--team", "--engine"}
#: Options of Django's own that each command has.
COMMON = {"--help", "--traceback", "--skip-checks"}


def command_names() -> list[str]:
    """The commands of Netmodes in the order of the launcher's list, followed by commands that it does not list."""
    there = sorted(path.stem for path in (ROOT / "dashboard/management/commands").glob("[a-z]*.py"))
    return [name for name in dict.fromkeys([*usage.descriptions(), *there]) if name in there]


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser of a command, with the name that a user types."""
    command: BaseCommand = load_command_class("dashboard", name)
    return command.create_parser("./netmodes", name)


def _parts(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """The parser itself, or each of its actions with its help."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {one.dest: one.help or "" for one in action._choices_actions}
            yield from ((f" {name}", one, helps[name]) for name, one in action.choices.items())
            return
    yield "", parser, parser.description or ""


def options_of(words: list[str]) -> set[str] | None:
    """The options that a ``./netmodes`` command line accepts; None for an unknown command."""
    names = [word for word in words if not word.startswith("-")]
    name = names[0] if names else "help"
    if name in LAUNCHER:
        passed = LAUNCHER[name]
        return options_of([passed]) if passed else {"--help"} | (TEST_OPTIONS if name == "test" else set())
    if name not in command_names():
        return None
    known = set(COMMON)
    for suffix, parser, _help in _parts(parser_of(name)):
        if not suffix or len(names) < 2 or suffix.strip() == names[1]:
            known |= {option for action in parser._actions for option in action.option_strings}
    return known


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _shown(action: argparse.Action) -> str:
    """An argument as code in Markdown, such as ``--seconds SECONDS`` or ``MODE …``."""
    metavar = action.metavar if isinstance(action.metavar, str) else (action.dest or "").upper()
    if action.choices:
        metavar = "|".join(str(one) for one in action.choices)
    if not action.option_strings:
        many = {"+": " …", "*": " …"}.get(str(action.nargs), "")
        said = f"{metavar}{many}"
        return f"`[{said}]`" if action.nargs in {"*", "?"} else f"`{said}`"
    names = ", ".join(f"`{option}`" for option in action.option_strings[:-1])
    last = action.option_strings[-1] + ("" if action.nargs == 0 else f" {metavar}")
    return f"{names + ', ' if names else ''}`{last}`" + (" (required)" if action.required else "")


def _table(parser: argparse.ArgumentParser) -> str:
    rows = [
        f"| {_cell(_shown(action))} | {_cell(action.help or '')} |"
        for action in parser._actions
        if action.help != argparse.SUPPRESS and not set(action.option_strings) & COMMON
    ]
    return "\n".join(["| | |", "|---|---|", *rows]) + "\n" if rows else "It takes no options.\n"


def render() -> str:
    """The reference of all commands as Markdown."""
    said = []
    for name in command_names():
        parser = parser_of(name)
        said.append(f"## {name}\n\n{_cell(parser.description or '')}\n")
        for suffix, one, about in _parts(parser):
            if suffix:
                said.append(f"### {name}{suffix}\n\n{_cell(about)[:1].upper()}{_cell(about)[1:].rstrip('.')}.\n")
            said.append(_table(one))
    return "\n".join(said)


def main() -> None:
    """Writes the reference to the page, after the mark."""
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    django.setup()
    before, mark, _old = PAGE.read_text().partition(MARK)
    assert mark, f"{PAGE.name} lacks {MARK}"
    PAGE.write_text(f"{before}{mark}\n{render()}")


if __name__ == "__main__":
    main()
