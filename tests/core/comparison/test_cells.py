"""What each column says, and by what it is compared."""

from __future__ import annotations

from tests.core.builders import (
    container_id,
)
from tests.core.comparison.cell_helpers import scene_of


def test_an_owner_is_found_by_the_whole_id() -> None:
    observed = scene_of("host")
    assert observed.owner_title(container_id("host")) == "host"
    assert observed.owner_title(container_id("host")[:12]) is None
    assert observed.owner_title(None) is None
