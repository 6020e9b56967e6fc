"""Which netstat and ss commands are run outside of a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.terminal.socket_tools import refuse_command


@pytest.mark.parametrize(
    "line",
    [
        ["netstat", "-tulpn"],
        ["netstat", "-plnt", "-4"],
        ["netstat", "--tcp", "--listening", "--numeric", "--programs"],
        ["ss", "-Hltnp", "sport = :80"],
        ["ss", "-tlnp", "sport", "=", ":80"],
        ["ss", "-tap", "state", "established", "(", "dport = :http or sport = :http", ")"],
        ["ss", "--tcp", "--processes", "dst", "[2001:db8::2]:80"],
    ],
)
def test_commands_of_the_workshops_are_allowed(line: list[str]) -> None:
    assert refuse_command(line) is None


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["sh", "-c", "id"],
        ["netstat", "-c"],
        ["netstat", "-tulpnc"],
        ["netstat", "80"],
        ["netstat", "-"],
        ["netstat", "--tcp=x"],
        ["ss", "-K", "dst", "1.2.3.4"],
        ["ss", "-tD/etc/x"],
        ["ss", "--diag=/etc/x"],
        ["ss", "-F", "/etc/shadow"],
        ["ss", "-N", "other"],
        ["ss", "-tnp;id"],
        ["ss", "-tp", "$(id)"],
        ["ss", "-tp", "a\nb"],
        ["ss", *["-t"] * 30],
    ],
)
def test_commands_and_options_that_are_not_permitted_are_refused(line: list[str]) -> None:
    assert (refuse_command(line) or "").endswith(".")


@given(st.lists(st.text(max_size=30), max_size=6))
def test_no_option_that_reads_or_writes_a_file_is_allowed(arguments: list[str]) -> None:
    if not refuse_command(["ss", *arguments]):
        letters = {one for word in arguments if word.startswith("-") and word[1:2] != "-" for one in word}
        assert not letters & set("DFKNAfzbE")
