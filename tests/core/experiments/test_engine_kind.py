"""The names of engines by their kind."""

import pytest

from dashboard.core.experiments.engine_kind import (
    ENGINE_NAMES,
    EngineKind,
    describe_engine,
    describe_podman,
    engine_notice,
)


@pytest.mark.parametrize(
    ("kind", "version", "text"),
    [
        (EngineKind.DOCKER, "26.1.5", "Docker Engine 26.1.5"),
        (EngineKind.PODMAN, "5.4.2", "Podman 5.4.2"),
        (EngineKind.PODMAN, "", "Podman"),
    ],
)
def test_an_engine_is_described_by_its_own_name(kind: EngineKind, version: str, text: str) -> None:
    assert describe_engine(kind, version) == text


def test_every_kind_has_a_name() -> None:
    assert set(ENGINE_NAMES) == set(EngineKind)


def test_only_another_engine_than_docker_s_has_a_notice() -> None:
    assert engine_notice(EngineKind.DOCKER) == ""
    assert engine_notice(EngineKind.PODMAN).startswith("This is Podman")


def test_the_programs_of_podman_are_named() -> None:
    programs = ("netavark 1.14.0", "aardvark-dns 1.14.0", "pasta", "slirp4netns")
    assert describe_podman(programs, rootless=False) == "networks by netavark 1.14.0 and aardvark-dns 1.14.0"
    assert "; pasta and slirp4netns for containers without a bridge" in describe_podman(programs, rootless=True)
    assert "does not name the programs" in describe_podman((), rootless=False)
    assert describe_podman((), rootless=True).endswith("rootless-netns, a separate column")
