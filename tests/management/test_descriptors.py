"""The limit on open files."""

from __future__ import annotations

import resource

import pytest

from dashboard.management.descriptors import MAX_DESCRIPTORS, raise_descriptor_limit


@pytest.mark.parametrize(
    ("soft", "hard", "result"),
    [
        (1024, 4096, 4096),
        (1024, 1 << 20, MAX_DESCRIPTORS),
        (1024, resource.RLIM_INFINITY, MAX_DESCRIPTORS),
        (1 << 20, 1 << 20, 1 << 20),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, MAX_DESCRIPTORS),
    ],
)
def test_the_limit_on_open_files_is_raised_and_never_lowered(
    soft: int, hard: int, result: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = [(soft, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, limit: limits.append(limit))
    assert raise_descriptor_limit() == result
    assert limits[-1][0] in {soft, result}
    assert limits[-1][1] == hard
