"""docs/claims.md contains the list that the code generates."""

from __future__ import annotations

from pathlib import Path

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.markdown import BEGIN, END, catalogue_markdown
from dashboard.core.claims.misconceptions import all_misconceptions

PAGE = Path(__file__).resolve().parents[3] / "docs" / "claims.md"


def test_the_documentation_has_the_list_that_the_code_generates() -> None:
    text = PAGE.read_text()
    shown = text[text.index(BEGIN) : text.index(END) + len(END)]
    generated = catalogue_markdown(all_claims(), all_misconceptions())
    assert shown == generated, "generate it again: ./netmodes claims --list --markdown"
    assert all(generated.count(f"| `{claim.id}`") for claim in all_claims())


def test_expectations_of_other_engines_are_in_the_list() -> None:
    row = next(line for line in catalogue_markdown(all_claims(), ()).splitlines() if "`mac-ignored`" in line)
    assert "has no effect.<br>" in row
    assert "<br>Before API 1.44: --mac-address is refused in host mode." in row


def test_characters_that_break_a_table_are_escaped() -> None:
    rows = [line for line in catalogue_markdown(all_claims(), ()).splitlines() if line.startswith("| `")]
    assert all(line.replace("\\|", "").count("|") == 4 for line in rows)
