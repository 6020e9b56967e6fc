"""What comes from elsewhere is counted before it is believed; every refusal is one sentence."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.reports import parse as report_parse
from dashboard.core.reports.model import canonical, digest_of, frame
from dashboard.core.reports.parse import MOST_BYTES, MOST_DEPTH, NotAReportError, open_bytes
from dashboard.core.reports.validate import check_file
from dashboard.store.reports.reading import derive
from tests.reports import make_content, make_file, make_run

FILE = make_file(make_content(4, [make_run(rounds=2)]))
CONTENT = json.loads(FILE)["content"]


def framed(content: object) -> bytes:
    return frame(canonical(content))


def with_field(name: str, value: object) -> bytes:
    return framed({**CONTENT, name: value})


def nested(depth: int) -> bytes:
    return with_field("later", json.loads("[" * depth + "]" * depth))


def test_what_was_exported_is_opened_and_its_canonical_bytes_come_back() -> None:
    content, body = open_bytes(FILE)
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
    assert frame(open_bytes(file)[1]) == file


def test_a_file_that_was_laid_out_anew_is_the_same_report() -> None:
    laid_out = json.dumps(json.loads(FILE), indent=2).encode()
    assert open_bytes(laid_out) == open_bytes(FILE)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"null", "not a report"),
        (b"[]", "not a report"),
        (b'{"schema":"measurement/1"}', "“measurement/1”, not report/1"),
        (b'{"schema":["report/1"]}', "“list”, not report/1"),
        (b'{"schema":"report/1"}', "no content or no hash"),
        (b'{"schema":"report/1","content":[],"hash":"sha256:0"}', "no content or no hash"),
        (b'{"schema":"report/1","content":{},"hash":7}', "no content or no hash"),
        (b'{"schema":"report/1","content":{},"hash":"sha256:0"}', "hash does not fit"),
        (FILE.replace(b"Ada", b"Eve"), "hash does not fit"),
        (FILE[:-1] + b',"more":1}', "“more”, which no hash covers"),
        (framed({}), "missing required field title"),
        (with_field("title", 7), "Expected str, got int"),
        (with_field("saved_at", "now"), "Expected float"),
        (with_field("origin", "elsewhere"), "Invalid enum value"),
        (with_field("measurements", {}), "Expected array"),
        (with_field("notes", "x" * 100_001), "100,001 characters"),
        (with_field("x" * 1001, 1), "name has more than 1,000"),
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
        (nested(MOST_DEPTH), "nested deeper"),
        (b"[" * 1_000_000, "nested deeper"),
        (b'{"a":' * 1_000_000, "nested deeper"),
        (b"PK\x03\x04" + b"\0" * 30, "not JSON"),
    ],
)
def test_what_is_no_report_is_refused_in_one_sentence(data: bytes, words: str) -> None:
    with pytest.raises(NotAReportError, match=words) as refused:
        open_bytes(data)
    said = str(refused.value)
    assert len(said) < 600
    assert said.endswith(".")
    assert "\n" not in said


def test_the_deepest_nesting_that_is_taken_is_taken() -> None:
    assert open_bytes(nested(MOST_DEPTH - 2))


def test_brackets_inside_of_texts_are_not_nesting() -> None:
    assert open_bytes(with_field("notes", '[{"' * 10_000 + "\\"))


TOO_MUCH: dict[str, Callable[[], bytes]] = {
    "a text of more than the limit": lambda: b'"' + b"x" * MOST_BYTES + b'"',
    "many empty lists": lambda: b"[" + b"[]," * (MOST_BYTES // 3 - 2) + b"[]]",
    "many numbers": lambda: b"[" + b"1," * (MOST_BYTES // 2 - 2) + b"1]",
    "quotes that are never closed": lambda: b'"' + b'\\"' * (MOST_BYTES // 2 - 1),
    "quotes and backslashes": lambda: b'"\\' * (MOST_BYTES // 2),
    "lone quotes": lambda: b'"' * MOST_BYTES,
    "one number": lambda: b"1" * MOST_BYTES,
    "brackets that close": lambda: b"]" * MOST_BYTES,
    "empty texts": lambda: b'["' + b'","' * (MOST_BYTES // 3 - 2) + b'"]',
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_is_large_on_purpose_is_refused_within_seconds(name: str) -> None:
    data = TOO_MUCH[name]()
    begun = time.process_time()
    with pytest.raises(NotAReportError):
        open_bytes(data)
    assert time.process_time() - begun < 20


def test_the_largest_file_that_is_taken_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_parse, "MOST_BYTES", len(FILE))
    assert open_bytes(FILE)
    with pytest.raises(NotAReportError, match="at most"):
        open_bytes(FILE + b" ")


def mutated(source: random.Random) -> bytes:
    """A valid file with a few changes: bytes, pieces, or values of another type (then with a hash that fits)."""
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
    """Walks down to a random place and puts something odd there, drops it or doubles it."""
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
    """Why a file is refused, empty where it is taken; anything but a refusal fails the test. With ``read`` what was
    taken is made ready for reading, too."""
    try:
        content, body = check_file(data)
    except NotAReportError as error:
        return str(error)
    assert digest_of(body) in data.decode()
    assert not read or derive(content).view.title == content.title
    return ""


def test_of_two_thousand_mutations_each_is_refused_in_a_sentence_or_is_a_report() -> None:
    source = random.Random(4)
    taken = 0
    begun = time.process_time()
    for number in range(2000):
        said = verdict_on(mutated(source), read=number % 4 == 0)
        assert len(said) < 600
        assert "\n" not in said
        taken += not said
    assert 20 < taken < 1500
    assert time.process_time() - begun < 240
