"""The kind of an engine, named."""

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


def test_the_modes_of_podman_that_exist_are_named() -> None:
    text = describe_podman(("netavark 1.14.0", "aardvark-dns 1.14.0", "slirp4netns"), rootless=False)
    assert text == (
        "networks by netavark 1.14.0 and aardvark-dns 1.14.0; --network also takes private (the default bridge), "
        "ns:PATH, slirp4netns (rootless), which Netmodes does not launch"
    )
    assert "does not name the programs" in describe_podman((), rootless=False)
    assert describe_podman((), rootless=True).endswith("rootless-netns, a column of its own")
