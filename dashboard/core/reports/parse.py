"""Parses the file of a report. The size is checked before the file is parsed, because a file may come from anyone. Each
error is a message for the user.

Source of the limits: docs/report-format.md.
"""

import re
from array import array
from itertools import accumulate
from typing import Any

import msgspec

from dashboard.core.reports.model import SCHEMA, ReportContent, canonical, decode_content, digest_of

MAX_BYTES = 32 << 20
MAX_DEPTH = 64
MAX_VALUES = 3_000_000
MAX_TEXT = 100_000
MAX_HISTOGRAM_TEXT = 1_000_000
MAX_KEY = 1_000
MAX_INTEGER = 2**63

#: A string, closed or not. Possessive quantifiers, so that matching takes linear time.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[]{}", b"\x01\xff\x01\xff")
_FRAME = {"schema", "hash", "content"}


class InvalidReportError(ValueError):
    """Raised for a file that is not a valid report. The message says what is wrong and what the user can do."""


def parse_report(data: bytes) -> tuple[ReportContent, bytes]:
    """Returns the content of a report's file, and the content's canonical bytes. The bytes also hold the fields that
    this version does not know. Raises InvalidReportError if the file is not a valid report."""
    _check_size(data)
    document = _parse_json(data)
    if not isinstance(document, dict) or "schema" not in document:
        raise InvalidReportError(
            "The file is not a report. Export a report as JSON from Netmodes and import that file."
        )
    schema = document["schema"]
    if schema != SCHEMA:
        text = schema[:60] if isinstance(schema, str) else type(schema).__name__
        raise InvalidReportError(f"The schema of the file is “{text}”, not {SCHEMA}. Export a report as JSON.")
    if unknown := document.keys() - _FRAME:
        names = ", ".join(sorted(unknown))[:80]
        raise InvalidReportError(f"The file has fields that no hash covers: “{names}”. Remove them.")
    if not isinstance(document.get("content"), dict) or not isinstance(document.get("hash"), str):
        raise InvalidReportError("The file has no content or no hash. Export the report as JSON again.")
    _check_values(document["content"])
    body = _encode(document["content"])
    if document["hash"] != f"sha256:{digest_of(body)}":
        raise InvalidReportError(
            "The hash does not match the content: the file was changed after it was saved. Ask for the original."
        )
    return _decode(body), body


def _check_size(data: bytes) -> None:
    """Raises InvalidReportError if the file has too many bytes, values or nested levels. They are counted without
    parsing the file."""
    if len(data) > MAX_BYTES:
        raise InvalidReportError(
            f"The file has {len(data):,} bytes; the limit is {MAX_BYTES:,}. Save a smaller report."
        )
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise InvalidReportError(f"Byte {error.start:,} is not UTF-8. Import the JSON file as exported.") from None
    too_many = f"The file holds more than {MAX_VALUES:,} values. Save a smaller report."
    if data.count(b'"') > 4 * MAX_VALUES:  # two quotes for a name, two for a text
        raise InvalidReportError(too_many)
    bare = _STRING.sub(b"", data)
    brackets = bare.translate(None, _NOT_BRACKETS)
    if bare.count(b",") + len(brackets) > MAX_VALUES:
        raise InvalidReportError(too_many)
    if max(accumulate(array("b", brackets.translate(_STEPS))), default=0) > MAX_DEPTH:
        raise InvalidReportError(f"The file has more than {MAX_DEPTH} nested levels. Export the report again.")


def _parse_json(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise InvalidReportError(
            f"The file is not JSON ({error}). Choose “JSON” under Export, and import that file."
        ) from None


def _check_values(content: Any) -> None:
    """Raises InvalidReportError if a text is too long or a number needs more than 64 bits. Not recursive, since the
    content may be nested deeply."""
    stack = [content]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            if len(value) > MAX_TEXT:
                raise InvalidReportError(
                    f"A text has {len(value):,} characters; the limit is {MAX_TEXT:,}. Shorten it."
                )
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            _check_keys(value)
            stack.extend(item for key, item in value.items() if key != "histogram" or not isinstance(item, str))
        elif isinstance(value, int) and not -MAX_INTEGER <= value < MAX_INTEGER:
            raise InvalidReportError("A number needs more than 64 bits. Export the report again.")


def _check_keys(value: dict[str, Any]) -> None:
    if any(len(key) > MAX_KEY for key in value):
        raise InvalidReportError(f"The name of a field has more than {MAX_KEY:,} characters. Export the report again.")
    histogram = value.get("histogram")
    if isinstance(histogram, str) and len(histogram) > MAX_HISTOGRAM_TEXT:
        raise InvalidReportError(
            f"A histogram has more than {MAX_HISTOGRAM_TEXT:,} characters. Export the report again."
        )


def _encode(content: Any) -> bytes:
    try:
        return canonical(content)
    except (msgspec.MsgspecError, OverflowError, RecursionError, UnicodeError) as error:
        raise InvalidReportError(f"The content cannot be encoded as JSON ({error}). Export the report again.") from None


def _decode(body: bytes) -> ReportContent:
    try:
        return decode_content(body)
    except (msgspec.DecodeError, RecursionError, OverflowError) as error:
        reason = str(error).replace("`", "")[:300]
        raise InvalidReportError(f"The content does not match {SCHEMA} ({reason}). Export the report again.") from None
