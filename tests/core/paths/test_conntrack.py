"""Connection tracking entries of both sources."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.paths.conntrack import read_entries

#: /proc/net/nf_conntrack of kernel 6.18 (DNAT; IPv6), conntrack -L with accounting (DNAT and MASQUERADE).
PROC = (
    "ipv4     2 tcp      6 431999 ESTABLISHED src=192.0.2.2 dst=192.0.2.2 sport=41550 dport=8080"
    " src=172.17.0.2 dst=192.0.2.2 sport=80 dport=41550 [ASSURED] mark=0 zone=0 use=2"
)
PROC6 = (
    "ipv6     10 tcp      6 86400 ESTABLISHED src=0000:0000:0000:0000:0000:0000:0000:0001"
    " dst=0000:0000:0000:0000:0000:0000:0000:0001 sport=5 dport=80 src=fd00:0000:0000:0000:0000:0000:0000:0002"
    " dst=0000:0000:0000:0000:0000:0000:0000:0001 sport=80 dport=5 [ASSURED] mark=0 zone=0 use=2"
)
TOOL = (
    "tcp      6 431998 ESTABLISHED src=127.0.0.1 dst=127.0.0.1 sport=50 dport=8080 packets=3 bytes=180"
    " src=172.17.0.2 dst=172.17.0.1 sport=80 dport=50 packets=2 bytes=120 [ASSURED] mark=0 use=1"
)


@pytest.mark.parametrize(
    ("line", "source", "translated_to", "translated_from"),
    [
        (PROC, "192.0.2.2:41550", "172.17.0.2:80", ""),
        (PROC6, "[::1]:5", "[fd00::2]:80", ""),
        (TOOL, "127.0.0.1:50", "172.17.0.2:80", "172.17.0.1:50"),
        (
            PROC.replace("src=172.17.0.2", "src=192.0.2.2").replace("sport=80 ", "sport=8080 "),
            "192.0.2.2:41550",
            "",
            "",
        ),
    ],
)
def test_an_entry_has_the_translated_addresses(
    line: str, source: str, translated_to: str, translated_from: str
) -> None:
    (entry,) = read_entries([line])
    assert (entry.source, entry.translated_to, entry.translated_from) == (source, translated_to, translated_from)
    assert (entry.state, entry.text) == ("ESTABLISHED", " ".join(line.split()))


@pytest.mark.parametrize(
    "line", ["", "conntrack v1.4.8 (conntrack-tools): 3 flow entries", PROC.replace("tcp      6", "udp      17")]
)
def test_lines_that_are_no_entries_are_ignored(line: str) -> None:
    assert read_entries([line]) == ()


@given(
    st.lists(st.one_of(st.text(max_size=80), st.sampled_from(PROC.split()).map(lambda word: PROC.replace(word, "x"))))
)
def test_any_lines_are_read_or_ignored(lines: list[str]) -> None:
    assert len(read_entries(lines)) <= len(lines)
