"""An experiment in the database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dashboard.store import experiments as experiment_store
from dashboard.store import recent_entries
from tests.support.specs import make_spec


@pytest.fixture
def identity(transactional_db: None) -> Iterator[str]:
    """The id of a new experiment with the arms "host" and "bridge"."""
    made = experiment_store.create_experiment(make_spec("host", "bridge", title="One"))
    yield made
    recent_entries.forget(made)
