"""Formats all claims as Markdown: the list in docs/claims.md."""

from collections.abc import Sequence

from dashboard.core.claims.misconception import Misconception
from dashboard.core.claims.model import Claim, by_topic
from dashboard.core.claims.run import NOT_HARMLESS

BEGIN, END = "<!-- the list: made by ./netmodes claims --list --markdown -->", "<!-- end of the list -->"


def catalogue_markdown(claims: Sequence[Claim], misconceptions: Sequence[Misconception]) -> str:
    """Returns a table of claims for each topic and a table of the misconceptions, between the lines ``BEGIN`` and
    ``END``. ◦ marks harmless claims."""
    lines = [BEGIN, ""]
    for topic, group in by_topic(claims).items():
        lines += [f"### {topic}", "", "| claim | says | exactly |", "|---|---|---|"]
        for claim in group:
            mark = "" if claim.needs & NOT_HARMLESS else " ◦"
            says = "<br>".join((claim.statement, *(expectation.sentence for expectation in claim.otherwise)))
            lines.append(f"| `{claim.id}`{mark} | {_escape(says)} | {_escape(claim.exact)} |")
        lines.append("")
    lines += ["### Misconceptions", "", "| name | what people expect | claim |", "|---|---|---|"]
    lines += [f"| `{each.id}` | {_escape(each.expected)} | `{each.claim.id}` |" for each in misconceptions]
    return "\n".join([*lines, "", END])


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")
