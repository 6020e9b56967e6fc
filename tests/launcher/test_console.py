from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.launcher.console import quote, say


@given(st.lists(st.text(), min_size=1))
def test_a_shell_reads_quoted_words_as_they_were(words: list[str]) -> None:
    assert shlex.split(quote(*words)) == words


def test_plain_words_stay_readable() -> None:
    assert quote("NETMODES_DATA_DIR=/a/b", "--port", "8001", "two words", "") == (
        "NETMODES_DATA_DIR=/a/b --port 8001 'two words' ''"
    )


def test_messages_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("Installing")
    assert capsys.readouterr() == ("", "Installing\n")
