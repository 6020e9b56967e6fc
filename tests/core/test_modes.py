"""The modes, and the options of an arm."""

from __future__ import annotations

import msgspec
import pytest

from dashboard.core.experiments.messages import encode
from dashboard.core.modes import NETWORK_DRIVERS, ArmSpec, ExperimentSpec, Mode, Publish, Unavailable


def test_the_modes_have_these_names() -> None:
    assert [str(mode) for mode in Mode] == [
        "host",
        "bridge",
        "user-bridge",
        "none",
        "container",
        "macvlan",
        "ipvlan",
        "overlay",
        "pasta",
        "slirp4netns",
        "private",
        "ns",
    ]


def test_four_modes_need_a_network_with_their_driver() -> None:
    assert NETWORK_DRIVERS == {
        Mode.USER_BRIDGE: "bridge",
        Mode.MACVLAN: "macvlan",
        Mode.IPVLAN: "ipvlan",
        Mode.OVERLAY: "overlay",
    }


def test_an_unavailable_mode_has_a_reason() -> None:
    assert Unavailable("no swarm").reason == "no swarm"


def test_an_experiment_is_unchanged_after_it_was_stored_and_loaded() -> None:
    arms = (
        ArmSpec("host", Mode.HOST),
        ArmSpec(
            "web",
            Mode.CONTAINER,
            "nginx:1.27",
            "host",
            ("sh", "-c", "echo"),
            8000,
            (Publish(80, 8080, "udp", "::1"),),
            publish_all=True,
            environment={"A": "größer\n"},
            hostname="web",
            dns=("9.9.9.9",),
            add_host=("db:192.0.2.9",),
            sysctls={"net.core.somaxconn": "9"},
            user="1000:1000",
        ),
        ArmSpec("lab", Mode.NS, netns="/run/netns/lab"),
    )
    spec = ExperimentSpec("title", "nginx", 80, arms, ("db",))
    assert msgspec.json.decode(encode(spec), type=ExperimentSpec) == spec


def test_an_unknown_mode_cannot_be_decoded() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"key": "a", "mode": "wifi"}', type=ArmSpec)
