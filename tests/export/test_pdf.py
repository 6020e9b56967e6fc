"""The PDF: tagged for PDF/UA-1, reproducible byte for byte, and texts of a report are never interpreted."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from dashboard.core.experiments.messages import TimelineItem
from dashboard.core.paths.model import MEASURED_KINDS
from dashboard.core.reports.document import BREAK
from dashboard.core.reports.facts import Fact
from dashboard.core.reports.model import ClaimResult, ClaimVerdict
from dashboard.core.reports.summary import Summary
from dashboard.core.reports.view import ReportView, build_view
from dashboard.export import pdf as module
from dashboard.export.pdf import NoPdfError, pdf, read_notes
from tests.core.report_builders import make_content, make_run

DIGEST = "ab" * 32


@cache
def view() -> ReportView:
    claims = (ClaimResult("dns", "It holds.", "FACTS", ClaimVerdict.HOLDS, ("seen",)),)
    notes = "# Why\n\nSeen on **one** machine.\n\n- first\n- second\n\n```\ncode <b>\n```"
    return build_view(make_content(measurements=(make_run(count=12),), claims=claims, notes=notes))


@cache
def printed() -> bytes:
    return pdf(view(), DIGEST)


def root_of(data: bytes) -> Any:
    return PdfReader(io.BytesIO(data)).trailer["/Root"]


def elements(data: bytes) -> Iterator[Any]:
    """Every element of the structure tree."""
    waiting = [root_of(data)["/StructTreeRoot"]["/K"]]
    while waiting:
        one = waiting.pop().get_object()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            if "/S" in one:
                yield one
            if "/K" in one:
                waiting.append(one["/K"])


def words_of(data: bytes) -> str:
    """All texts without white space, because line breaks can be anywhere."""
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)
    return "".join(text.replace(BREAK, "").split())


def test_the_pdf_has_tags_a_title_and_a_language() -> None:
    root = root_of(printed())
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    reader = PdfReader(io.BytesIO(printed()))
    assert reader.metadata is not None
    assert reader.metadata.title == "Host or bridge"
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()


def test_every_figure_has_an_alternative_text_and_every_table_headers() -> None:
    found = list(elements(printed()))
    figures = [one for one in found if one["/S"] == "/Figure"]
    assert len(figures) == 4, "topology, differences, distribution, block by block"
    assert all(len(str(one["/Alt"])) > 20 for one in figures)
    assert any("published port (docker-proxy)" in str(one["/Alt"]) for one in figures)
    count = Counter(str(one["/S"]) for one in found)
    assert count["/Table"] == count["/THead"] >= 8
    heads = [one for one in found if one["/S"] == "/TH"]
    assert heads
    assert all("/Scope" in str(one["/A"]) for one in heads)


def test_the_bookmarks_are_the_chapters() -> None:
    outline = PdfReader(io.BytesIO(printed())).outline
    titles = [one.title for one in outline if not isinstance(one, list)]
    assert titles == [
        "In short", "Notes", "Columns", "Facts that differ", "Measurement: nginx on port 80", "Claims", "Timeline",
        "Environment", "Evidence",
    ]  # fmt: skip


def test_each_kind_of_path_that_is_measured_has_a_colour_of_its_own_in_the_pdf() -> None:
    template = Path(module.__file__).with_name("report.typ").read_text(encoding="utf-8")
    colours = template.partition("#let path-colours = (")[2].partition("\n)")[0]
    assert {str(kind) for kind in MEASURED_KINDS} <= set(re.findall(r"([a-z-]+): colours", colours))


def test_the_same_report_is_the_same_bytes() -> None:
    assert pdf(view(), DIGEST) == printed()
    assert DIGEST in words_of(printed())


def test_each_probe_is_followed_by_how_it_was_measured() -> None:
    assert "Latency:tcp-rrtcp-rr,64B,quietconditions,12pairedblocks" in words_of(printed())


SHELLS = (
    "{}", "#{}", "${}$", "[{}]", "*{}*", "_{}_", "`{}`", "```typ {}```", "\"{}\"", "<{}>", "@{}", "= {}", "- {}",
    "+ {}", "/ {}: x", "// {}", "/* {}", "*/ {}", "\\u{{{}}}", "#{{{}}}", "\\{}", "~{}",
    "'{}'", "]] #{} [[", "\"; #{} //",
)  # fmt: skip
PAYLOADS = (
    'read("/etc/passwd")', 'import "@preview/cetz:0.1.0"', "panic(1)", "sys.inputs.data", 'link("http://192.0.2.1")[x]',
    "<script>alert(1)</script>", "pagebreak()", 'eval("1+1")',
)  # fmt: skip
NASTY = [shell.format(payload) for shell, payload in itertools.product(SHELLS, PAYLOADS)]


def with_texts(texts: list[str]) -> ReportView:
    """A report with each text in a table, and some of them in every other place."""
    base = view()
    assert base.snapshot is not None
    one, row = texts[0], base.snapshot.rows[0]
    columns = tuple(replace(column, title=texts[1], command=texts[2]) for column in base.snapshot.columns)
    rows = tuple(replace(row, label=text, cells=dict.fromkeys(row.cells, text), why=text) for text in texts[:60])
    items = tuple(TimelineItem(number, 1.0, 1.0, text, text) for number, text in enumerate(texts[:90]))
    run = base.runs[0]
    series = tuple(replace(each, column=texts[3], path=texts[4]) for each in run.measurement.series)
    summaries = tuple(replace(each, label=texts[5]) for each in run.series)
    return replace(
        base,
        title=one,
        author=texts[6],
        tags=(texts[7],),
        summary=Summary(texts[8], base.summary.differences, (), tuple(texts[:60])),
        snapshot=replace(base.snapshot, columns=columns, rows=rows, timeline=items),
        runs=(replace(run, title=texts[9], measurement=replace(run.measurement, series=series), series=summaries),),
        claims=tuple(ClaimResult(text, text, text, ClaimVerdict.HOLDS, (text,), text) for text in texts[:20]),
        environment=tuple(Fact(text, text) for text in texts),
        notes="plain",
    )


def test_two_hundred_hostile_texts_stay_texts() -> None:
    assert len(NASTY) == 200
    data = pdf(with_texts(NASTY))
    words = words_of(data)
    missing = [text for text in NASTY if "".join(text.split()) not in words]
    assert missing == []
    assert "root:" not in words
    plain = pdf(with_texts([re.sub(r"[^\w\s]", "x", text) for text in NASTY]))
    shape, expected = (
        Counter(str(one["/S"]) for one in elements(found) if one["/S"] != "/Div") for found in (data, plain)
    )
    assert shape == expected, "a text that became markup would be another element"
    assert all("/Annots" not in page for page in PdfReader(io.BytesIO(data)).pages), "a link would be an annotation"


@pytest.mark.parametrize(
    "text", ["中文 報告", "😀 emoji", "ع لا عربي", "\u0301 alone", "\U0001f468\u200d\U0001f469", "ﷺ", "\ue000\x00\x1b"]
)
def test_characters_without_a_font_are_replaced(text: str) -> None:
    data = pdf(replace(view(), title=text, environment=(Fact("kernel", text),)))
    assert data.startswith(b"%PDF-")


def test_a_large_report_is_set_within_the_time_limit() -> None:
    base = view()
    assert base.snapshot is not None
    items = tuple(TimelineItem(number, 1.0, float(number), f"entry {number}", "kernel") for number in range(10_000))
    summaries = tuple(
        replace(
            one,
            at_s=tuple(float(number) for number in range(400)),
            p50_us=tuple(20 + number % 7 for number in range(400)),
            p99_us=tuple(30 + number % 9 for number in range(400)),
        )
        for one in base.runs[0].series
    )
    large = replace(
        base, snapshot=replace(base.snapshot, timeline=items), runs=(replace(base.runs[0], series=summaries),) * 3
    )
    assert "9900ofthemareleftouthere" in words_of(pdf(large))


def test_notes_are_split_into_blocks() -> None:
    assert read_notes(view().notes) == [
        ("heading", "Why"), ("paragraph", "Seen on one machine."), ("item", "first"), ("item", "second"),
        ("code", "code <b>"),
    ]  # fmt: skip


def test_a_missing_typesetter_is_an_error_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(NoPdfError, match=r"pip install 'netmodes\[pdf\]'"):
        pdf(view())


def use_child(monkeypatch: pytest.MonkeyPatch, folder: Path, source: str) -> None:
    """Replaces the program of the typesetter's process."""
    child = folder / "child.py"
    child.write_text(source)
    monkeypatch.setattr(module, "_CHILD", child)


def test_a_typesetter_that_hangs_or_fails_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as short:
        short.setattr(module, "SECONDS", 0.001)
        short.setattr(module, "CHECK_EVERY_S", 0.001)
        with pytest.raises(NoPdfError, match="took longer"):
            pdf(view())
    use_child(monkeypatch, tmp_path, "raise SystemExit('Traceback\\nunknown font')")
    with pytest.raises(NoPdfError, match="could not be made: unknown font"):
        pdf(view())


def test_the_typesetter_gets_no_environment_and_no_data_as_arguments(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = "import json, os, sys\nprint('%PDF-' + json.dumps([sys.argv, dict(os.environ), json.load(sys.stdin)]))"
    use_child(monkeypatch, tmp_path, source)
    arguments, environment, request = json.loads(pdf(view()).removeprefix(b"%PDF-"))
    assert len(arguments) == 1
    assert set(environment) <= {"LC_CTYPE"}  # Python sets it itself (PEP 538)
    assert request["data"]["title"] == "Host or bridge"


class GoneError(Exception):
    """What the check of a cancelled export raises."""


def test_a_cancelled_export_ends_the_typesetter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    source = f"import os, signal\nopen({str(pid)!r}, 'w').write(str(os.getpid()) + '\\n')\nsignal.pause()"
    use_child(monkeypatch, tmp_path, source)

    def check() -> None:
        if pid.exists() and pid.read_text().endswith("\n"):
            raise GoneError

    with pytest.raises(GoneError):
        pdf(view(), check=check)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_typesetter_that_starts_slowly_gets_the_whole_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow = "import select, sys\nselect.select([], [], [], 0.5)\n"
    slow += "sys.stdout.write(f'%PDF-{len(sys.stdin.buffer.read())}')"
    use_child(monkeypatch, tmp_path, slow)
    monkeypatch.setattr(module, "SECONDS", 10)
    request = b"x" * 1_000_000
    assert module._typeset(request, lambda: None)[:2] == (0, b"%PDF-1000000")
