"""Frames of a terminal's websocket."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.terminal.frames import MAX_CONTROL, FrameError, Resize, Seen, Start, Typed, output, read_frame
from dashboard.core.terminal.limits import TYPED_BYTES


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('{"type":"resize","cols":80,"rows":24}', Resize(80, 24)),
        ('{"type":"seen","at":12}', Seen(12)),
        ('{"type":"start"}', Start()),
    ],
)
def test_control_messages_of_a_page_are_parsed(text: str, meant: object) -> None:
    assert read_frame(text, None) == meant


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{}",
        "[]",
        "nothing",
        '{"type":"resize","cols":0,"rows":24}',
        '{"type":"resize","cols":80}',
        '{"type":"resize","cols":"80","rows":24}',
        '{"type":"resize","cols":true,"rows":24}',
        '{"type":"resize","cols":1e400,"rows":24}',
        '{"type":"seen","at":-1}',
        '{"type":"seen","at":99999999999999999999}',
        '{"type":"start","command":"rm"}',
        '{"type":"write","data":"x"}',
        '{"type":"start"}' + " " * MAX_CONTROL,
        '{"type":"\ud800"}',
    ],
)
def test_other_text_messages_are_refused(text: str | None) -> None:
    with pytest.raises(FrameError, match="message"):
        read_frame(text, None)


@given(st.binary(max_size=2 * TYPED_BYTES))
def test_input_bytes_are_unchanged_up_to_a_limit(data: bytes) -> None:
    if 0 < len(data) <= TYPED_BYTES:
        assert read_frame(None, data) == Typed(data)
    else:
        with pytest.raises(FrameError):
            read_frame(None, data)


@given(
    st.one_of(
        st.text(max_size=300),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["resize", "seen", "start"]),
            lambda inner: (
                st.dictionaries(st.sampled_from(["type", "cols", "rows", "at", "x"]), inner) | st.lists(inner)
            ),
            max_leaves=8,
        ).map(json.dumps),
    )
)
def test_any_text_is_a_message_or_raises_a_sentence(text: str) -> None:
    found: object = ""
    try:
        found = read_frame(text, None)
    except FrameError as error:
        found = str(error)
    assert isinstance(found, Resize | Seen | Start) or str(found).endswith(".")


@given(st.integers(0, 2**64 - 1), st.binary(max_size=100))
def test_an_output_frame_begins_with_its_offset(offset: int, data: bytes) -> None:
    assert output(offset, data) == offset.to_bytes(8) + data
