"""``./netmodes report``: lists, exports and imports saved reports."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard.core.comparison.text_table import printable
from dashboard.core.measurements.formatting import moment_of
from dashboard.core.reports.parse import MAX_BYTES, InvalidReportError
from dashboard.export.formats import Format, export_report
from dashboard.export.pdf import NoPdfError
from dashboard.management.commanding import NetmodesCommand
from dashboard.store.reports import listing as report_listing
from dashboard.store.reports import saved as saved_reports
from dashboard.store.reports.listing import ListedReport, ReportNotFoundError, ReportPage


@dataclass(frozen=True, slots=True)
class Imported:
    """The JSON result of an import. ``report`` is the id of the report with the file's content, ``digest`` the SHA-256
    of that content. If ``existing`` is true, the report already existed, and nothing was stored."""

    report: str
    title: str
    digest: str
    imported_from: str
    url: str
    existing: bool = False


class Command(NetmodesCommand):
    """Lists, exports and imports reports. Needs no engine and no root."""

    help = "Lists, exports and imports saved reports."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds a subcommand for each action."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="list | export | import")
        lister = actions.add_parser("list", help="list saved reports, newest first")
        lister.add_argument("words", nargs="*", metavar="WORD", help="only reports that contain every word")
        lister.add_argument("--tag", action="append", default=[], help="only reports with this tag")
        lister.add_argument("--archived", action="store_true", help="only archived reports")
        lister.add_argument("--page", type=int, default=1, metavar="N", help="page N, 50 reports each")
        lister.add_argument("--json", action="store_true", help="print one JSON document")
        exporter = actions.add_parser("export", help="write a report to stdout")
        exporter.add_argument("report", metavar="ID", help="the report's id, as the list shows it")
        exporter.add_argument("--format", choices=[str(one) for one in Format], default="json", help="default json")
        exporter.add_argument("--output", metavar="FILE", help="write to this file")
        importer = actions.add_parser("import", help="import the JSON export of another installation")
        importer.add_argument("file", metavar="FILE", help="the file, - for stdin")
        importer.add_argument("--copy", action="store_true", help="import the report even if you already have it")
        importer.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Runs one action. Exits with 0; 1 if the report does not exist or the file is invalid; 2 for wrong usage."""
        self.migrate()
        {"list": self._list, "export": self._export, "import": self._import}[options["action"]](options)

    def _list(self, options: dict[str, Any]) -> None:
        query = " ".join(options["words"])
        page = report_listing.find_reports(query, options["tag"], archived=options["archived"], page=options["page"])
        if options["json"]:
            self.print_json(page)
        else:
            self.stdout.write(_format_page(page))

    def _export(self, options: dict[str, Any]) -> None:
        try:
            parts = export_report(options["report"], Format(options["format"])).parts
            document = b"".join(parts)
        except ReportNotFoundError:
            sentence = f"There is no report “{options['report'][:40]}”. Run ./netmodes report list."
            raise CommandError(sentence) from None
        except NoPdfError as error:
            raise CommandError(str(error)) from None
        if options["output"] is None:
            sys.stdout.buffer.write(document)
            sys.stdout.buffer.flush()
            return
        _write_whole(Path(options["output"]), document)
        self.say(f"Wrote {options['output']} ({len(document):,} bytes).")

    def _import(self, options: dict[str, Any]) -> None:
        data, name = _read(options["file"]), "" if options["file"] == "-" else options["file"]
        try:
            result = saved_reports.import_once(data, file_name=name, copy=options["copy"])
        except InvalidReportError as error:
            raise CommandError(f"Nothing was imported. {error}") from None
        row = result.report
        if options["json"]:
            self.print_json(Imported(row.id, row.title, row.digest, row.imported_from, row.url, result.existing))
        elif result.existing:
            self.stdout.write(
                f"You already have this report, {_describe_origin(row)}: “{printable(row.title)}”, report {row.id}. "
                "Add --copy to import it again."
            )
        else:
            self.stdout.write(f"Imported “{printable(row.title)}” as report {row.id}.")


def _describe_origin(report: ListedReport) -> str:
    """A phrase that states when the report was imported and from which file, or when it was saved."""
    if report.imported_at is None:
        return f"saved on {moment_of(report.saved_at):%Y-%m-%d %H:%M} UTC"
    file = f" from {printable(report.imported_file)}" if report.imported_file else ""
    return f"imported on {moment_of(report.imported_at):%Y-%m-%d %H:%M} UTC{file}"


def _read(name: str) -> bytes:
    """The content of a file, or of stdin for ``-``. If it is longer than ``MAX_BYTES``, reads one byte more than that,
    so that the caller can refuse it. Raises CommandError."""
    try:
        if name == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(name).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"Cannot read {name}: {error.strerror}.") from None


def _write_whole(path: Path, document: bytes) -> None:
    """Writes a file atomically. A pipe or a device is written directly. Raises CommandError."""
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
        raise CommandError(f"Cannot write {path}: {error.strerror}.") from None


def _format_page(page: ReportPage) -> str:
    if not page.reports:
        return "No reports found."
    lines = [line for report in page.reports for line in _format_report(report)]
    if page.pages > 1:
        lines.append(f"Page {page.page} of {page.pages}; {page.total} reports. --page N shows another one.")
    return "\n".join(lines)


def _format_report(report: ListedReport) -> tuple[str, ...]:
    marks = [f"#{tag}" for tag in report.tags]
    marks += [f"imported from {report.imported_from}"] if report.imported_from else []
    title = f"{report.id}  {printable(report.title)}  {' '.join(marks)}".rstrip()
    return title, f"            {printable(report.line)}"
