"""dashboard.core.reports.markdown: the figures are included, and no text of a report becomes markup."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from dashboard.core.experiments.messages import Relation, Row
from dashboard.core.measurements.measurement import Options
from dashboard.core.reports.facts import Fact
from dashboard.core.reports.markdown import escape, markdown
from dashboard.core.reports.model import ClaimResult, ClaimVerdict
from dashboard.core.reports.view import ReportView, build_view
from tests.core.report_builders import make_content, make_experiment, make_run
from tests.core.scenes import make_scene

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


def test_markdown_has_the_summary_rows_latency_environment_and_hash() -> None:
    view = plain_view()
    text = markdown(view, DIGEST)
    heads = [token.content for token in tokens(text) if token.type == "inline" and not token.content.startswith("|")]
    assert heads[0] == escape(view.title)
    assert {"Differences", "Environment"} <= set(heads)
    assert any("tcp" in head and "rr" in head for head in heads)
    assert f"`sha256:{DIGEST}`" in text
    assert "AMD EPYC" in text
    assert "\\[\\+" in text, "an interval stands with each difference"
    assert text.count("<") == 0
    types = {token.type for token in tokens(text)}
    assert "table_open" in types
    assert not types & {"html_block", "html_inline", "link_open", "image"}


def test_the_measured_headline_is_first_and_deciding_rows_are_before_details() -> None:
    view = plain_view()
    headed = replace(view, summary=replace(view.summary, headlines=("docker-proxy is the cost.",)))
    assert markdown(headed, DIGEST).split("\n\n")[1] == "**docker\\-proxy is the cost.**"
    assert view.snapshot is not None
    details = [Row("interfaces", f"eth{n}", "mac", {}, Relation.DIFFERS, f"detail {n}") for n in range(40)]
    deciding = Row("routes", "default", "", {}, Relation.DIFFERS, "decides")
    snapshot = replace(view.snapshot, rows=(*details, deciding))
    table = markdown(replace(view, snapshot=snapshot), DIGEST).split("### Differences")[1]
    assert table.index("decides") < table.index("detail 0")
    assert "11 more rows differ" in table


@pytest.mark.parametrize("nasty", NASTY)
def test_a_text_of_a_report_never_becomes_markup(nasty: str) -> None:
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
            headlines=(nasty,),
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


def test_a_url_becomes_no_link_and_a_mention_notifies_no_one() -> None:
    escaped = escape("see https://192.0.2.1 and @octocat")
    assert "https:" not in escaped
    assert "@" not in escaped


def test_many_rows_are_cut_with_a_count() -> None:
    columns, states = make_scene(("host", "bridge", "user-bridge", "none", "macvlan"))
    experiment = make_experiment(columns=columns, states=states)
    text = markdown(build_view(make_content(experiment=experiment, measurements=())))
    assert "more rows differ" in text
    assert "Content hash" not in text


@pytest.mark.parametrize(
    ("text", "most", "escaped"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        (" a\n b\t", 9, "a b"),
        ("1. one", 9, "1\\. one"),
        ("1 one", 9, "1 one"),
        ("a|b", 9, "a&#124;b"),
    ],
)
def test_a_text_is_flattened_shortened_and_escaped(text: str, most: int, escaped: str) -> None:
    assert escape(text, most) == escaped


def test_the_last_lines_name_the_author_and_the_version_if_they_are_known() -> None:
    view = plain_view()
    last = markdown(view).splitlines()[-1]
    assert " by Ada with " in last
    unknown = markdown(replace(view, author="", netmodes_version="")).splitlines()[-1]
    assert " by " not in unknown
    assert "unknown" in unknown
    assert markdown(view, "sha256:zzab12").splitlines()[-1].endswith("`sha256:a256ab12`")


def test_parts_without_content_are_left_out() -> None:
    view = plain_view()
    bare = replace(
        view,
        snapshot=None,
        runs=(),
        claims=(),
        environment=(),
        summary=replace(view.summary, warnings=(), headlines=()),
    )
    text = markdown(bare)
    assert "###" not in text
    assert "**" not in text
    full = markdown(view)
    assert "### Environment" in full
    assert full.count("**Warnings**") == 1
    assert "### Claims" not in full
    result = ClaimResult("dns", "Names resolve.", "FACTS", ClaimVerdict.HOLDS, (), "", "with Podman", "Podman 5")
    text = markdown(replace(view, claims=(result,)))
    assert "### Claims" in text
    assert "| dns | Names resolve. This applies with Podman. | confirmed | Podman 5 |  |" in text


def test_rows_that_are_the_same_are_left_out_and_absent_cells_have_their_word() -> None:
    view = plain_view()
    assert view.snapshot is not None
    keys = [one.key for one in view.snapshot.columns]
    cells = {keys[0]: "a", **dict.fromkeys(keys[1:])}
    row = Row("ports", "80", "asked", cells, Relation.ONLY, "", "Because.", absent={keys[1]: "discarded"})
    same = replace(row, relation=Relation.SAME)

    def table(*rows: Row) -> list[str]:
        assert view.snapshot is not None
        text = markdown(replace(view, snapshot=replace(view.snapshot, rows=rows), runs=(), environment=()))
        return [line for line in text.splitlines() if line.startswith("| ")][2:]

    assert table(row, same) == ["| 80 asked | a | \\(discarded\\) | \\(none\\) | \\(none\\) |"]
    assert table(replace(row, label="Port")) == ["| Port | a | \\(discarded\\) | \\(none\\) | \\(none\\) |"]
    assert table(same) == []
    assert len(table(*[row] * 31)) == 30
    assert "more rows differ" not in markdown(replace(view, snapshot=replace(view.snapshot, rows=(row,) * 30)))
    assert "1 more rows differ" in markdown(replace(view, snapshot=replace(view.snapshot, rows=(row,) * 31)))


def test_the_figures_of_a_probe_follow_its_payload_rate_and_load() -> None:
    runs = (make_run(count=12, options=Options(rate=2000.0, under_load=True)), make_run(count=12))
    lines = markdown(build_view(make_content(measurements=runs))).splitlines()
    rate = "2000 requests per second, timed from their scheduled starts, while a stream saturates the same path"
    below = [lines[number + 2] for number, line in enumerate(lines) if line.startswith("### nginx on port 80")]
    assert below == [
        escape(f"{about}, quiet conditions, 12 paired blocks, 95 % intervals", 500)
        for about in (f"tcp-rr, 64 B, {rate}", "tcp-rr, 64 B")
    ]


def test_figures_of_a_latency_table_are_aligned_to_the_right() -> None:
    view = plain_view()
    lines = markdown(view).splitlines()
    (number,) = [number for number, line in enumerate(lines) if line.startswith("| path |")]
    assert lines[number + 1] == "| --- | --- | --- | --- | --- | --- | --- |"
    first = view.runs[0].measurement.series[0]
    assert lines[number + 2].split(" | ")[0] == f"| {escape('127.0.0.1 → host')}"
    assert lines[number + 2].endswith(f" {first.n} |")
