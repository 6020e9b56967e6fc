"""``./netmodes report``: saved reports listed, exported, imported."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard.core.comparison.text_table import printable
from dashboard.core.reports.parse import MAX_BYTES, InvalidReportError
from dashboard.export.formats import Format, export_report
from dashboard.export.pdf import NoPdfError
from dashboard.management.commanding import FAILED, NetmodesCommand
from dashboard.store.reports import listing as report_listing
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.listing import ListedReport, ReportNotFoundError, ReportPage


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import made: ``report`` is its number here, ``digest`` the SHA-256 of its content."""

    report: str
    title: str
    digest: str
    imported_from: str
    url: str


class Command(NetmodesCommand):
    """Lists, exports and imports reports; needs no engine and no root."""

    help = "Lists, exports and imports saved reports."

    def add_arguments(self, parser: CommandParser) -> None:
        """One word says what to do."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="list | export | import")
        found = actions.add_parser("list", help="saved reports, newest first")
        found.add_argument("words", nargs="*", metavar="WORD", help="only those in which every word occurs")
        found.add_argument("--tag", action="append", default=[], help="only those with this tag")
        found.add_argument("--archived", action="store_true", help="those that were put away")
        found.add_argument("--page", type=int, default=1, metavar="N", help="fifty stand on a page")
        found.add_argument("--json", action="store_true", help="print one JSON document")
        taken = actions.add_parser("export", help="one report as a document, on stdout")
        taken.add_argument("report", metavar="ID", help="its number, as the list names it")
        taken.add_argument("--format", choices=[str(one) for one in Format], default="json", help="default json")
        taken.add_argument("--output", metavar="FILE", help="write it there instead")
        brought = actions.add_parser("import", help="takes the JSON export of another installation")
        brought.add_argument("file", metavar="FILE", help="the file, - for stdin")
        brought.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Exit 0; 1 where there is no such report or the file is none; 2 for wrong usage."""
        self.migrate()
        {"list": self._list, "export": self._export, "import": self._import}[options["action"]](options)

    def _list(self, options: dict[str, Any]) -> None:
        query = " ".join(options["words"])
        found = report_listing.find_reports(query, options["tag"], archived=options["archived"], page=options["page"])
        if options["json"]:
            self.print_json(found)
        else:
            self.stdout.write(_listed(found))

    def _export(self, options: dict[str, Any]) -> None:
        try:
            parts = export_report(options["report"], Format(options["format"])).parts
            document = b"".join(parts)
        except ReportNotFoundError:
            sentence = f"There is no report “{options['report'][:40]}”: ./netmodes report list names them."
            raise CommandError(sentence, returncode=FAILED) from None
        except NoPdfError as error:
            raise CommandError(str(error), returncode=FAILED) from None
        if options["output"] is None:
            sys.stdout.buffer.write(document)
            sys.stdout.buffer.flush()
            return
        _write_whole(Path(options["output"]), document)
        self.say(f"Wrote {options['output']} ({len(document):,} bytes).")

    def _import(self, options: dict[str, Any]) -> None:
        data = _read(options["file"])
        try:
            row = report_listing.get_report(saved_reports.import_file(data))
        except InvalidReportError as error:
            raise CommandError(f"Nothing was imported. {error}", returncode=FAILED) from None
        if options["json"]:
            self.print_json(Imported(row.id, row.title, row.digest, row.imported_from, row.url))
        else:
            self.stdout.write(f"Imported “{printable(row.title)}” as report {row.id}.")


def _read(name: str) -> bytes:
    """At most one byte more than is taken; CommandError."""
    try:
        if name == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(name).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.", returncode=FAILED) from None


def _write_whole(path: Path, document: bytes) -> None:
    """The whole file or nothing of it; a pipe or a device is exported to as it is. CommandError."""
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(document)
            return
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name[:40]}.", delete=False) as file:
            file.write(document)
        umask = os.umask(0)
        os.umask(umask)
        Path(file.name).chmod(0o666 & ~umask)
        Path(file.name).replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be exported: {error.strerror}.", returncode=FAILED) from None


def _listed(found: ReportPage) -> str:
    if not found.reports:
        return "No report was found."
    lines = [line for one in found.reports for line in _lines(one)]
    if found.pages > 1:
        lines.append(f"Page {found.page} of {found.pages}; {found.total} reports. --page N shows another.")
    return "\n".join(lines)


def _lines(one: ListedReport) -> tuple[str, ...]:
    said = [f"#{tag}" for tag in one.tags] + ([f"imported from {one.imported_from}"] if one.imported_from else [])
    return (f"{one.id}  {printable(one.title)}  {' '.join(said)}".rstrip(), f"            {printable(one.line)}")
