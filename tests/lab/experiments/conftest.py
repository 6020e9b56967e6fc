"""What tests of experiments share."""

from __future__ import annotations

from tests.support import engine_api
from tests.support.private_engine import PrivateEngine


def names(host: PrivateEngine) -> set[str]:
    """The names of all containers on a host, including stopped ones."""
    return set(engine_api.containers(host.endpoint))
