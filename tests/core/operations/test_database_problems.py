"""Errors of databases as sentences."""

import pytest

from dashboard.core.operations.database_problems import describe_database_error, explain_database_error, is_damaged


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("database or disk is full", "is full"),
        ("[Errno 28] No space left on device: 'serving'", "is full"),
        ("database is locked", "Another process"),
        ("canceling statement due to lock timeout", "Another process"),
        ("database disk image is malformed", "damaged"),
        ("file is not a database", "damaged"),
        ("attempt to write a readonly database", "cannot be written"),
        ("disk I/O error", "cannot be written"),
    ],
)
def test_a_known_error_has_a_reason_and_advice(error: str, reason: str) -> None:
    assert reason in explain_database_error(error)
    assert describe_database_error(error).startswith(f"Cannot use the database: {error}. ")
    assert is_damaged(error) == (reason == "damaged")


def test_an_unknown_error_is_quoted() -> None:
    assert explain_database_error("no such table: x") == ""
    assert describe_database_error("no such table: x") == "Cannot use the database: no such table: x."
