"""docs/claims.md has the list that the code makes."""

from __future__ import annotations

from pathlib import Path

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.markdown import BEGIN, END, catalogue
from dashboard.core.claims.misconceptions import all_misconceptions

PAGE = Path(__file__).resolve().parents[3] / "docs" / "claims.md"


def test_the_list_of_the_documentation_is_that_of_the_code() -> None:
    text = PAGE.read_text()
    shown = text[text.index(BEGIN) : text.index(END) + len(END)]
    made = catalogue(all_claims(), all_misconceptions())
    assert shown == made, "make it anew: ./netmodes claims --list --markdown"
    assert all(made.count(f"| `{claim.id}`") for claim in all_claims())


def test_what_would_break_the_table_is_escaped() -> None:
    rows = [line for line in catalogue(all_claims(), ()).splitlines() if line.startswith("| `")]
    assert all(line.replace("\\|", "").count("|") == 4 for line in rows)
