"""The names of processes that forward published ports."""

from __future__ import annotations

import pytest

from dashboard.core.namespaces.forwarders import forwarder_name, is_rootless_forwarder


@pytest.mark.parametrize(
    ("process", "name", "rootless"),
    [
        ("docker-proxy", "docker-proxy", False),
        ("rootlessport", "rootlessport", True),
        ("pasta", "pasta", True),
        ("pasta.avx2", "pasta", True),
        ("slirp4netns", "slirp4netns", True),
        ("dockerd", "", False),
        ("conmon", "", False),
        ("nginx", "", False),
        ("", "", False),
        (None, "", False),
    ],
)
def test_a_forwarder_is_known_by_its_name(process: str | None, name: str, rootless: bool) -> None:
    assert forwarder_name(process) == name
    assert is_rootless_forwarder(process) is rootless
