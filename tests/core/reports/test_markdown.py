"""Markdown for a pull request: what counts is there, and no text of a report becomes markup."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from dashboard.core.reports.markdown import escape, markdown
from dashboard.core.reports.model import ClaimResult, ClaimVerdict
from dashboard.core.reports.view import Fact, ReportView, build_view
from tests.core.builders import make_scene
from tests.core.report_builders import make_content, make_experiment, make_run

DIGEST = "ab" * 32
NASTY = (
    "<script>alert(1)</script>", "| a | b |", "`code`", "``` fence", "[x](javascript:alert(1))", "![x](http://192.0.2.1)",
    "# head", "- item", "1. one", "> quote", "***", "---", "=== ", "a\nb\n\n# c", "&lt;b&gt;", "@everyone #12 $x$",
    "http://192.0.2.1/ www.example.test", "~~gone~~", "\\| \\`", "a" * 5000, "\x1b[31mred\0", "$(id)", "+ plus",
    "<!-- x", "\u202eevil",
)  # fmt: skip


def tokens(text: str) -> list[Token]:
    found = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    return [*found, *(child for one in found for child in one.children or ())]


def test_it_has_the_summary_the_rows_the_times_the_environment_and_the_hash() -> None:
    view = plain_view()
    text = markdown(view, DIGEST)
    heads = [token.content for token in tokens(text) if token.type == "inline" and not token.content.startswith("|")]
    assert heads[0] == escape(view.title)
    assert {"What differs", "Environment"} <= set(heads)
    assert any("tcp" in head and "rr" in head for head in heads)
    assert f"`sha256:{DIGEST}`" in text
    assert "AMD EPYC" in text
    assert "\\[\\+" in text, "an interval stands with each difference"
    assert text.count("<") == 0
    types = {token.type for token in tokens(text)}
    assert "table_open" in types
    assert not types & {"html_block", "html_inline", "link_open", "image"}


@pytest.mark.parametrize("nasty", NASTY)
def test_a_text_of_a_report_is_never_markup(nasty: str) -> None:
    assert shape_of(markdown(hostile_view(nasty), DIGEST)) == shape_of(markdown(hostile_view("plain"), DIGEST))


def shape_of(text: str) -> list[str]:
    return [token.type for token in tokens(text) if token.type not in {"text", "inline", "text_special"}]


def hostile_view(nasty: str) -> ReportView:
    view = plain_view()
    assert view.snapshot is not None
    columns = tuple(replace(one, title=nasty) for one in view.snapshot.columns)
    rows = tuple(replace(row, label=nasty, cells=dict.fromkeys(row.cells, nasty)) for row in view.snapshot.rows[:40])
    run = view.runs[0]
    series = tuple(replace(one, column=nasty, path=nasty) for one in run.measurement.series)
    return replace(
        view,
        title=nasty,
        author=nasty,
        netmodes_version=nasty,
        notes=nasty,
        summary=replace(
            view.summary,
            compared=nasty,
            warnings=(nasty,),
            differences=tuple(replace(one, sentence=nasty) for one in view.summary.differences),
            verdicts=tuple(replace(one, sentence=nasty) for one in view.summary.verdicts),
        ),
        snapshot=replace(view.snapshot, columns=columns, rows=rows),
        runs=(replace(run, title=nasty, measurement=replace(run.measurement, series=series)),),
        claims=(ClaimResult(nasty, nasty, nasty, ClaimVerdict.DIFFERS, (nasty,), nasty),),
        environment=tuple(Fact(nasty, nasty) for _fact in view.environment),
    )


@cache
def plain_view() -> ReportView:
    return build_view(make_content(measurements=(make_run(("host", "bridge"), count=10),)))


def test_a_bare_address_becomes_no_link_and_nobody_is_called() -> None:
    said = escape("see https://192.0.2.1 and @octocat")
    assert "https:" not in said
    assert "@" not in said


def test_many_rows_are_cut_with_a_count() -> None:
    columns, states = make_scene(("host", "bridge", "user-bridge", "none", "macvlan"))
    experiment = make_experiment(columns=columns, states=states)
    text = markdown(build_view(make_content(experiment=experiment, measurements=())))
    assert "more rows differ" in text
    assert "Content hash" not in text
