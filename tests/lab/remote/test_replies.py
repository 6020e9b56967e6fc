"""Replies that are split into messages arrive unchanged."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.lab.remote import replies
from dashboard.lab.remote.replies import CallOutput, Kind, decode_reply, encode_reply
from dashboard.lab.remote.rpc import encode_error
from dashboard.lab.supervisor import LabUnavailableError


@pytest.mark.parametrize(
    "length", [0, 1, replies.MAX_CHARACTERS, replies.MAX_CHARACTERS + 1, 2 * replies.MAX_CHARACTERS]
)
def test_a_long_text_is_split_and_only_the_last_message_has_the_kind(length: int) -> None:
    text = "\N{GRINNING FACE}" * length
    decoded = [decode_reply(message) for message in encode_reply(Kind.RESULT, text)]
    assert "".join(part for _kind, part in decoded) == text
    assert [kind for kind, _part in decoded][-1] is Kind.RESULT
    assert {kind for kind, _part in decoded[:-1]} <= {Kind.PART}
    assert len(decoded) == max(1, -(-length // replies.MAX_CHARACTERS))


@given(kind=st.sampled_from(Kind), text=st.text())
def test_any_text_is_unchanged_after_encoding_and_decoding(kind: Kind, text: str) -> None:
    assert [decode_reply(message) for message in encode_reply(kind, text)] == [(kind, text)]


@pytest.mark.parametrize("data", [b"", b"x", b"r\xff"])
def test_an_invalid_reply_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a valid Kind|can't decode"):
        decode_reply(data)


async def test_an_error_is_the_last_piece_of_the_output() -> None:
    async def refused() -> AsyncGenerator[tuple[Kind, str]]:
        yield Kind.OUTPUT, "a piece"
        yield Kind.REFUSED, encode_error(ValueError("It ended."))

    async def interrupted() -> AsyncGenerator[tuple[Kind, str]]:
        yield Kind.OUTPUT, "a piece"
        raise LabUnavailableError("It does not respond.")

    assert [text async for text in CallOutput(refused())] == ["a piece", "\n[It ended.]\n"]
    assert [text async for text in CallOutput(interrupted())] == ["a piece", "\n[the lab is unavailable]\n"]
