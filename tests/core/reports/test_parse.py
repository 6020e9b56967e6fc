"""dashboard.core.reports.parse: the size of a file is checked before it is parsed, and every error is one sentence."""

from __future__ import annotations

import json
import random
import time
from bisect import bisect_left
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.reports import parse as report_parse
from dashboard.core.reports.model import canonical, digest_of, frame
from dashboard.core.reports.parse import MAX_BYTES, MAX_DEPTH, InvalidReportError, parse_report
from dashboard.core.reports.validate import validate_file
from dashboard.store.reports.reading import derive
from tests.support.reports import make_content, make_file, make_run

FILE = make_file(make_content(4, [make_run(rounds=2)]))
CONTENT = json.loads(FILE)["content"]


def framed(content: object) -> bytes:
    return frame(canonical(content))


def with_field(name: str, value: object) -> bytes:
    return framed({**CONTENT, name: value})


def nested(depth: int) -> bytes:
    return with_field("later", json.loads("[" * depth + "]" * depth))


def test_an_exported_file_is_parsed_to_the_same_content_and_bytes() -> None:
    content, body = parse_report(FILE)
    assert content == make_content(4, [make_run(rounds=2)])
    assert frame(body) == FILE


@given(
    st.dictionaries(
        st.text(max_size=9).filter(lambda key: key not in CONTENT),
        st.integers(-(2**63), 2**63 - 1) | st.text(),
        max_size=3,
    )
)
def test_fields_of_another_version_are_kept_and_hashed(more: dict[str, int | str]) -> None:
    file = framed({**CONTENT, **more})
    assert frame(parse_report(file)[1]) == file


def test_a_reformatted_file_is_the_same_report() -> None:
    laid_out = json.dumps(json.loads(FILE), indent=2).encode()
    assert parse_report(laid_out) == parse_report(FILE)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON .* Choose “JSON” under Export, and import that file"),
        (b"null", "not a report"),
        (b"[]", "not a report"),
        (b'{"schema":"measurement/1"}', "“measurement/1”, not report/1"),
        (b'{"schema":["report/1"]}', "“list”, not report/1"),
        (b'{"schema":"report/1"}', "no content or no hash"),
        (b'{"schema":"report/1","content":[],"hash":"sha256:0"}', "no content or no hash"),
        (b'{"schema":"report/1","content":{},"hash":7}', "no content or no hash"),
        (b'{"schema":"report/1","content":{},"hash":"sha256:0"}', "hash does not match"),
        (FILE.replace(b"Ada", b"Eve"), "hash does not match"),
        (FILE[:-1] + b',"more":1}', "no hash covers: “more”"),
        (framed({}), "missing required field title"),
        (with_field("title", 7), "Expected str, got int"),
        (with_field("saved_at", "now"), "Expected float"),
        (with_field("origin", "elsewhere"), "Invalid enum value"),
        (with_field("measurements", {}), "Expected array"),
        (with_field("notes", "x" * 100_001), "100,001 characters"),
        (with_field("x" * 1001, 1), "name of a field has more than 1,000"),
        (with_field("later", 2**63), "64 bits"),
        (with_field("later", -(2**63) - 1), "64 bits"),
        (with_field("later", {"histogram": "x" * 1_000_001}), "histogram has more"),
        (FILE[:-2], "not JSON"),
        (FILE + b"x", "not JSON"),
        (FILE.replace(b"Ada", b"A\xff"), "not UTF-8"),
        (FILE.replace(b'"Ada"', b"1e999"), "not JSON"),
        (FILE.replace(b'"Ada"', b"NaN"), "not JSON"),
        (FILE.replace(b'"Ada"', b'"\\ud800"'), "not JSON"),
        (b"\xff\xfe" + FILE.decode().encode("utf-16-le"), "not UTF-8"),
        (b"\xef\xbb\xbf" + FILE, "not JSON"),
        (nested(MAX_DEPTH), "nested levels"),
        (b"[" * 1_000_000, "nested levels"),
        (b'{"a":' * 1_000_000, "nested levels"),
        (b"PK\x03\x04" + b"\0" * 30, "not JSON"),
    ],
)
def test_an_invalid_file_is_refused_in_one_sentence(data: bytes, words: str) -> None:
    with pytest.raises(InvalidReportError, match=words) as refused:
        parse_report(data)
    message = str(refused.value)
    assert len(message) < 600
    assert message.endswith(".")
    assert "\n" not in message


def test_nesting_up_to_the_limit_is_accepted() -> None:
    assert parse_report(nested(MAX_DEPTH - 2))


def test_brackets_in_texts_are_not_nesting() -> None:
    assert parse_report(with_field("notes", '[{"' * 10_000 + "\\"))


TOO_MUCH: dict[str, Callable[[], bytes]] = {
    "a text of more than the limit": lambda: b'"' + b"x" * MAX_BYTES + b'"',
    "many empty lists": lambda: b"[" + b"[]," * (MAX_BYTES // 3 - 2) + b"[]]",
    "many numbers": lambda: b"[" + b"1," * (MAX_BYTES // 2 - 2) + b"1]",
    "quotes that are never closed": lambda: b'"' + b'\\"' * (MAX_BYTES // 2 - 1),
    "quotes and backslashes": lambda: b'"\\' * (MAX_BYTES // 2),
    "lone quotes": lambda: b'"' * MAX_BYTES,
    "one number": lambda: b"1" * MAX_BYTES,
    "brackets that close": lambda: b"]" * MAX_BYTES,
    "empty texts": lambda: b'["' + b'","' * (MAX_BYTES // 3 - 2) + b'"]',
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_an_oversized_file_is_refused_within_seconds(name: str) -> None:
    data = TOO_MUCH[name]()
    started = time.process_time()
    with pytest.raises(InvalidReportError):
        parse_report(data)
    assert time.process_time() - started < 20


def test_a_file_up_to_the_size_limit_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_parse, "MAX_BYTES", len(FILE))
    assert parse_report(FILE)
    with pytest.raises(InvalidReportError, match="the limit is"):
        parse_report(FILE + b" ")


def mutated(source: random.Random) -> bytes:
    """A valid file with a few changed bytes, pieces, or values; changed values get a matching hash."""
    data = bytearray(FILE)
    kind = source.randrange(4)
    if kind == 0:
        for _ in range(source.randint(1, 8)):
            data[source.randrange(len(data))] = source.randrange(256)
        return bytes(data)
    if kind == 1:
        start = source.randrange(len(data))
        end = min(len(data), start + source.randint(1, 400))
        data[start:end] = source.choice([b"", bytes(data[start:end]) * 2, b"\0" * 9, b'{"a":[', b'"'])
        return bytes(data)
    content = json.loads(FILE)["content"]
    for _ in range(1 if kind == 2 else 4):
        _spoil(content, source)
    return framed(content)


ODD: list[object] = [
    None,
    True,
    -1,
    0,
    2**62,
    -(2**62),
    1e300,
    1e-300,
    "",
    "x" * 3000,
    "\0",
    "<script>alert(1)</script>",
]
ODD += [[], {}, [[]], {"a": 1}, "127.0.0.999", "::1%eth0", "if99999999999999999999", "🙂", "AAAA", ["a", 1]]


def _spoil(content: object, source: random.Random) -> None:
    """Replaces, removes or duplicates a random value."""
    at: object = content
    while True:
        keys: list[object] = list(at) if isinstance(at, dict) else list(range(len(at))) if isinstance(at, list) else []
        if not keys:
            return
        key = source.choice(keys)
        below = at[key]  # type: ignore[index]
        if isinstance(below, (dict, list)) and below and source.random() < 0.85:
            at = below
            continue
        action = source.randrange(6)
        if action == 0:
            del at[key]  # type: ignore[attr-defined]
        elif action == 1 and isinstance(at, list):
            at.append(below)
        else:
            at[key] = source.choice(ODD)  # type: ignore[index]
        return


def verdict_on(data: bytes, *, read: bool) -> str:
    """Why a file is refused, empty if it is accepted; every other error fails the test. With ``read``, the view of an
    accepted file is computed, too."""
    try:
        content, body = validate_file(data)
    except InvalidReportError as error:
        return str(error)
    assert digest_of(body) in data.decode()
    assert not read or derive(content).view.title == content.title
    return ""


@pytest.mark.parametrize("count", [300, pytest.param(2000, marks=pytest.mark.slow)])
def test_each_mutated_file_is_refused_in_a_sentence_or_is_a_valid_report(count: int) -> None:
    source = random.Random(4)
    accepted = 0
    started = time.process_time()
    for number in range(count):
        reason = verdict_on(mutated(source), read=number % 4 == 0)
        assert len(reason) < 600
        assert "\n" not in reason
        accepted += not reason
    assert 0.01 * count < accepted < 0.75 * count
    assert time.process_time() - started < 240


def test_values_at_their_limits_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_report(with_field("notes", "x" * 100_000))
    assert parse_report(with_field("x" * 1000, 1))
    assert parse_report(with_field("later", [2**63 - 1, -(2**63)]))
    assert parse_report(with_field("later", {"histogram": "x" * 1_000_000}))
    with pytest.raises(InvalidReportError):
        parse_report(with_field("later", {"histogram": ["x" * 100_001]}))
    values = [1] * 10
    file = with_field("later", values)

    def is_accepted(limit: int) -> bool:
        monkeypatch.setattr(report_parse, "MAX_VALUES", limit)
        try:
            parse_report(file)
        except InvalidReportError:
            return False
        return True

    limit = bisect_left(range(len(file)), True, key=is_accepted)
    assert is_accepted(limit)
    monkeypatch.setattr(report_parse, "MAX_VALUES", limit - 1)
    with pytest.raises(InvalidReportError, match="more than"):
        parse_report(file)


def test_quotes_are_counted_before_texts_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_parse, "MAX_VALUES", 2)
    with pytest.raises(InvalidReportError, match="not a report"):
        parse_report(b'"' + b'\\"' * 6 + b'"')
    with pytest.raises(InvalidReportError, match="more than"):
        parse_report(b'"' + b'\\"' * 7 + b'"')
