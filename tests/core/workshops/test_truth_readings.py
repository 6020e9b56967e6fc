"""The readings that predictions are compared with."""

from __future__ import annotations

import pytest

from dashboard.core.workshops.observation import Observation
from dashboard.core.workshops.truth_readings import READINGS, Reading, read
from tests.core.observations import answered, make_connection, make_container, make_machine, make_observation

EMPTY = make_observation()
HOST = make_observation(make_container("web", "host"), connections=(make_connection(),))
BRIDGE = make_observation(make_container("web", "bridge", publish=8080))
USER = make_observation(make_container("shop", "user-bridge", lookups=answered("shop", "172.18.0.2")))
NAMELESS = make_observation(make_container("web", "bridge", lookups=answered("shop")))
TABBED = make_observation(machine=make_machine(sysctls={"net.ipv4.ping_group_range": "1\t0"}))
V6 = make_observation(make_container("web", "host"), connections=(make_connection(server="::1", client="[::1]:4000"),))

TABLE: list[tuple[str, dict[str, str | int], Observation, str]] = [
    ("namespace", {}, HOST, "machine"),
    ("namespace", {}, BRIDGE, "own"),
    ("namespace", {"namespace": "uts"}, HOST, "own"),
    ("namespace", {}, EMPTY, ""),
    ("listener-process", {"port": 80}, HOST, "nginx"),
    ("listener-process", {"port": 8080}, BRIDGE, "docker-proxy"),
    ("listener-process", {"port": 80}, EMPTY, "nobody"),
    ("container-status", {"name": "web"}, HOST, "running"),
    ("container-status", {"name": "web"}, EMPTY, "gone"),
    ("published", {}, BRIDGE, "8080"),
    ("published", {}, HOST, "nothing"),
    ("published", {}, EMPTY, ""),
    ("address-count", {}, HOST, "0"),
    ("address-count", {}, BRIDGE, "1"),
    ("interface-count", {}, BRIDGE, "2"),
    ("nameserver", {}, USER, "127.0.0.11"),
    ("resolver-origin", {}, HOST, "copy"),
    ("resolver-origin", {}, EMPTY, ""),
    ("name-resolves", {"lookup": "shop"}, USER, "yes"),
    ("name-resolves", {"lookup": "shop"}, NAMELESS, "no"),
    ("name-resolves", {"lookup": "shop"}, BRIDGE, ""),
    ("name-resolves", {"lookup": "shop"}, make_observation(make_container("web", state=None)), ""),
    ("name-resolves", {"lookup": "shop"}, EMPTY, ""),
    ("client-seen", {"port": 80}, HOST, "127.0.0.1"),
    ("client-seen", {"port": 80}, V6, "::1"),
    ("client-seen", {"port": 80}, EMPTY, ""),
    ("sysctl", {"sysctl": "net.ipv4.ping_group_range"}, TABBED, "1 0"),
]


@pytest.mark.parametrize(("kind", "arguments", "observation", "word"), TABLE)
def test_a_reading_is_one_word(kind: str, arguments: dict[str, str | int], observation: Observation, word: str) -> None:
    assert read(Reading(kind, arguments), observation) == word
    values = READINGS[kind].values
    assert not word or word in values or "…" in values, "the vocabulary says what a reading can be"


def test_every_reading_is_in_the_table() -> None:
    assert {one[0] for one in TABLE} == set(READINGS)


def test_the_status_is_that_of_the_container_that_was_started_last() -> None:
    old = make_container("one", running=False, started=1.0)
    assert read(Reading("container-status", {}), make_observation(old, make_container("two"))) == "running"
