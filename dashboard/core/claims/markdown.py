"""The table of all claims as Markdown: what stands in docs/claims.md."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.core.claims.misconception import Misconception
from dashboard.core.claims.model import Claim, by_statement
from dashboard.core.claims.run import NOT_HARMLESS

BEGIN, END = "<!-- the list: made by ./netmodes claims --list --markdown -->", "<!-- end of the list -->"


def catalogue(claims: Sequence[Claim], misconceptions: Sequence[Misconception]) -> str:
    """Claims by statement, then the misconceptions; the marks around it included."""
    lines = [BEGIN, ""]
    for topic, found in by_statement(claims).items():
        lines += [f"### {topic}", "", "| claim | says | exactly |", "|---|---|---|"]
        for one in found:
            where = "" if one.needs & NOT_HARMLESS else " ◦"
            lines.append(f"| `{one.id}`{where} | {_cell(one.statement)} | {_cell(one.exact)} |")
        lines.append("")
    lines += ["### Misconceptions", "", "| name | what people expect | claim |", "|---|---|---|"]
    lines += [f"| `{one.id}` | {_cell(one.expected)} | `{one.claim.id}` |" for one in misconceptions]
    return "\n".join([*lines, "", END])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")
