"""Records of experiments that must exist."""

from __future__ import annotations

from dashboard.store import experiments as experiment_store
from dashboard.store.experiments import Record


def load_record(identity: str) -> Record:
    """The record of an experiment; AssertionError if it does not exist."""
    record = experiment_store.load(identity)
    assert record is not None
    return record
