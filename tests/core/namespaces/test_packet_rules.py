"""Rules of the packet filter as values."""

from __future__ import annotations

import pytest

from dashboard.core.namespaces.packet_rules import NameMatch


@pytest.mark.parametrize(
    ("match", "name", "expected"),
    [
        (NameMatch("br0"), "br0", True),
        (NameMatch("br0"), "br01", False),
        (NameMatch("br-+"), "br-1", True),
        (NameMatch("br-*", negated=True), "br-1", False),
        (NameMatch("br0"), "", False),
    ],
)
def test_a_name_of_an_interface_matches_or_not(match: NameMatch, name: str, *, expected: bool) -> None:
    assert match.matches(name) is expected
