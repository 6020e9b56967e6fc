"""From the bytes of a file to a report's content: bounded before work is done, each refusal one sentence.

Source of the limits: docs/report-format.md. A file comes from anybody; nothing in it is believed before it was counted.
"""

from __future__ import annotations

import re
from array import array
from itertools import accumulate
from typing import Any

import msgspec

from dashboard.core.reports.model import SCHEMA, ReportContent, canonical, decode_content, digest_of

MOST_BYTES = 32 << 20
MOST_DEPTH = 64
MOST_VALUES = 3_000_000
MOST_TEXT = 100_000
MOST_HISTOGRAM_TEXT = 1_000_000
MOST_KEY = 1_000
MOST_INTEGER = 2**63

#: A string, closed or not, without giving back: linear in what it is given.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[]{}", b"\x01\xff\x01\xff")
_FRAME = {"schema", "hash", "content"}


class NotAReportError(ValueError):
    """This is no report that can be taken; the text is a sentence for a person."""


def open_bytes(data: bytes) -> tuple[ReportContent, bytes]:
    """The content of a file and its canonical bytes, with fields that this version does not know; NotAReportError."""
    _check_outside(data)
    said = _parse(data)
    if not isinstance(said, dict) or "schema" not in said:
        raise NotAReportError("This is not a report: export one as JSON from Netmodes and import that file.")
    schema = said["schema"]
    if schema != SCHEMA:
        text = schema[:60] if isinstance(schema, str) else type(schema).__name__
        raise NotAReportError(f"This says that it is “{text}”, not {SCHEMA}: export it as JSON from Netmodes again.")
    if unknown := said.keys() - _FRAME:
        names = ", ".join(sorted(unknown))[:80]
        raise NotAReportError(f"Beside schema, hash and content there is “{names}”, which no hash covers: remove it.")
    if not isinstance(said.get("content"), dict) or not isinstance(said.get("hash"), str):
        raise NotAReportError("The file has no content or no hash: export the report as JSON again.")
    _check_values(said["content"])
    body = _canonical(said["content"])
    if said["hash"] != f"sha256:{digest_of(body)}":
        raise NotAReportError(
            "The hash does not fit the content: the file was changed after it was saved. Ask for the original."
        )
    return _typed(body), body


def _check_outside(data: bytes) -> None:
    if len(data) > MOST_BYTES:
        raise NotAReportError(
            f"The file has {len(data):,} bytes; at most {MOST_BYTES:,} are taken: save a smaller report."
        )
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise NotAReportError(f"Byte {error.start:,} is not UTF-8: import the JSON file as it was exported.") from None
    too_many = f"The file holds more than {MOST_VALUES:,} values: save a smaller report."
    if data.count(b'"') > 4 * MOST_VALUES:  # two for a name, two for a text
        raise NotAReportError(too_many)
    bare = _STRING.sub(b"", data)
    brackets = bare.translate(None, _NOT_BRACKETS)
    if bare.count(b",") + len(brackets) > MOST_VALUES:
        raise NotAReportError(too_many)
    if max(accumulate(array("b", brackets.translate(_STEPS))), default=0) > MOST_DEPTH:
        raise NotAReportError(
            f"The file is nested deeper than {MOST_DEPTH} levels, which no report is: export it again."
        )


def _parse(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise NotAReportError(f"The file is not JSON ({error}): import the file that was exported.") from None


def _check_values(content: Any) -> None:
    """Every text and number within bounds; without recursion."""
    stack = [content]
    while stack:
        one = stack.pop()
        if isinstance(one, str):
            if len(one) > MOST_TEXT:
                raise NotAReportError(
                    f"A text has {len(one):,} characters; at most {MOST_TEXT:,} are taken: shorten it."
                )
        elif isinstance(one, list):
            stack.extend(one)
        elif isinstance(one, dict):
            _check_keys(one)
            stack.extend(value for key, value in one.items() if key != "histogram" or not isinstance(value, str))
        elif isinstance(one, int) and not -MOST_INTEGER <= one < MOST_INTEGER:
            raise NotAReportError("A number needs more than 64 bits, which none in a report does: export it again.")


def _check_keys(one: dict[str, Any]) -> None:
    if any(len(key) > MOST_KEY for key in one):
        raise NotAReportError(
            f"A name has more than {MOST_KEY:,} characters, which none in a report has: export it again."
        )
    histogram = one.get("histogram")
    if isinstance(histogram, str) and len(histogram) > MOST_HISTOGRAM_TEXT:
        raise NotAReportError(f"A histogram has more than {MOST_HISTOGRAM_TEXT:,} characters: export the report again.")


def _canonical(content: Any) -> bytes:
    try:
        return canonical(content)
    except (msgspec.MsgspecError, OverflowError, RecursionError, UnicodeError) as error:
        raise NotAReportError(f"The content cannot be written as JSON again ({error}): export it again.") from None


def _typed(body: bytes) -> ReportContent:
    try:
        return decode_content(body)
    except (msgspec.DecodeError, RecursionError, OverflowError) as error:
        said = str(error).replace("`", "")[:300]
        raise NotAReportError(f"The content is not that of a {SCHEMA} ({said}): export it again.") from None
