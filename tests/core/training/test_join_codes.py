"""Join codes: 40 random bits in a form that is easy to read aloud."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.training.join_codes import (
    LENGTH,
    RANDOM_BYTES,
    SYMBOLS,
    code_from,
    digest_of,
    format_code,
    parse_code,
)


def test_there_are_32_symbols_that_are_hard_to_confuse() -> None:
    assert len(set(SYMBOLS)) == 32
    assert not set("ILOU") & set(SYMBOLS)


@given(st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES))
def test_every_bit_counts_and_a_displayed_code_is_parsed_back(random: bytes) -> None:
    code = code_from(random)
    assert len(code) == LENGTH
    assert sum(SYMBOLS.index(one) << 5 * (LENGTH - 1 - place) for place, one in enumerate(code)) == int.from_bytes(
        random
    )
    assert parse_code(format_code(code)) == code
    assert parse_code(f" {format_code(code).lower()} ") == code


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("7k3m 9pqx", "7K3M9PQX"), ("olil-0000", "01110000"), ("7K3M 9PQX\t", "7K3M9PQX")],
)
def test_symbols_that_are_easily_confused_are_accepted(typed: str, meant: str) -> None:
    assert parse_code(typed) == meant


@given(st.text(max_size=60))
def test_text_that_is_no_join_code_is_refused_with_a_sentence(typed: str) -> None:
    with suppress(ValueError):
        code = parse_code(typed)
        assert len(code) == LENGTH
        assert set(code) <= set(SYMBOLS)


@pytest.mark.parametrize("typed", ["", "7K3M", "7K3M-9PQX-1", "7K3M-9PQU", "7K3M-9PQ\u0661", "0" * 1000])
def test_the_sentence_shows_an_example_of_a_code(typed: str) -> None:
    with pytest.raises(ValueError, match="8 letters and digits"):
        parse_code(typed)


def test_a_code_needs_all_its_bytes() -> None:
    with pytest.raises(ValueError, match="5 bytes"):
        code_from(b"four")
    assert digest_of("x") != digest_of("y")
    assert len(digest_of("x")) == 64
