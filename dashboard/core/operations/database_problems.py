"""Explains errors of the database: why it cannot be used, and what to do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DatabaseProblem:
    """A kind of failure. Its errors contain one of the texts ``signs``. ``advice`` tells what to do."""

    signs: tuple[str, ...]
    reason: str
    advice: str


#: Messages of SQLite (sqlite3, ``sqlite3ErrStr``) and of PostgreSQL.
PROBLEMS = (
    DatabaseProblem(
        ("database or disk is full", "No space left", "Disk quota exceeded"),
        "The disk of the data folder is full.",
        "Free space on it, then try again.",
    ),
    DatabaseProblem(
        ("is locked", "lock timeout"),
        "Another process holds the database.",
        "Nothing was changed. Try again in a moment.",
    ),
    DatabaseProblem(
        ("malformed", "not a database", "database disk image", "corrupt"),
        "The database is damaged.",
        "Stop Netmodes and restore a backup: restore FILE --replace.",
    ),
    DatabaseProblem(
        ("readonly database", "disk I/O error", "unable to open"),
        "The database file cannot be written.",
        "Check the disk and the permissions of the data folder.",
    ),
)


def explain_database_error(error: str) -> str:
    """Returns the reason for an error, and what to do. Empty if the error is unknown."""
    for problem in PROBLEMS:
        if any(sign in error for sign in problem.signs):
            return f"{problem.reason} {problem.advice}"
    return ""


def is_damaged(error: str) -> bool:
    """Whether the error means that the database file is damaged. SQLite reports that with exceptions of several
    classes, so the text decides."""
    return any(sign in error for sign in PROBLEMS[2].signs)


def describe_database_error(error: str) -> str:
    """Returns the message of a command that cannot use the database."""
    known = explain_database_error(error)
    return f"Cannot use the database: {error}. {known}".rstrip()
