"""Records and journal entries of experiments."""

from __future__ import annotations

from typing import Any

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.store import experiments as experiment_store
from dashboard.store.experiments import Record

CAUSE = Cause(Source.ENGINE, "create", "a person")


def load_record(identity: str) -> Record:
    """The record of an experiment; AssertionError if it does not exist."""
    record = experiment_store.load(identity)
    assert record is not None
    return record


def make_entry(seq: int, text: str = "", **facts: Any) -> Entry:
    """An entry of the arms "host" and "bridge" with these facts."""
    return Entry(seq, 1000.0 + seq, CAUSE, Facts(**facts), text, ("host", "bridge"))
