"""The commands that can be run in a column."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dashboard.core.comparison.rows import SECTIONS
from dashboard.core.experiments.inspect_commands import COMMANDS, argv_for

anything = st.one_of(st.text(), st.from_regex(r"[-A-Za-z0-9_.;|&$`\n/ ]{0,20}", fullmatch=True))
keys = st.one_of(anything, st.sampled_from(list(COMMANDS)))


def attempt(key: str, name: str) -> tuple[str, ...] | None:
    """The words of the command, or None if it is refused with a reason."""
    try:
        return argv_for(key, name)
    except ValueError as error:
        sentence = str(error)
    assert sentence.endswith(".")
    assert len(sentence) < 300
    return None


@given(keys, anything)
@example("nslookup", "-debug")
@example("nslookup", "localhost\n")
@example("nslookup", "")
@example("nslookup", "a b")
@example("nslookup", "localhost -type=any")
@example("ss-80", "; rm -rf /")
@example("ss -tulpn", "")
def test_only_the_listed_commands_can_run(key: str, name: str) -> None:
    argv = attempt(key, name)
    if argv is None:
        return
    listed = COMMANDS[key]
    assert len(argv) == len(listed.argv)
    for word, expected in zip(argv, listed.argv, strict=True):
        assert word == (name if listed.needs_name and expected == "NAME" else expected)
    if listed.needs_name:
        assert re.fullmatch(r"[A-Za-z0-9_.-]{1,253}", name)
        assert not name.startswith(("-", "."))


@given(st.from_regex(r"-[A-Za-z0-9_.-]*", fullmatch=True))
def test_a_name_that_could_be_an_option_is_refused(name: str) -> None:
    assert attempt("nslookup", name) is None


@pytest.mark.parametrize(
    "name", ["localhost", "web-1", "host.docker.internal", "_dns.resolver.arpa", "192.0.2.1", "x."]
)
def test_the_name_to_look_up_is_the_last_argument(name: str) -> None:
    assert argv_for("nslookup", name) == ("nslookup", name)


@pytest.mark.parametrize(
    "name", ["", " ", "-x", "--help", "a b", "a;b", "$(id)", "a\n", "é", "a/b", "x-", "." * 3, "a" * 254]
)
def test_an_invalid_name_is_refused(name: str) -> None:
    assert attempt("nslookup", name) is None


def test_a_name_is_ignored_by_commands_that_take_none() -> None:
    assert argv_for("ip-addr", "-json") == ("ip", "addr", "show")


def test_an_unknown_command_is_refused_with_a_list_of_commands() -> None:
    with pytest.raises(ValueError, match="choose one of ip-addr, ip-route"):
        argv_for("sh")


@pytest.mark.parametrize("key", list(COMMANDS))
def test_a_command_reads_as_it_is_typed_and_belongs_to_a_section(key: str) -> None:
    command: Any = COMMANDS[key]
    assert command.key == key
    assert tuple(shlex.split(command.text)) == command.argv
    assert command.section in {section.key for section in SECTIONS}
    assert command.needs_name is ("NAME" in command.argv)
    assert command.argv[0] in {"ip", "ss", "netstat", "cat", "nslookup"}
